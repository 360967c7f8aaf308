"""Raw TCP around a proxy: peers that tell FIN from RST, scripted servers, and what was told."""

from __future__ import annotations

import socket
import ssl
import struct
from collections.abc import Callable
from contextlib import asynccontextmanager, suppress
from functools import partial
from typing import Any

import trio

from harness.fabric import LoopbackFabric, open_tasks
from harness.faults import FaultSpec, all_faults
from harness.history import Event
from harness.proxy import Address, Authority, Proxy, ProxySettings, open_proxy
from harness.trigger import Trigger, parse_ordinals

PATIENCE_S = 20.0
"""No condition that a test waits for takes so long, unless something is broken."""
FIN, RST = "FIN", "RST"


def when(**conditions: Any) -> Trigger:
    for name in ("connection", "request", "response"):
        if name in conditions:
            conditions[name] = parse_ordinals(conditions[name])
    return Trigger(**conditions)


def fault(name: str, trigger: Trigger = Trigger(), **fields: Any) -> FaultSpec:  # noqa: B008
    scopes = {key: fields.pop(key) for key in ("direction", "side") if key in fields}
    return FaultSpec(all_faults()[name](**fields), trigger, **scopes)


class Peer:
    """One end of a TCP connection, spoken to directly."""

    def __init__(self, sock: trio.socket.SocketType) -> None:
        self.sock = sock

    @classmethod
    async def connect(cls, port: int, **options: int) -> Peer:
        sock = trio.socket.socket()
        for name, value in options.items():
            sock.setsockopt(socket.SOL_SOCKET, getattr(socket, name), value)
        try:
            with trio.fail_after(PATIENCE_S):
                await sock.connect(("127.0.0.1", port))
        except BaseException:
            sock.close()
            raise
        return cls(sock)

    async def send(self, payload: bytes) -> Peer:
        view = memoryview(payload)
        with trio.fail_after(PATIENCE_S):
            while view:
                view = view[await self.sock.send(view) :]
        return self

    async def read(self, count: int) -> bytes:
        """Exactly so many bytes."""
        parts = bytearray()
        with trio.fail_after(PATIENCE_S):
            while len(parts) < count:
                chunk = await self.sock.recv(min(count - len(parts), 1 << 16))
                assert chunk, f"FIN after {bytes(parts)!r}"
                parts += chunk
        return bytes(parts)

    async def rest(self) -> tuple[bytes, str]:
        """Everything until the end, and what the end was."""
        parts = bytearray()
        with trio.fail_after(PATIENCE_S):
            while True:
                try:
                    chunk = await self.sock.recv(1 << 16)
                except ConnectionResetError:
                    return bytes(parts), RST
                if not chunk:
                    return bytes(parts), FIN
                parts += chunk

    async def silent_for(self, seconds: float) -> bool:
        with trio.move_on_after(seconds):
            await self.sock.recv(1, socket.MSG_PEEK)
            return False
        return True

    def fin(self) -> Peer:
        self.sock.shutdown(socket.SHUT_WR)
        return self

    def reset(self) -> None:
        self.sock.setsockopt(socket.SOL_SOCKET, socket.SO_LINGER, struct.pack("ii", 1, 0))
        self.sock.close()

    def close(self) -> None:
        self.sock.close()

    @property
    def port(self) -> int:
        return self.sock.getsockname()[1]


class Server:
    """A listener whose connections a test takes one after the other, in order of arrival."""

    def __init__(self, sock: trio.socket.SocketType) -> None:
        self._sock = sock
        self.port: int = sock.getsockname()[1]
        self.peers: list[Peer] = []

    async def accept(self) -> Peer:
        with trio.fail_after(PATIENCE_S):
            sock, _ = await self._sock.accept()
        self.peers.append(Peer(sock))
        return self.peers[-1]

    def close(self) -> None:
        for peer in self.peers:
            peer.close()
        self._sock.close()


async def listening(backlog: int = 4096) -> Server:
    sock = trio.socket.socket()
    await sock.bind(("127.0.0.1", 0))
    sock.listen(backlog)
    return Server(sock)


class Bench:
    """A proxy between peers, and the history it tells."""

    def __init__(self, proxy: Proxy, servers: dict[str, Server], events: list[Event]) -> None:
        self.proxy = proxy
        self.servers = servers
        self.events = events
        self.clients: list[Peer] = []
        self.authority: Authority | None = None

    @property
    def server(self) -> Server:
        return next(iter(self.servers.values()))

    async def client(self, **options: int) -> Peer:
        self.clients.append(await Peer.connect(self.proxy.port.number, **options))
        return self.clients[-1]

    async def pair(self, **options: int) -> tuple[Peer, Peer]:
        """A client and the server's end of its connection."""
        client = await self.client(**options)
        return client, await self.server.accept()

    def of(self, kind: type[Event]) -> list[Any]:
        return [event for event in self.events if isinstance(event, kind)]

    async def told(self, kind: type[Event], count: int = 1) -> list[Any]:
        await until(lambda: len(self.of(kind)) >= count)
        return self.of(kind)


@asynccontextmanager
async def bench(*specs: FaultSpec, backends: tuple[str, ...] = ("blue",), **settings: Any):
    """A proxy with these faults; every socket of the test is closed at the end."""
    fabric, events = settings.pop("fabric", None) or LoopbackFabric(), []
    servers = {name: await listening() for name in backends}
    addresses = {name: Address("127.0.0.1", server.port) for name, server in servers.items()}
    authority = settings.pop("authority", None)
    made = ProxySettings(backends=addresses, **settings)
    async with fabric.running():
        opened = open_proxy(made, fabric, authority=authority, on_event=events.append)
        async with opened as proxy:
            result = Bench(proxy, servers, events)
            try:
                proxy.arm(list(specs))
                yield result
            finally:
                for end in (*result.clients, *servers.values()):
                    end.close()


async def until(condition: Callable[[], object]) -> None:
    """Wait for a condition of which nothing else tells."""
    with trio.fail_after(PATIENCE_S):
        while not condition():  # noqa: ASYNC110 - no event tells of it
            await trio.sleep(0.002)


@asynccontextmanager
async def in_background(*jobs: Any):
    async with open_tasks() as tasks:
        for job in jobs:
            tasks.start_soon(job)
        yield


class TlsPeer:
    """TLS over a peer, from memory: it can leave out close_notify and tell if the other did."""

    def __init__(self, peer: Peer, context: ssl.SSLContext, **options: Any) -> None:
        self.peer = peer
        self._arrived, self._leaving = ssl.MemoryBIO(), ssl.MemoryBIO()
        self.tls = context.wrap_bio(self._arrived, self._leaving, **options)

    async def handshake(self) -> TlsPeer:
        await self._do(self.tls.do_handshake)
        return self

    async def send(self, payload: bytes) -> TlsPeer:
        self.tls.write(payload)
        await self._flush()
        return self

    async def read(self, count: int) -> bytes:
        parts = bytearray()
        while len(parts) < count:
            chunk = await self._do(partial(self.tls.read, count - len(parts)))
            assert chunk, f"close_notify after {bytes(parts)!r}"
            parts += chunk
        return bytes(parts)

    async def rest(self) -> tuple[bytes, str]:
        """Everything until the end; the end is close_notify, ragged FIN or RST."""
        parts = bytearray()
        while True:
            try:
                chunk = await self._do(lambda: self.tls.read(1 << 16))
                if not chunk:
                    return bytes(parts), "close_notify"
                parts += chunk
            except ssl.SSLZeroReturnError:
                return bytes(parts), "close_notify"
            except ssl.SSLEOFError:
                return bytes(parts), "ragged"
            except ConnectionResetError:
                return bytes(parts), RST

    async def farewell(self) -> None:
        """close_notify, without waiting for the other's."""
        with suppress(ssl.SSLWantReadError):
            self.tls.unwrap()
        await self._flush()

    async def _do(self, step: Callable[[], Any]) -> Any:
        with trio.fail_after(PATIENCE_S):
            while True:
                try:
                    result = step()
                except ssl.SSLWantReadError:
                    await self._flush()
                    raw = await self.peer.sock.recv(1 << 16)
                    if raw:
                        self._arrived.write(raw)
                    else:
                        self._arrived.write_eof()
                else:
                    await self._flush()
                    return result

    async def _flush(self) -> None:
        if self._leaving.pending:
            await self.peer.send(self._leaving.read())
