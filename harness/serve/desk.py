"""The child's side: opens proxies, arms and heals faults, and tells what it saw, as asked."""

from __future__ import annotations

import ssl
from collections.abc import AsyncIterator, Callable, Coroutine, Mapping
from contextlib import asynccontextmanager
from dataclasses import dataclass, field, replace
from typing import Any, TypeAlias

import trio

from harness.errors import InputError, Problem, SetupError
from harness.fabric import Fabric
from harness.faults import ListenFault
from harness.proxy import Authority, Charge, Proxy, ProxySettings, open_proxy
from harness.registry import did_you_mean
from harness.serve.addresses import ONLY, parse, resolve
from harness.serve.entry import Surroundings, read_entry
from harness.serve.messages import EVENTS_AT_ONCE, LIVE_AT_ONCE, failure
from harness.serve.recorder import Recorder
from harness.timeline import Direction
from harness.worker.contract import PROTOCOLS

PROXIES_LIMIT = 256
"""More at once are refused: somebody forgets to close them."""
FAULTS_LIMIT = 10_000
"""One proxy arms so many faults in its life."""
SETTLE_TURNS = 16
"""Before it is told what is, tasks that could go on get so many turns."""
TLS_MODES = ("off", "passthrough", "terminate")
"""What a proxy may do with TLS, as in scenarios."""
LOOPBACK = "127.0.0.1"

Request: TypeAlias = Mapping[str, Any]
Answer: TypeAlias = dict[str, Any]


@dataclass
class Desk:
    """Answers requests; open it with ``open_desk``."""

    fabric: Fabric
    nursery: trio.Nursery
    proxies: dict[int, Served] = field(default_factory=dict)
    _opened: int = 0

    async def answer(self, request: Request) -> Answer:
        """The reply to a request, whatever is wrong with it."""
        try:
            reply = {"ok": True} | await self._perform(request)
        except InputError as error:
            reply = failure("mistake", *map(str, error.problems))
        except SetupError as error:
            reply = failure("set-up", str(error))
        return reply | ({"id": request["id"]} if "id" in request else {})

    async def _perform(self, request: Request) -> Answer:
        ways: dict[str, Callable[[Request], Coroutine[Any, Any, Answer]]] = {
            "open": self._open,
            "arm": self._arm,
            "heal": self._heal,
            "phase": self._phase,
            "look": self._look,
            "close": self._close,
        }
        do = request.get("do")
        if not isinstance(do, str) or do not in ways:
            raise _mistake("do", f"{do!r} can't be done", did_you_mean(str(do), [*ways, "stop"]))
        return await ways[do](request)

    async def _open(self, request: Request) -> Answer:
        _only_known(request, {"backends", "tls", "backend_ca", "protocol", "port", "seed"})
        if len(self.proxies) >= PROXIES_LIMIT:
            raise SetupError(f"{PROXIES_LIMIT} proxies are open; close some")
        served = Served(await _settings(request))
        await self.nursery.start(served.run, self.fabric)
        self._opened += 1
        self.proxies[self._opened] = served
        return {"proxy": self._opened} | served.introduction()

    async def _arm(self, request: Request) -> Answer:
        return {"fault": self._meant(request).arm(request.get("fault"))}

    async def _heal(self, request: Request) -> Answer:
        return {"fired": self._meant(request).heal(request.get("fault"))}

    async def _phase(self, request: Request) -> Answer:
        self._meant(request).proxy.enter_phase(_text(request, "name"))
        return {}

    async def _look(self, request: Request) -> Answer:
        served = self._meant(request)
        for _ in range(SETTLE_TURNS):
            await trio.lowlevel.checkpoint()
        return served.look(_number(request, "after", 0))

    async def _close(self, request: Request) -> Answer:
        served = self._meant(request)
        await served.close()
        after = _number(request, "after", 0)
        self.proxies = {n: other for n, other in self.proxies.items() if other is not served}
        return served.look(after)

    def _meant(self, request: Request) -> Served:
        """The proxy that a request speaks of; without a word the first that is open."""
        number = request.get("proxy", next(iter(self.proxies), None))
        if not isinstance(number, int) or number not in self.proxies:
            is_open = ", ".join(map(str, self.proxies)) or "none"
            raise _mistake("proxy", f"no proxy {number!r} is open", f"open are: {is_open}")
        return self.proxies[number]


@asynccontextmanager
async def open_desk(fabric: Fabric) -> AsyncIterator[Desk]:
    """A desk that answers inside the block; its proxies end with it."""
    read_entry({"fault": "reset", "when": {"idle": 1}}, Surroundings((ONLY,)))  # it learns to read
    async with fabric.running(), trio.open_nursery() as nursery:
        yield Desk(fabric, nursery)
        nursery.cancel_scope.cancel()


@dataclass
class Served:
    """One proxy, its record, and the task that holds it."""

    settings: ProxySettings
    authority: Authority | None = None
    recorder: Recorder = field(default_factory=Recorder)
    charges: list[Charge] = field(default_factory=list)
    _proxy: Proxy | None = None
    _over: trio.Event = field(default_factory=trio.Event)
    _closed: trio.Event = field(default_factory=trio.Event)

    @property
    def proxy(self) -> Proxy:
        """The proxy, once it runs."""
        assert self._proxy is not None
        return self._proxy

    async def run(  # noqa: ASYNC114 - the desk starts it with nursery.start, and nobody else does
        self, fabric: Fabric, task_status: trio.TaskStatus[None] = trio.TASK_STATUS_IGNORED
    ) -> None:
        """Serve until ``close``."""
        if self.settings.tls == "terminate":
            self.authority = Authority()
        async with open_proxy(
            self.settings, fabric, authority=self.authority, on_event=self.recorder.add
        ) as proxy:
            self._proxy = proxy
            proxy.enter_phase(None)  # the proxy's clock starts
            task_status.started()
            await self._over.wait()
        self._closed.set()

    async def close(self) -> None:
        """End it, with all its connections."""
        self._over.set()
        await self._closed.wait()

    def introduction(self) -> Answer:
        """Where it listens, and the certificate to trust."""
        pem = "" if self.authority is None else self.authority.certificate_pem.decode()
        return {"host": self.proxy.port.host, "port": self.proxy.port.number, "ca_pem": pem}

    def arm(self, entry: object) -> int:
        """Put a fault to work and get its number; ``at`` counts from now."""
        if isinstance(entry, str):
            entry = {"fault": entry}
        if not isinstance(entry, Mapping):
            raise _mistake("fault", f"{entry!r} is no fault", 'write {"fault": "reset"}')
        if len(self.charges) >= FAULTS_LIMIT:
            raise SetupError(f"this proxy has armed {FAULTS_LIMIT} faults; open another one")
        around = Surroundings(
            tuple(self.settings.backends), self.settings.tls, self.settings.protocol
        )
        spec = read_entry(entry, around)
        if spec.when.at_s is not None:
            now_s = trio.current_time() - (self.proxy.scene.zero or 0.0)
            spec = replace(spec, when=replace(spec.when, at_s=spec.when.at_s + now_s))
        self.charges += self.proxy.arm([spec])
        self._note_shut()
        return len(self.charges) - 1

    def heal(self, number: object) -> dict[str, int]:
        """Heal a fault, or all if none is named; how often each has struck, by its number."""
        self._note_shut()
        if number is None:
            self.proxy.heal_all()
        elif isinstance(number, int) and 0 <= number < len(self.charges):
            self.proxy.heal(self.charges[number])
        else:
            raise _mistake("fault", f"no fault {number!r} was armed", "write the number from arm")
        return self._fired()

    def _note_shut(self) -> None:
        """A fault that shuts the port has struck once it is shut: no refusal reaches the proxy."""
        scene, now = self.proxy.scene, trio.current_time()
        for charge in self.charges:
            when = charge.spec.when
            if isinstance(charge.spec.fault, ListenFault) and not charge.healed:
                began = when.during is None and charge.opened(scene) <= now
                if began or charge.is_open(scene, now):
                    self.recorder.fired[charge.index] = 1

    def _fired(self) -> dict[str, int]:
        return {str(index): times for index, times in self.recorder.fired.items()}

    def look(self, after: int) -> Answer:
        """The events after this one, the live connections, and exact counts."""
        self._note_shut()
        recorder = self.recorder
        events = list(recorder.since(after, EVENTS_AT_ONCE))
        dropped = recorder.dropped_since(after)
        seen = max(after, recorder.total - len(recorder.kept)) + len(events)
        return {
            "events": events,
            "next": seen,
            "more": seen < recorder.total,
            "dropped": dropped,
            "opened": recorder.opened,
            "open_now": self.proxy.open_connections,
            "fired": self._fired(),
            "live": self._live(),
        }

    def _live(self) -> list[list[int]]:
        """Ordinal, exchanges, bytes up and bytes down of each live connection."""
        return [
            [
                ordinal,
                relay.connection.life.exchange,
                relay.connection.passed_bytes[Direction.UPSTREAM],
                relay.connection.passed_bytes[Direction.DOWNSTREAM],
            ]
            for ordinal, relay in list(self.proxy.relays.items())[:LIVE_AT_ONCE]
        ]


# --- reading a request ----------------------------------------------------------------------


async def _settings(request: Request) -> ProxySettings:
    """The settings that a request to open asks for; raises InputError, or SetupError."""
    tls = request.get("tls", "off")
    if tls not in TLS_MODES:
        raise _mistake("tls", f"unknown value {tls!r}", f"it is one of {', '.join(TLS_MODES)}")
    protocol = request.get("protocol", "http")
    if protocol not in list(PROTOCOLS):
        hint = did_you_mean(str(protocol), [*PROTOCOLS])
        raise _mistake("protocol", f"unknown value {protocol!r}", hint)
    hosts = {name: parse(address) for name, address in _named(request.get("backends")).items()}
    return ProxySettings(
        backends={name: await resolve(*place) for name, place in hosts.items()},
        tls=tls,
        protocol=protocol,
        origin_tls=_origin_tls(request),
        origin_hostname=next(iter(hosts.values()))[0],
        host=LOOPBACK,
        port=_number(request, "port", 0),
        seed=_number(request, "seed", 0),
    )


def _named(backends: object) -> Mapping[str, object]:
    if isinstance(backends, str):
        return {ONLY: backends}
    if not isinstance(backends, Mapping) or not backends:
        hint = 'write "127.0.0.1:5432", or {"blue": "127.0.0.1:5432", "green": "127.0.0.1:5433"}'
        raise _mistake("backends", f"{backends!r} names no backend", hint)
    return backends


def _origin_tls(request: Request) -> ssl.SSLContext | None:
    """How the proxy trusts a backend that speaks TLS itself: by the certificate in a file."""
    if not request.get("backend_ca"):
        return None
    if request.get("tls") == "passthrough":
        raise _mistake("backend_ca", "passthrough lets the client verify the backend", "drop it")
    path = _text(request, "backend_ca")
    try:
        return ssl.create_default_context(cafile=path)
    except OSError as error:
        message = f"{path}: no certificate can be read: {error.strerror or error}"
        raise _mistake("backend_ca", message, "name a PEM file") from error


def _number(request: Request, word: str, default: int) -> int:
    value = request.get(word, default)
    if not isinstance(value, int) or isinstance(value, bool) or (word != "seed" and value < 0):
        raise _mistake(word, f"{value!r} is no number that fits", f"write {default}")
    if word == "port" and value > 65535:
        raise _mistake(word, f"there is no port {value}", "ports go to 65535; 0 is any free one")
    return value


def _text(request: Request, word: str) -> str:
    value = request.get(word)
    if not isinstance(value, str) or not value:
        raise _mistake(word, f"{value!r} is no text", "write a text")
    return value


def _only_known(request: Request, words: set[str]) -> None:
    for word in request:
        if word not in {*words, "do", "id"}:
            raise _mistake(word, "unknown key", did_you_mean(word, sorted(words)))


def _mistake(word: str, message: str, hint: str) -> InputError:
    return InputError(Problem(message, hint, path=word))
