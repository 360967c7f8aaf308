"""What a client left open when it was closed: how many descriptors, sockets among them."""

from __future__ import annotations

import sys
from collections.abc import Callable
from dataclasses import dataclass

import trio

from harness.clients import Client, OpenFiles, ProcessClient, connections_to, open_files
from harness.fabric import Fabric
from harness.history import Event, Leaked
from harness.proxy import Proxy
from harness.runner.party import members_of
from harness.runner.wire import Wire

SETTLE_LIMIT_S = 1.0
"""How long connections may take to be gone after the client was closed."""
SETTLE_POLL_S = 0.01


@dataclass(frozen=True, slots=True)
class Remains:
    """What is open more than before: sockets, or other files; 0 where nobody can tell."""

    sockets: int = 0
    descriptors: int = 0

    def __bool__(self) -> bool:
        return self.sockets > 0 or self.descriptors > 0


class Census:
    """Counts what a client has open, where it runs, from outside; the first count is the zero."""

    def __init__(self, client: Client, fabric: Fabric, proxy_port: int) -> None:
        members = members_of(client)
        self._processes = tuple(c for c in members if isinstance(c, ProcessClient))
        self._fabric = fabric
        self._proxy_port = proxy_port
        self._before = self._count()

    @property
    def sees_sockets(self) -> bool:
        """Whether it tells sockets from other files, so that nobody else need be believed."""
        return bool(self._processes) and sys.platform == "linux"

    def remains(self) -> Remains:
        """What is open more than before."""
        now = self._count()
        return Remains(
            max(0, now.sockets - self._before.sockets), max(0, now.others - self._before.others)
        )

    def _count(self) -> OpenFiles:
        if not self._processes:
            return OpenFiles(0, self._fabric.open_descriptors())
        counts = [self._count_of(process) for process in self._processes]
        return OpenFiles(sum(c.sockets for c in counts), sum(c.others for c in counts))

    def _count_of(self, process: ProcessClient) -> OpenFiles:
        if process.launch.is_python:
            return open_files(process.pid)
        return connections_to(process.pid, self._proxy_port)


async def look_for_leaks(
    census: Census,
    wire: Wire,
    proxy: Proxy,
    tell: Callable[[Event], None],
    at_s: Callable[[], float],
) -> None:
    """Wait until what the client had open is gone, and tell what is not."""

    def leaked(what: str, count: int, detail: str) -> None:
        tell(Leaked(at_s=at_s(), what=what, count=count, detail=detail))

    await _settle(census, wire, proxy)
    if wire.lost:
        leaked("sockets", wire.lost, "closed by nobody but the garbage collector")
    remains = census.remains()
    sockets = remains.sockets if census.sees_sockets else len(wire.open_ports)
    if sockets:
        leaked("sockets", sockets, "client sockets that are still open")
    elif remains.descriptors and not proxy.open_connections:
        leaked("descriptors", remains.descriptors, "open files that were not open before")


async def _settle(census: Census, wire: Wire, proxy: Proxy) -> None:
    """Give connections and descriptors a while to be gone."""
    give_up = trio.current_time() + SETTLE_LIMIT_S
    while trio.current_time() < give_up:
        if not wire.open_ports and not proxy.open_connections and not census.remains():
            return
        await trio.sleep(SETTLE_POLL_S)
