"""Who is measured: nothing in between, this project's proxy in several modes, HAProxy, socat.

Each runs in processes of its own, on loopback only. A contender that this machine doesn't have is
named with the reason, and the others are measured.
"""

from __future__ import annotations

import json
import shutil
import socket
import ssl
import time
from collections.abc import Callable, Iterator
from contextlib import AbstractContextManager, ExitStack, contextmanager
from dataclasses import dataclass
from functools import partial
from pathlib import Path

from harness.bench.processes import last_line, running
from harness.errors import SetupError

DELAY_S = 0.005
"""The latency that one contender injects."""
SERVES_LIMIT_S = 5.0
_HOST = "127.0.0.1"


@dataclass(frozen=True, slots=True, kw_only=True)
class Target:
    """Where to connect, and whose memory to look at (0: nobody's)."""

    port: int
    pid: int = 0
    tls: ssl.SSLContext | None = None
    delay_s: float = 0.0


Opener = Callable[[int, Path], AbstractContextManager[Target]]
"""Starts a contender before the far end's port; its files go into the directory."""


@contextmanager
def open_far_end(directory: Path) -> Iterator[int]:
    """The server that all contenders lead to: its port."""
    with running("harness.bench.far_end", [], directory / "far_end.log") as hello:
        yield hello["port"]


@contextmanager
def _direct(far_port: int, directory: Path) -> Iterator[Target]:  # noqa: ARG001 - an opener's arguments
    yield Target(port=far_port)


@contextmanager
def _proxy(
    far_port: int, directory: Path, *, tls: str = "off", delay_s: float = 0.0
) -> Iterator[Target]:
    asked = json.dumps({"backend_port": far_port, "tls": tls, "delay_s": delay_s})
    log = directory / f"proxy-{tls}-{delay_s}.log"
    with running("harness.bench.relay_process", [asked], log) as hello:
        context = None
        if hello["certificate"]:
            context = ssl.create_default_context(cadata=hello["certificate"])
        yield Target(port=hello["port"], pid=hello["pid"], tls=context, delay_s=delay_s)


@contextmanager
def _haproxy(far_port: int, directory: Path) -> Iterator[Target]:
    port, settings = _free_port(), directory / "haproxy.cfg"
    settings.write_text(_HAPROXY_SETTINGS.format(port=port, far_port=far_port))
    with _kept(["haproxy", "-db", "-f", str(settings)], port, directory) as pid:
        yield Target(port=port, pid=pid)


@contextmanager
def _socat(far_port: int, directory: Path) -> Iterator[Target]:
    port = _free_port()
    listen = f"TCP4-LISTEN:{port},bind={_HOST},reuseaddr,backlog=1024,nodelay,fork"
    command = ["socat", "-b", "65536", listen, f"TCP4:{_HOST}:{far_port},nodelay"]
    with _kept(command, port, directory):
        yield Target(port=port)  # a process a connection: no one process's memory tells anything


DIRECT, PROXY, LATENCY, TLS, HAPROXY, SOCAT = (
    "direct",
    "proxy",
    "proxy, latency",
    "proxy, TLS",
    "HAProxy",
    "socat",
)
OPENERS: dict[str, Opener] = {
    DIRECT: _direct,
    PROXY: _proxy,
    LATENCY: partial(_proxy, delay_s=DELAY_S),
    TLS: partial(_proxy, tls="terminate"),
    HAPROXY: _haproxy,
    SOCAT: _socat,
}


@contextmanager
def open_contenders(
    far_port: int, directory: Path
) -> Iterator[tuple[dict[str, Target], dict[str, str]]]:
    """All contenders that this machine has, by name, and why the others are missing."""
    targets, missing = dict[str, Target](), dict[str, str]()
    with ExitStack() as stack:
        for name, opener in OPENERS.items():
            try:
                targets[name] = stack.enter_context(opener(far_port, directory))
            except SetupError as error:
                if name not in FOREIGN:
                    raise
                missing[name] = str(error)
        yield targets, missing


@contextmanager
def _kept(command: list[str], port: int, directory: Path) -> Iterator[int]:
    """Another project's program, once it serves: its process id."""
    name = command[0]
    if shutil.which(name) is None:
        raise SetupError(f"{name} is not installed")
    log = directory / f"{name}.log"
    with running("harness.bench.keeper", command, log) as hello:
        _until_it_serves(name, port, log)
        yield hello["pid"]


def _until_it_serves(name: str, port: int, log: Path) -> None:
    give_up = time.monotonic() + SERVES_LIMIT_S
    while True:
        try:
            socket.create_connection((_HOST, port), timeout=1.0).close()
        except OSError:
            if time.monotonic() > give_up:
                raise SetupError(f"{name} doesn't serve: {last_line(log)}") from None
            time.sleep(0.01)
        else:
            return


def _free_port() -> int:
    with socket.socket() as sock:
        sock.bind((_HOST, 0))
        port: int = sock.getsockname()[1]
        return port


FOREIGN = frozenset({HAPROXY, SOCAT})
"""Contenders of other projects, which need not be there."""

_HAPROXY_SETTINGS = """\
global
    maxconn 4000
    nbthread 1

defaults
    mode tcp
    option splice-auto
    timeout connect 10s
    timeout client 1h
    timeout server 1h

listen bench
    bind 127.0.0.1:{port}
    server far_end 127.0.0.1:{far_port}
"""
