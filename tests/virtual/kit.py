"""A virtual world for tests: a network, an asyncio loop, servers, and a trace of what happened."""

from __future__ import annotations

import gc
import ssl
import struct
from collections.abc import AsyncIterator, Awaitable, Callable
from contextlib import asynccontextmanager
from dataclasses import dataclass, field
from pathlib import Path
from socket import SO_LINGER, SOL_SOCKET
from typing import Any

import trio
import trustme

from harness.fabric import open_tasks
from harness.fabric.virtual.aio import Bridge, open_asyncio
from harness.fabric.virtual.fabric import VirtualFabric
from harness.fabric.virtual.network import Network

HOST = "127.0.0.1"


@dataclass(frozen=True)
class Authority:
    """A CA and a server certificate in files: the same bytes in every process that reads them."""

    place: Path

    @classmethod
    def made(cls, place: Path) -> Authority:
        ca = trustme.CA(key_type=trustme.KeyType.RSA)  # signatures of one length
        server = ca.issue_cert("localhost", HOST, key_type=trustme.KeyType.RSA)
        ca.cert_pem.write_to_path(place / "ca.pem")
        server.private_key_and_cert_chain_pem.write_to_path(place / "server.pem")
        return cls(place)

    def server(self) -> ssl.SSLContext:
        context = ssl.SSLContext(ssl.PROTOCOL_TLS_SERVER)
        context.load_cert_chain(self.place / "server.pem")
        return context

    def client(self) -> ssl.SSLContext:
        return ssl.create_default_context(cafile=str(self.place / "ca.pem"))


@dataclass
class World:
    """What a test needs; ``trace`` holds (instant, what happened)."""

    network: Network
    bridge: Bridge
    trace: list[tuple[float, str]] = field(default_factory=list)
    streams: list[trio.SocketStream] = field(default_factory=list)

    def note(self, what: str) -> None:
        self.trace.append((self.network.now, what))

    @asynccontextmanager
    async def serving(
        self,
        serve: Callable[[trio.abc.Stream], Awaitable[None]],
        tls: ssl.SSLContext | None = None,
    ) -> AsyncIterator[int]:
        """The port of a server; its connections are counted in the trace."""

        async def one(raw: trio.SocketStream) -> None:
            self.note("accepted")
            self.streams.append(raw)
            stream: trio.abc.Stream = raw
            if tls is not None:
                stream = trio.SSLStream(raw, tls, server_side=True)
            try:
                async with stream:
                    await serve(stream)
                self.note("served")
            except (trio.BrokenResourceError, trio.ClosedResourceError, OSError, EOFError):
                self.note("broken")

        async with open_tasks() as tasks:
            listeners = await trio.open_tcp_listeners(0, host=HOST)
            tasks.start_soon(trio.serve_listeners, one, listeners)
            yield listeners[0].socket.getsockname()[1]

    def accepted(self) -> int:
        return sum(what == "accepted" for _, what in self.trace)

    def reset_all(self) -> None:
        """Every accepted connection dies by RST."""
        for stream in self.streams:
            if stream.socket.fileno() != -1:
                stream.socket.setsockopt(SOL_SOCKET, SO_LINGER, struct.pack("ii", 1, 0))
                stream.socket.close()


class _Guard:
    def __init__(self) -> None:
        self.scope = trio.CancelScope()
        self.why = ""
        self.over = False

    def stuck(self, why: str) -> None:
        if self.over:
            return  # trio itself waits for nothing that is on the network when it shuts down
        self.why = why
        self.scope.cancel()

    def turned(self) -> None:
        pass


def virtually(main: Callable[[World], Awaitable[Any]], *, seed: int = 0) -> Any:
    """What ``main`` returns, run in virtual time; a deadlock is an AssertionError."""
    fabric = VirtualFabric(seed=seed)
    guard = _Guard()

    async def whole() -> Any:
        with guard.scope:
            async with fabric.running(), open_asyncio(fabric.network) as bridge:
                result = await main(World(fabric.network, bridge))
        guard.over = True
        return None if guard.why else result

    result = fabric.run(whole, guard)
    assert not guard.why, guard.why
    gc.collect()  # a library may leave a socket to the collector if it is cancelled
    assert not fabric.network.sockets(), "sockets were left behind"
    return result
