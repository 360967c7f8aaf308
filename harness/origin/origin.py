"""The servers behind the proxy: one listener a backend, and the ledger of what they executed."""

from __future__ import annotations

import ssl
from collections.abc import AsyncIterator, Callable, Mapping, Sequence
from contextlib import asynccontextmanager, nullcontext
from dataclasses import dataclass, field
from functools import partial
from types import MappingProxyType

import trio

from harness.errors import SetupError
from harness.fabric import Fabric, open_tasks
from harness.history import Event, Executed
from harness.origin.echo import EchoServer
from harness.origin.http import HttpServer, Meeting

BACKLOG = 1024
LOOPBACK = "127.0.0.1"


@dataclass(frozen=True, slots=True)
class Origin:
    """Running backends: where each listens, as (host, port), and who clients are there."""

    addresses: Mapping[str, tuple[str, int]]
    user: str = ""
    password: str = field(default="", repr=False)
    database: str = ""


@asynccontextmanager
async def open_origin(
    backends: Sequence[str],
    *,
    serve: str = "http",
    tls: ssl.SSLContext | None = None,
    keep_alive_s: float | None = None,
    on_event: Callable[[Event], None] = lambda _: None,
    zero: Callable[[], float] | None = None,
    fabric: Fabric | None = None,
) -> AsyncIterator[Origin]:
    """One server for each name, on its host of the fabric (else on loopback), inside the block.

    Every execution is told to ``on_event`` as ``Executed``. Raises SetupError if a port can't
    be had. ``zero`` tells the instant that event times count from: the block's begin, if not given.
    """
    begun = trio.current_time()
    async with open_tasks() as tasks:
        addresses = {}
        meeting = Meeting()
        for name in backends:
            listeners = await _listen(fabric, name)
            addresses[name] = listeners[0].socket.getsockname()[:2]
            execute = partial(_execute, on_event, zero or (lambda: begun), name)
            server = (
                EchoServer(execute)
                if serve == "echo"
                else HttpServer(execute, meeting, keep_alive_s)
            )
            tasks.start_soon(partial(trio.serve_listeners, partial(_serve, server, tls), listeners))
        yield Origin(MappingProxyType(addresses))


async def _listen(fabric: Fabric | None, backend: str) -> list[trio.SocketListener]:
    host = f"backend-{backend}"
    address = LOOPBACK if fabric is None else fabric.address_of(host)
    try:
        with nullcontext() if fabric is None else fabric.at(host):
            return await trio.open_tcp_listeners(0, host=address, backlog=BACKLOG)
    except OSError as error:
        raise SetupError(f"can't listen on {address}: {error.strerror or error}") from error


def _execute(
    on_event: Callable[[Event], None],
    zero: Callable[[], float],
    backend: str,
    nonce: str,
    unsafe: bool,
) -> None:
    now = trio.current_time() - zero()
    on_event(Executed(at_s=now, nonce=nonce, backend=backend, unsafe=unsafe))


async def _serve(
    server: EchoServer | HttpServer, tls: ssl.SSLContext | None, stream: trio.SocketStream
) -> None:
    end: trio.abc.Stream = stream
    if tls is not None:
        # Not https_compatible: that would skip close_notify, and every end look like a truncation.
        end = trio.SSLStream(stream, tls, server_side=True)
    try:
        async with end:
            await server.serve(end)
    except (trio.BrokenResourceError, trio.ClosedResourceError, OSError):
        pass  # the other side is gone, which is what this project is about
