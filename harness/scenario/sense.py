"""Whether the parts of a scenario fit together, once each can be read by itself.

Each rule looks at what could be read and reports what contradicts what; a part that has mistakes
of its own is None or missing here, and rules that need it keep silent.
"""

from __future__ import annotations

from collections.abc import Iterable
from dataclasses import dataclass

from harness.faults import BackendFault, HandshakeFault, PacketFault, strikes_links_only
from harness.registry import did_you_mean
from harness.scenario.entries import ReadCheck, ReadFault
from harness.scenario.fabrics import FABRICS, FabricWord, needs_of
from harness.scenario.model import (
    ClientSettings,
    Origin,
    Perturb,
    PhaseWords,
    Proxy,
    Topology,
)
from harness.scenario.nodes import MapNode, Node
from harness.scenario.problems import Path, Report
from harness.scenario.wording import shown
from harness.timeline import Side


@dataclass(frozen=True, slots=True, kw_only=True)
class Parts:
    """The sections of one text, as far as they could be read."""

    origin: Origin | None
    proxy: Proxy | None
    client: ClientSettings | None
    phases: list[tuple[PhaseWords | None, Node]]
    phase_names: list[str]
    faults: list[ReadFault]
    checks: list[ReadCheck]
    perturb: Perturb | None
    recovery: bool
    fabric: FabricWord | None
    topology: Topology | None = None


def judge(parts: Parts, report: Report) -> None:
    """Report everything that makes no sense together."""
    _origin(parts, report)
    _proxy(parts, report)
    _client(parts, report)
    _workload(parts, report)
    for fault in parts.faults:
        _trigger(fault, parts, report)
        _direction(fault, report)
        _existing(fault, report)
        _backends(fault, parts, report)
        _tls(fault, parts, report)
        _protocol(fault, parts, report)
    _sweeps(parts, report)
    _perturb(parts, report)
    _recovery(parts, report)
    _fabric(parts, report)
    _sidecar(parts, report)
    _outside(parts, report)


def _origin(parts: Parts, report: Report) -> None:
    if parts.origin is None:
        return
    seen = set[str]()
    for index, name in enumerate(parts.origin.backends):
        path: Path = ("origin", "backends", index)
        if not name:
            report.on(path, "a backend without a name", "name it, such as blue")
        elif name in seen:
            report.on(path, f"backend {shown(name)} stands here again", "give each its own name")
        seen.add(name)
    _served(parts.origin, report)


def _served(origin: Origin, report: Report) -> None:
    """What goes with some servers and not with others."""
    if origin.own is not None and len(origin.backends) > 1:
        message = f"one address is one backend, and here are {len(origin.backends)}"
        report.on(("origin", "backends"), message, "leave backends out")
    if origin.keep_alive_s is not None and origin.serve != "http":
        what = "a server of your own" if origin.own else origin.protocol
        message = f"{what} keeps connections as it likes, so keep_alive means nothing to it"
        report.on(("origin", "keep_alive"), message, "leave it out; close strikes idle", key=True)


def _proxy(parts: Parts, report: Report) -> None:
    if parts.proxy is None or parts.origin is None:
        return
    if parts.proxy.tls == "passthrough" and not parts.origin.tls:
        message = "passthrough lets the client handshake with the backend, which speaks no TLS"
        report.on(("proxy", "tls"), message, "add origin: {tls: true}, or write terminate")
    if parts.proxy.balance == "round_robin" and len(parts.origin.backends) == 1:
        message = "round_robin needs a second backend"
        report.on(("proxy", "balance"), message, "add origin: {backends: [blue, green]}")


def _client(parts: Parts, report: Report) -> None:
    if parts.client is None:
        return
    pool = parts.client.pool
    if pool.min_idle > pool.size:
        message = f"min_idle keeps {pool.min_idle} ready, and the pool keeps only {pool.size}"
        report.on(("client", "pool", "min_idle"), message, f"write at most {pool.size}")


def _workload(parts: Parts, report: Report) -> None:
    seen = set[str]()
    for index, (phase, node) in enumerate(parts.phases):
        path: Path = ("workload", index)
        if phase is None:
            continue
        if phase.phase in seen:
            message = f"phase {shown(phase.phase)} stands here again"
            report.on((*path, "phase"), message, "give each phase its own name")
        seen.add(phase.phase)
        given = set(node.entries) if isinstance(node, MapNode) else set[str]()
        _phase(phase, given, path, report)
        _cancelled(phase, path, report)
        _framed(phase, parts.origin, path, report)
        _marked(phase, parts.origin, path, report)
    if parts.phases and all(phase and phase.calls is None for phase, _ in parts.phases):
        hint = "add a phase such as {phase: load, callers: 4, calls: 100}"
        report.on(("workload",), "no phase makes a call", hint)


def _phase(phase: PhaseWords, given: set[str], path: Path, report: Report) -> None:
    if phase.pause_s is not None:
        for word in sorted(given - {"phase", "pause", "close_after"}):
            message = f"nobody calls in a pause, so {word} means nothing in it"
            report.on((*path, word), message, "make the pause a phase of its own", key=True)
    elif phase.calls is None:
        hint = "add calls: 100, or pause: 2s"
        report.on(path, f"phase {shown(phase.phase)} neither calls nor pauses", hint)
    if phase.every_s is not None and phase.rate_per_s is not None:
        message = "every paces each caller and rate paces them all"
        report.on((*path, "rate"), message, "keep one", key=True)
    if phase.request_bytes and phase.calls is not None and not phase.unsafe:
        message = "request is the body of unsafe calls, and no call here is unsafe"
        report.on((*path, "request"), message, "add unsafe: 100%", key=True)


def _cancelled(phase: PhaseWords, path: Path, report: Report) -> None:
    cancel = phase.cancel
    if cancel is None:
        return
    place = (*path, "cancel")
    if cancel.after_s is None and cancel.step is None:
        report.on(place, "cancel doesn't say when", "add after: 3ms, or step: 2")
    elif cancel.after_s is not None and cancel.step is not None:
        message = "after and step both say when to cancel"
        report.on((*place, "step"), message, "keep one", key=True)
    if cancel.to is not None and (cancel.step is None or cancel.to <= cancel.step):
        message = "to counts on from step, and there is nothing between"
        report.on((*place, "to"), message, "write step: 1, to: 40", key=True)


def _framed(phase: PhaseWords, origin: Origin | None, path: Path, report: Report) -> None:
    if origin is not None and origin.protocol != "http" and phase.framing != "length":
        what = "an echo" if origin.protocol == "echo" else origin.protocol
        message = f"{what} has no framing, so {phase.framing} means nothing to it"
        report.on((*path, "framing"), message, "leave it out, or write origin: {serve: http}")


def _marked(phase: PhaseWords, origin: Origin | None, path: Path, report: Report) -> None:
    if origin is not None and origin.protocol != "postgres" and phase.session:
        message = f"only a session of postgres can be changed, and the origin is {origin.protocol}"
        report.on((*path, "session"), message, "write origin: {serve: postgres}", key=True)


def _trigger(fault: ReadFault, parts: Parts, report: Report) -> None:
    when, places = fault.spec.when, fault.places
    for key, why in when.contradictions():
        message, _, hint = why.partition("; ")
        report.on(places.get(key, fault.path), message, hint, key=True)
    if when.during is not None and when.during not in parts.phase_names:
        hint = did_you_mean(when.during, sorted(set(parts.phase_names)))
        report.on(places["during"], f"no phase is called {shown(when.during)}", hint)
    if when.backend is not None:
        _known_backend(when.backend, places["backend"], parts.origin, report)


def _known_backend(name: str, place: Path, origin: Origin | None, report: Report) -> None:
    if origin is not None and name not in origin.backends:
        hint = did_you_mean(name, origin.backends)
        report.on(place, f"no backend is called {shown(name)}", hint)


def _direction(fault: ReadFault, report: Report) -> None:
    when = fault.spec.when
    in_message = when.request is not None or when.response is not None
    counts = when.byte is not None or when.match is not None
    if fault.spec.direction == "both" and counts and not in_message:
        word = "byte" if when.byte is not None else "match"
        message = f"{word} looks at one direction, and both are meant"
        hint = "write direction: upstream or downstream, or add a request or response"
        report.on((*fault.path, "direction"), message, hint)


def _existing(fault: ReadFault, report: Report) -> None:
    """A fault of flows that were there before it finds none at the very beginning."""
    if getattr(fault.spec.fault, "STRIKES_EXISTING", False) and fault.spec.when.given() <= {"for"}:
        message = f"{fault.spec.name} strikes connections that are open, and at first none is"
        hint = "add at: 1s" if strikes_links_only(fault.spec.fault) else "add idle: 1s, or at: 1s"
        report.on((*fault.path, "fault"), message, hint)


def _backends(fault: ReadFault, parts: Parts, report: Report) -> None:
    strike = fault.spec.fault
    if not isinstance(strike, BackendFault) or parts.origin is None:
        return
    names = list(strike.backends())
    for name in names:
        _known_backend(name, _place_of(name, fault, report), parts.origin, report)
    if len(parts.origin.backends) == 1 and not strike.change().dead and not names:
        message = f"{fault.spec.name} needs a second backend to go to"
        report.on(fault.path, message, "add origin: {backends: [blue, green]}")


def _place_of(name: str, fault: ReadFault, report: Report) -> Path:
    """The key of the fault's entry whose value is this name."""
    keys = report.keys_of(fault.path, name)
    return (*fault.path, keys[0]) if keys else fault.path


def _tls(fault: ReadFault, parts: Parts, report: Report) -> None:
    if parts.proxy is None:
        return
    strike, mode, name = fault.spec.fault, parts.proxy.tls, fault.spec.name
    if getattr(strike, "NEEDS_TERMINATION", False) and mode != "terminate":
        plain = isinstance(strike, HandshakeFault) or mode != "off"
        hint = "write proxy: {tls: terminate}" + ("" if plain else "; in plain TCP use close")
        message = f"{name} needs a proxy that terminates TLS, and proxy.tls is {mode}"
        report.on((*fault.path, "fault"), message, hint)
    elif isinstance(strike, HandshakeFault) and mode == "off":
        message = f"{name} strikes TLS handshakes, and proxy.tls is off"
        report.on((*fault.path, "fault"), message, "write proxy: {tls: terminate}")
    if fault.spec.when.event == "tls_established" and mode != "terminate":
        message = f"only a proxy that terminates TLS sees it established; proxy.tls is {mode}"
        report.on(fault.places["event"], message, "write proxy: {tls: terminate}")


def _protocol(fault: ReadFault, parts: Parts, report: Report) -> None:
    """A fault that speaks a protocol needs an origin that does, and bytes it can read."""
    protocol, name = getattr(fault.spec.fault, "PROTOCOL", None), fault.spec.name
    if protocol is None:
        return
    place = (*fault.path, "fault")
    spoken = (protocol, *getattr(fault.spec.fault, "ALSO_SPEAKS", ()))
    if parts.origin is not None and parts.origin.protocol not in spoken:
        words = " and ".join(spoken)
        message = f"{name} speaks {words}, and the origin serves {parts.origin.protocol}"
        report.on(place, message, f"write origin: {{serve: {protocol}}}")
    elif parts.origin is not None and parts.origin.protocol != protocol:
        for word in [key for key in ("timeout",) if getattr(fault.spec.fault, f"{key}_s", None)]:
            message = f"{parts.origin.protocol} announces no {word}, as {protocol} does"
            report.on((*fault.path, word), message, "leave it out, and write idle: 1s", key=True)
    if parts.proxy is not None and parts.proxy.tls == "passthrough":
        message = f"{name} must read what is said, and passthrough shows it only ciphertext"
        report.on(place, message, "write proxy: {tls: terminate}")


def _sweeps(parts: Parts, report: Report) -> None:
    for fault in [fault for fault in parts.faults if fault.sweep is not None][1:]:
        assert fault.sweep is not None
        message = "a second sweep in one scenario: each pair of values would need a run"
        hint = "sweep one condition, and give the other a value"
        report.on(fault.places.get(fault.sweep.word, fault.path)[:-1], message, hint, key=True)


def _perturb(parts: Parts, report: Report) -> None:
    perturb = parts.perturb
    if perturb is None or perturb.grid_s is None:
        return
    place: Path = ("perturb", "grid")
    if not perturb.grid_s:
        report.on(place, "a grid needs instants that lie apart", "write 100ms, or leave it out")
    elif not perturb.think_s:
        message = "grid says on which instants calls begin, and without think none waits"
        report.on(place, message, "add think: 1s", key=True)
    elif perturb.grid_s > perturb.think_s:
        message = "the grid is coarser than think, so no call would ever wait"
        report.on(place, message, "write a grid of think or less")


def _recovery(parts: Parts, report: Report) -> None:
    if parts.recovery:
        return
    for check in _named(parts.checks, "recovers_within"):
        message = "recovery: false leaves recovers_within nothing to measure"
        report.on(check.path, message, "drop one of them", key=True)


def _fabric(parts: Parts, report: Report) -> None:
    """What it says of its fabric, and what needs one, must leave a fabric that has all of it."""
    needs = tuple(
        needs_of(
            [(fault.spec.fault, fault.path) for fault in parts.faults],
            server=parts.origin.outside if parts.origin is not None else "",
            delay=parts.perturb is not None and bool(parts.perturb.delay_s),
            hosts=parts.topology is not None,
        )
    )
    left, whose = FABRICS, ""
    for need in needs:
        if parts.fabric is not None and parts.fabric not in need.fabrics:
            message = f"{need.what}, and the {parts.fabric} fabric has none"
            report.on(("fabric",), message, f"write fabric: {need.fabrics[0]}, or leave it out")
            return
        fit = tuple(fabric for fabric in left if fabric in need.fabrics)
        if not fit:
            message = f"{need.what}, and {whose} runs on {' and '.join(left)} alone, without any"
            report.on(need.path, message, "leave one of them out", key=need.is_key)
            return
        if fit != left:
            left, whose = fit, need.whose


def _sidecar(parts: Parts, report: Report) -> None:
    """A sidecar is beside its client: no packet between them crosses a link."""
    if parts.topology is None or parts.topology.proxy != "client":
        return
    for fault in parts.faults:
        spec = fault.spec
        if isinstance(spec.fault, PacketFault) and Side.CLIENT in spec.sides:
            message = f"{spec.name} strikes packets between client and proxy, and no link is there"
            report.on((*fault.path, "fault"), message, "write side: backend, or proxy: host")


def _outside(parts: Parts, report: Report) -> None:
    """A server that is a program of its own is not behind our links: only the proxy is."""
    if parts.origin is None or parts.origin.is_built_in:
        return
    for fault in parts.faults:
        spec = fault.spec
        if isinstance(spec.fault, PacketFault) and Side.BACKEND in spec.sides:
            message = f"{spec.name} strikes packets on a link, and none leads to this server"
            report.on((*fault.path, "fault"), message, "write side: client")


def _named(checks: Iterable[ReadCheck], name: str) -> list[ReadCheck]:
    return [check for check in checks if name == check.check.NAME]
