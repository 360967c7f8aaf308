"""The netns fabric with the real proxy between raw peers: what a run has, without its workload."""

from __future__ import annotations

from contextlib import AsyncExitStack, asynccontextmanager
from pathlib import Path

import pytest
import trio
from raw import PATIENCE_S, Peer, Server, until
from watching import observers

from harness.fabric.netns.access import probe
from harness.fabric.netns.entering import can_make
from harness.fabric.netns.fabric import NetnsFabric
from harness.history import FaultFired
from harness.proxy import Address, ProxySettings, open_proxy
from harness.scenario import Topology

CLIENT, FRONT, BACK = ("client-1", "eth0"), ("proxy", "front"), ("proxy", "back")
BLUE = ("backend-blue", "eth0")
_CONFINED = "python tests/root/confined.py tests/root"


def why_not() -> str:
    """Why there are no namespaces in this process, or empty."""
    access = probe()
    if not access.way:
        return f"needs network namespaces: {access.reason}; {access.advice}"
    if not can_make():
        return f"needs network namespaces, which takes root or a user namespace: {_CONFINED}"
    return "" if access.tun else "needs network namespaces with /dev/net/tun"


class Lab:
    """Hosts, a proxy, and observers of wires."""

    def __init__(self, fabric, proxy, servers, watched, events) -> None:
        self.fabric = fabric
        self.proxy = proxy
        self.servers = servers
        self.events = events
        self.client, *self.others = watched  # observers, that of the first client before all
        self._peers: list[Peer] = []

    @property
    def server(self) -> Server:
        return next(iter(self.servers.values()))

    @property
    def target(self) -> tuple[str, int]:
        """Where clients dial."""
        return self.proxy.port.host, self.proxy.port.number

    def socket(self, host: str = "client-1", **options: int) -> trio.socket.SocketType:
        """A socket on a host, with options of TCP."""
        with self.fabric.at(host):
            sock = trio.socket.socket()
        self._peers.append(Peer(sock))
        for name, value in options.items():
            sock.setsockopt(trio.socket.IPPROTO_TCP, getattr(trio.socket, name), value)
        return sock

    async def dial(self, host: str = "client-1", **options: int) -> Peer:
        sock = self.socket(host, **options)
        with trio.fail_after(PATIENCE_S):
            await sock.connect(self.target)
        return self._peers[-1]

    async def pair(self, **options: int) -> tuple[Peer, Peer]:
        """A client and the server's end of its connection, both known to work."""
        client = await self.dial(**options)
        server = await self.server.accept()
        await exchange(client, server)
        return client, server

    def count(self, host: str, protocol: str, name: str) -> int:
        """A counter of a host's kernel, such as ("Tcp", "InCsumErrors")."""
        total = 0
        with self.fabric.inside(host):
            for file in ("snmp", "netstat"):
                lines = Path(f"/proc/thread-self/net/{file}").read_text().splitlines()
                rows = [line.split()[1:] for line in lines if line.startswith(f"{protocol}:")]
                total += sum(int(dict(zip(*rows, strict=True)).get(name, 0)) for _ in rows[:1])
        return total

    def means(self, name: str) -> str:
        """What performs a fault of this name."""
        return next(c.means for c in self.proxy.injector.charges if c.spec.name == name)

    async def fired(self) -> list[FaultFired]:
        """What was told of faults that struck, once there is any."""
        await until(lambda: any(isinstance(event, FaultFired) for event in self.events))
        return [event for event in self.events if isinstance(event, FaultFired)]

    def look(self) -> None:
        """Let observers read, so that none overflows."""
        for observer in (self.client, *self.others):
            assert observer.seen is not None

    def close(self) -> None:
        for peer in self._peers:
            peer.close()


async def exchange(client: Peer, server: Peer, request: bytes = b"?", reply: bytes = b"!") -> None:
    """One question and its answer."""
    await client.send(request)
    assert await server.read(len(request)) == request
    await server.send(reply)
    assert await client.read(len(reply)) == reply


@asynccontextmanager
async def lab(*specs, watch=(FRONT,), topology=None, backends=("blue",), capture=None, **settings):
    """A proxy with these faults on a fabric of its own; the client's wire is always watched."""
    if reason := why_not():
        pytest.skip(reason)
    fabric = NetnsFabric(topology or Topology(), backends, probe(), capture=capture)
    events = []
    async with AsyncExitStack() as stack:
        await stack.enter_async_context(fabric.running())
        servers = {name: await _listening(fabric, f"backend-{name}") for name in backends}
        for server in servers.values():
            stack.callback(server.close)
        addresses = {
            name: Address(fabric.address_of(f"backend-{name}"), server.port)
            for name, server in servers.items()
        }
        made = ProxySettings(backends=addresses, host=fabric.address_of("proxy"), **settings)
        watched = stack.enter_context(observers(fabric, CLIENT, *watch))
        opened = open_proxy(made, fabric, on_event=events.append)
        proxy = await stack.enter_async_context(opened)
        result = Lab(fabric, proxy, servers, watched, events)
        stack.callback(result.close)
        stack.callback(result.look)
        proxy.arm(list(specs))
        yield result


async def _listening(fabric, host: str) -> Server:
    with fabric.at(host):
        sock = trio.socket.socket()
    await sock.bind((fabric.address_of(host), 0))
    sock.listen(1024)
    return Server(sock)
