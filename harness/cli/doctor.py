"""``harness doctor``."""

from __future__ import annotations

import platform
import shutil
import socket
import ssl
import sys
from collections.abc import Callable, Iterator
from contextlib import suppress
from dataclasses import dataclass
from pathlib import Path

import click
import trio
from rich.table import Table
from rich.text import Text

import harness
from harness.cli.clean import clean
from harness.cli.exits import NOT_SET_UP, leave
from harness.cli.options import cores
from harness.cli.screen import screen
from harness.cli.teaching import Taught
from harness.errors import InputError, Problem, SetupError
from harness.fabric.netns.access import Access, probe
from harness.fabric.timers import Timers
from harness.fabric.virtual.determinism import deterministic_scheduling
from harness.origin import INSTALL, installed

FILES_PER_CONNECTION = 4
"""Client's socket, proxy's two, origin's: all in one process."""
FILES_TO_SPARE = 100
PORTS_ENOUGH = 5_000
FILES_ENOUGH = 4_096


@dataclass(frozen=True, slots=True)
class Fact:
    """One thing this machine has or lacks; ``needed`` if nothing runs without it."""

    name: str
    there: bool
    text: str
    advice: str = ""
    needed: bool = False


@click.command("doctor", cls=Taught)
@click.option("--clean", "cleans", is_flag=True, help="Remove what killed runs have left.")
@click.option("--dry-run", is_flag=True, help="With --clean: only list it.")
def doctor_command(cleans: bool, dry_run: bool) -> None:
    """What this machine can do, and what to do about it where it can't.

    Looks at Python, trio, OpenSSL, timers, file limits, loopback, ports, network namespaces and
    what the kernel has for them, the servers that scenarios need and those that `harness bench`
    compares with. Changes nothing.

    With --clean it looks for what runs that were killed may have left: processes, the networks
    they hold, temporary files. It removes what is certainly nobody's any more, and says what.

    Exit codes:
      0  scenarios can run here; what is missing limits something, and it says what
      4  something is missing without which nothing runs
    """
    if dry_run and not cleans:
        raise InputError(Problem("--dry-run: there is nothing to do", "say --clean as well"))
    if cleans:
        click.echo("\n".join(clean(only_list=dry_run)) or "nothing was left")
        return
    facts = [fact for look in LOOKS for fact in look()]
    grid = Table.grid(padding=(0, 2, 0, 0))
    grid.add_column(no_wrap=True)
    grid.add_column(no_wrap=True, style="bold")
    grid.add_column(overflow="fold")
    for fact in facts:
        word = Text("ok", style="green") if fact.there else Text("missing", style="bold yellow")
        text = fact.text if fact.there or not fact.advice else f"{fact.text}; {fact.advice}"
        grid.add_row(word, fact.name, Text(text))
    screen().print(grid)
    leave(NOT_SET_UP if any(fact.needed and not fact.there for fact in facts) else 0)


def _versions() -> Iterator[Fact]:
    python = f"{platform.python_version()} ({platform.python_implementation()}), {sys.executable}"
    yield Fact("harness", there=True, text=harness.__version__)
    yield Fact("python", there=True, text=python)
    yield Fact("trio", there=True, text=trio.__version__)
    yield Fact(
        "openssl",
        there=ssl.HAS_TLSv1_3,
        text=ssl.OPENSSL_VERSION,
        advice="it has no TLS 1.3; use a Python that is built with OpenSSL 1.1.1 or newer",
    )


def _platform() -> Iterator[Fact]:
    text = f"{platform.system()} {platform.machine()}"
    yield Fact("platform", there=True, text=text)
    yield Fact("kernel", there=True, text=platform.release())
    number = cores()
    yield Fact("cores", there=True, text=f"{number}; `harness run` makes so many runs at once")


def _timers() -> Iterator[Fact]:
    precise = trio.run(_has_timerfd)
    yield Fact(
        "timerfd",
        there=precise,
        text="delays are exact to some 0.1 ms" if precise else "delays end up to 1 ms late",
        advice="timerfd is of Linux: run there where that matters",
    )


async def _has_timerfd() -> bool:  # noqa: ASYNC124 - timers need a run around them
    timers = Timers()
    timers.close()
    return timers.precise


def _virtual() -> Iterator[Fact]:
    text, there = "runs are the same each time", True
    try:
        with deterministic_scheduling("doctor"):
            pass
    except SetupError as error:
        text, there = str(error), False
    yield Fact("virtual time", there=there, text=text)


def _files() -> Iterator[Fact]:
    if sys.platform == "win32":
        return
    import resource  # noqa: PLC0415 - not on Windows

    soft, hard = resource.getrlimit(resource.RLIMIT_NOFILE)
    room = max(0, soft - FILES_TO_SPARE) // FILES_PER_CONNECTION
    unlimited = soft == resource.RLIM_INFINITY
    text = "no limit" if unlimited else f"{soft}, enough for about {room} connections at once"
    upper = "unlimited" if hard == resource.RLIM_INFINITY else str(hard)
    advice = f"for larger scenarios raise it: ulimit -n {_wanted(hard)} (at most {upper})"
    yield Fact("open files", there=unlimited or soft >= FILES_ENOUGH, text=text, advice=advice)


def _wanted(hard: int) -> int:
    return 65_536 if hard < 0 else min(hard, 65_536)


def _loopback() -> Iterator[Fact]:
    for name, family, host, needed in (
        ("loopback IPv4", socket.AF_INET, "127.0.0.1", True),
        ("loopback IPv6", socket.AF_INET6, "::1", False),
    ):
        error = _connects(family, host)
        yield Fact(
            name,
            there=not error,
            text=error or f"{host} can be listened on and connected to",
            advice=f"bring the interface lo up, with the address {host}",
            needed=needed,
        )


def _connects(family: socket.AddressFamily, host: str) -> str:
    """Why a listener there can't be reached; nothing if it can."""
    try:
        with socket.socket(family) as listener, socket.socket(family) as client:
            listener.bind((host, 0))
            listener.listen(1)
            client.settimeout(1.0)
            client.connect(listener.getsockname())
    except OSError as error:
        return f"{host}: {error.strerror or error}"
    return ""


PORT_RANGE = Path("/proc/sys/net/ipv4/ip_local_port_range")


def _ports() -> Iterator[Fact]:
    with suppress(OSError, ValueError):
        first, last = map(int, PORT_RANGE.read_text(encoding="ascii").split())
        number = last - first + 1
        yield Fact(
            "ports",
            there=number >= PORTS_ENOUGH,
            text=f"{first} to {last}: {number} connections at once to one address",
            advice="widen net.ipv4.ip_local_port_range with sysctl",
        )


MODULES = "if this kernel has it as a module"
PURPOSES = {
    "netem": "delay, loss, disorder, doubles",
    "tbf": "the bandwidth of a link",
    "htb": "bandwidth that links share",
    "nft": "looking on; no fault needs it, since the packet router rejects as it would",
    "conntrack": "looking on; no fault needs it, since the packet router forgets as it would",
    "tun": "faults on single packets",
    "sock_destroy": "the fault sock_destroy",
}
"""What the features of a kernel are for."""
ROUTED = ("netem", "tbf", "htb")
"""What the packet router does as well, if there is a TUN device for it."""
UNUSED = ("nft", "conntrack")
GET = {
    "netem": f"sudo modprobe sch_netem, {MODULES}",
    "tbf": f"sudo modprobe sch_tbf, {MODULES}",
    "htb": f"sudo modprobe sch_htb, {MODULES}",
    "nft": f"sudo modprobe nf_tables, {MODULES}",
    "conntrack": f"sudo modprobe nft_ct, {MODULES}",
    "sock_destroy": "it takes a kernel with CONFIG_INET_DIAG_DESTROY",
}
TUN_CONTAINER = "or start the container with --device /dev/net/tun"
TUN_CLOSED = f"let this user open /dev/net/tun: sudo chmod 0666 /dev/net/tun, {TUN_CONTAINER}"
TUN_MISSING = f"sudo modprobe tun, {TUN_CONTAINER}"


def _networks() -> Iterator[Fact]:
    """Nothing of it is needed where scenarios run on loopback or in virtual time."""
    access = probe()
    if not access.way:
        text = f"{access.reason}, so nothing runs with --on netns"
        yield Fact("namespaces", there=False, text=text, advice=access.advice)
        return
    way = "as root" if access.way == "root" else "without root, through a user namespace"
    yield Fact("namespaces", there=True, text=f"--on netns runs {way}")
    for feature, purpose in PURPOSES.items():
        there = getattr(access, feature)
        name = {"tun": "TUN", "sock_destroy": "SOCK_DESTROY"}.get(feature, feature)
        text = f"for {purpose}" if there else f"for {purpose}; {_otherwise(feature, access)}"
        yield Fact(name, there=there, text=text, advice=_how_to_get(feature, access))


def _otherwise(feature: str, access: Access) -> str:
    """What becomes of its purpose where a feature is missing."""
    if feature in UNUSED:
        return "no fault needs it"
    if feature in ROUTED and access.tun:
        return "the packet router does the same"
    return "scenarios with that can't run on netns"


def _how_to_get(feature: str, access: Access) -> str:
    if feature != "tun":
        return GET[feature]
    return TUN_CLOSED if access.why_not("tun") in {"EPERM", "EACCES"} else TUN_MISSING


def _servers() -> Iterator[Fact]:
    for kind, name in {"postgres": "PostgreSQL", "redis": "Redis"}.items():
        first = next(installed(kind), None)
        tls = any(programs.has_tls for programs in installed(kind))
        without = "" if tls else "; none here does TLS by itself"
        text = "none" if first is None else f"{first.version()} of {first.source}{without}"
        advice = f"scenarios that need it can't run: {INSTALL}"
        yield Fact(name, there=first is not None, text=text, advice=advice)
    for name in ("haproxy", "socat"):
        path = shutil.which(name)
        text = path or "`harness bench` goes without it"
        yield Fact(name, there=path is not None, text=text, advice="install it to compare with it")


LOOKS: tuple[Callable[[], Iterator[Fact]], ...] = (
    _versions,
    _platform,
    _timers,
    _virtual,
    _files,
    _loopback,
    _ports,
    _networks,
    _servers,
)
