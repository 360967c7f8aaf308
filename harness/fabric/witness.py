"""A witness of what client sockets do, which shares no code with the proxy.

trio lets a run replace the factory of its sockets. Here every socket made through trio's own API
is wrapped: what connects is a client, so each attempt (refused ones included, which no proxy ever
sees) and each close is told. The proxy's sockets don't come from this factory.
"""

from __future__ import annotations

import errno
import operator
import os
import socket
from collections.abc import Callable, Iterator
from contextlib import contextmanager, suppress
from typing import Any, Self, TypeAlias

import trio

from harness.fabric._base import OnClosed, OnDialed, OnLost, dial_outcome

MakeSocket: TypeAlias = Callable[[int, int, int], socket.socket]
"""Makes a socket of a family, a type and a protocol."""


@contextmanager
def watch_clients(
    on_dialed: OnDialed,
    on_closed: OnClosed,
    on_lost: OnLost,
    make: MakeSocket = socket.socket,
) -> Iterator[None]:
    """Watch every socket that connects through trio's API while the block runs."""
    factory = _Factory(on_dialed, on_closed, on_lost, make)
    before = trio.socket.set_custom_socket_factory(factory)
    try:
        yield
    finally:
        factory.telling = False
        trio.socket.set_custom_socket_factory(before)


class _Factory(trio.abc.SocketFactory):
    def __init__(
        self, on_dialed: OnDialed, on_closed: OnClosed, on_lost: OnLost, make: MakeSocket
    ) -> None:
        self._make = make
        self.on_dialed = on_dialed
        self.on_closed = on_closed
        self.on_lost = on_lost
        self.telling = True

    def socket(
        self,
        family: int = socket.AF_INET,
        type: int = socket.SOCK_STREAM,  # noqa: A002 - trio's name for it
        proto: int = 0,
    ) -> trio.socket.SocketType:
        """A socket of the kernel's, watched."""
        plain = self._make(family, type, proto)
        return WatchedSocket(trio.socket.from_stdlib_socket(plain), self)


class WatchedSocket(trio.socket.SocketType):
    """Does what the socket inside does, and tells of connecting and closing."""

    def __init__(self, inner: trio.socket.SocketType, factory: _Factory) -> None:
        self._inner = inner
        self._factory = factory
        self._connected_port = 0

    async def connect(self, address: Any) -> None:
        """Connect, and tell how it went."""
        began = trio.current_time()
        outcome = "cancelled"
        try:
            await self._inner.connect(address)
            outcome = "ok"
        except OSError as error:
            outcome = dial_outcome(error.errno or errno.EIO)
            raise
        finally:
            self._tell_dialed(outcome, began)

    def _tell_dialed(self, outcome: str, began: float) -> None:
        if not self._factory.telling:
            return
        port = 0
        if outcome == "ok":
            port = self._connected_port = self._inner.getsockname()[1]
        self._factory.on_dialed(port, outcome, began)

    def close(self) -> None:
        """Close, and tell it."""
        port, self._connected_port = self._connected_port, 0
        self._inner.close()
        if port and self._factory.telling:
            self._factory.on_closed(port)

    def __enter__(self) -> Self:
        return self

    def __exit__(self, *_: object) -> None:
        self.close()

    def detach(self) -> int:
        """The bare descriptor, which is watched no more."""
        self._connected_port = 0
        return self._inner.detach()

    def __del__(self) -> None:
        # Nobody closed it, and another interpreter would keep it open for who knows how long.
        port = getattr(self, "_connected_port", 0)
        if port:
            with suppress(OSError):
                os.close(self.detach())  # trio's own close needs a run, which may be over
            if self._factory.telling:
                self._factory.on_lost(port)


def _delegate(name: str) -> Any:
    def method(self: WatchedSocket, *args: Any, **kwargs: Any) -> Any:
        return getattr(self._inner, name)(*args, **kwargs)

    method.__name__ = name
    method.__doc__ = f"``{name}`` of the socket inside."
    return method


for _name in dir(trio.socket.SocketType):
    if _name.startswith("_") or _name in vars(WatchedSocket):
        continue
    if isinstance(getattr(trio.socket.SocketType, _name), property):
        setattr(WatchedSocket, _name, property(operator.attrgetter(f"_inner.{_name}")))
    else:
        setattr(WatchedSocket, _name, _delegate(_name))
