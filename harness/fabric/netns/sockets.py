"""Sockets on the hosts of a layout: which host a piece of the program is on, and its sockets."""

from __future__ import annotations

import socket
from collections.abc import Iterator
from contextlib import contextmanager
from contextvars import ContextVar
from functools import partial
from typing import Any

import trio

from harness.fabric.loopback import SocketPort, SocketWire
from harness.fabric.netns.backlog import Crowd, listen_drops
from harness.fabric.netns.entering import outside
from harness.fabric.netns.namespaces import Namespaces

_host: ContextVar[str] = ContextVar("host", default="")


@contextmanager
def on_host(host: str) -> Iterator[None]:
    """What the block opens through trio's API, and the tasks it begins, is on this host."""
    token = _host.set(host)
    try:
        yield
    finally:
        _host.reset(token)


class HostSockets(trio.abc.SocketFactory):
    """Makes sockets on the host that the running task is on; on this machine if on none.

    With ``reaches_out`` those of no host are in the machine's own network, where a server of the
    user's is, also where this process has left it for a user namespace.
    """

    def __init__(self, spaces: Namespaces, *, reaches_out: bool) -> None:
        self._spaces = spaces
        self._reaches_out = reaches_out

    def plain(self, family: int, kind: int, proto: int) -> socket.socket:
        """A socket of the standard library's."""
        host = _host.get()
        if not host and self._reaches_out:
            return outside(partial(socket.socket, family, kind, proto))
        if not host:
            return socket.socket(family, kind, proto)
        return self._spaces.socket(host, family, kind, proto)

    def socket(
        self,
        family: int = socket.AF_INET,
        type: int = socket.SOCK_STREAM,  # noqa: A002 - trio's name for it
        proto: int = 0,
    ) -> trio.socket.SocketType:
        """A socket of trio's."""
        return trio.socket.from_stdlib_socket(self.plain(family, type, proto))


class HostPort(SocketPort):
    """A listening socket of a host, whose queue can be full."""

    def __init__(self, spaces: Namespaces, namespace: str, host: str, port: int) -> None:
        self._spaces = spaces
        self._namespace = namespace
        self._crowd = Crowd()
        self._made = partial(spaces.socket, namespace)
        super().__init__(host, port, self._made)

    def accept(self) -> SocketWire:
        """The next connection, but none of those that filled the queue."""
        sock, address = self._crowd.accept(self._sock)
        return SocketWire(sock, address[1])

    def listen(self) -> None:
        """Listen (again); who filled the queue is gone."""
        self._crowd.leave()
        super().listen()

    def crowd(self) -> None:
        """Fill the queue of those who wait to be accepted."""
        self._crowd.fill(self._sock, self._made)

    def turned_away(self) -> int:
        """Packets of connects that the host dropped because a queue was full."""
        with self._spaces.inside(self._namespace):
            return listen_drops()

    def close(self) -> None:
        """Give the port back."""
        self._crowd.leave()
        super().close()


class OutsideNames(trio.abc.HostnameResolver):
    """Looks up names in the machine's own network, also where this process has left it."""

    async def getaddrinfo(self, *args: Any, **kwargs: Any) -> Any:
        """The addresses of a name, as ``socket.getaddrinfo`` gives them."""
        lookup = partial(socket.getaddrinfo, *args, **kwargs)
        return await trio.to_thread.run_sync(outside, lookup, abandon_on_cancel=True)

    async def getnameinfo(self, *args: Any) -> Any:
        """The name of an address, as ``socket.getnameinfo`` gives it."""
        lookup = partial(socket.getnameinfo, *args)
        return await trio.to_thread.run_sync(outside, lookup, abandon_on_cancel=True)
