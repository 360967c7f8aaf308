"""trio's socket API over simulated sockets, so that programs on trio need no line of their own.

A call gives way to other tasks as often as trio's own sockets do: once if it need not wait, by
the wait itself if it must. What is cancelled at its n-th checkpoint on real sockets is cancelled
at the same place here.
"""

from __future__ import annotations

import errno
import os
import socket as names
from collections.abc import Awaitable, Callable
from typing import Any, NoReturn, Self, TypeVar

import trio

from harness.fabric.virtual.network import Network
from harness.fabric.virtual.readiness import Readiness
from harness.fabric.virtual.socket import Socket

T = TypeVar("T")

LOCAL_NAMES = frozenset({"localhost", "localhost."})
BACKLOG = 128


class VirtualSocketFactory(trio.abc.SocketFactory):
    """Makes simulated sockets wherever trio would make real ones."""

    def __init__(self, network: Network) -> None:
        self._network = network

    def socket(
        self,
        family: int = names.AF_INET,
        type: int = names.SOCK_STREAM,  # noqa: A002 - trio's name for it
        proto: int = 0,
    ) -> trio.socket.SocketType:
        """A TCP socket of the network; OSError for what it hasn't got, such as UDP."""
        if family not in {names.AF_INET, names.AF_INET6} or type != names.SOCK_STREAM:
            raise OSError(errno.EAFNOSUPPORT, "the virtual network has TCP only")
        return VirtualSocket(Socket(self._network, family), family, proto)


class VirtualResolver(trio.abc.HostnameResolver):
    """Knows literal addresses and localhost, like a host with no name server."""

    async def getaddrinfo(
        self,
        host: bytes | None,
        port: bytes | str | int | None,
        family: int = 0,
        type: int = 0,  # noqa: A002 - trio's name for it
        proto: int = 0,
        flags: int = 0,
    ) -> list[tuple[Any, Any, int, str, Any]]:
        """The address of localhost; gaierror for any other name."""
        await trio.lowlevel.checkpoint()
        name = (host or b"localhost").decode("ascii", "replace").lower()
        if name not in LOCAL_NAMES or family not in {0, names.AF_INET}:
            raise names.gaierror(names.EAI_NONAME, f"the virtual network has no host {name!r}")
        return names.getaddrinfo(
            "127.0.0.1", port, names.AF_INET, type, proto, flags | names.AI_NUMERICHOST
        )

    async def getnameinfo(
        self,
        sockaddr: tuple[str, int] | tuple[str, int, int, int],
        flags: int,  # noqa: ARG002 - trio's signature
    ) -> tuple[str, str]:
        """The address itself, as text."""
        await trio.lowlevel.checkpoint()
        return sockaddr[0], str(sockaddr[1])


class VirtualSocket(trio.socket.SocketType):
    """A simulated TCP socket with the methods of ``trio.socket``."""

    def __init__(self, inner: Socket, family: int, proto: int = 0) -> None:
        self._inner = inner
        self._readiness = Readiness(inner)
        self._family = names.AddressFamily(family)
        self._proto = proto
        self._has_shut = False

    # --- what it is -------------------------------------------------------------------------

    @property
    def family(self) -> names.AddressFamily:
        """AF_INET or AF_INET6."""
        return self._family

    @property
    def type(self) -> names.SocketKind:
        """Always a stream."""
        return names.SOCK_STREAM

    @property
    def proto(self) -> int:
        """As asked for."""
        return self._proto

    @property
    def did_shutdown_SHUT_WR(self) -> bool:  # noqa: N802 - trio's name for it
        """Whether FIN was asked for."""
        return self._has_shut

    def __repr__(self) -> str:
        return f"<virtual socket {self._inner!r}>"

    def fileno(self) -> int:
        """A number no descriptor has; -1 once closed."""
        return self._inner.fileno()

    def getsockname(self) -> Any:
        """Our address."""
        return self._as_address(self._inner.getsockname())

    def getpeername(self) -> Any:
        """Theirs."""
        return self._as_address(self._inner.getpeername())

    def getsockopt(self, level: int, optname: int, buflen: int | None = None) -> Any:
        """An option's value."""
        return self._inner.getsockopt(level, optname, buflen or 0)

    def setsockopt(self, level: int, optname: int, value: Any, optlen: int | None = None) -> None:
        """Set an option."""
        self._inner.setsockopt(level, optname, b"\0" * (optlen or 0) if value is None else value)

    def get_inheritable(self) -> bool:
        """Never: no process can inherit it."""
        return False

    def set_inheritable(self, inheritable: bool) -> None:
        """Accepted, and of no effect."""

    def is_readable(self) -> bool:
        """Whether a receive would not wait now."""
        return self._inner.readable

    async def wait_writable(self) -> None:
        """Wait until bytes can be sent."""
        await self._readiness.writable()

    def detach(self) -> NoReturn:
        """Not possible: there is no descriptor to hand over."""
        raise _unsupported("detach")

    def dup(self) -> NoReturn:
        """Not possible: there is no descriptor to copy."""
        raise _unsupported("dup")

    # --- its life ---------------------------------------------------------------------------

    async def bind(self, address: Any) -> None:
        """Take a local address."""
        place = await self._resolved(address)
        await trio.lowlevel.checkpoint()
        self._inner.bind(place)

    def listen(self, backlog: int = BACKLOG) -> None:
        """Accept connections from now on."""
        self._inner.listen(backlog)

    async def accept(self) -> tuple[trio.socket.SocketType, Any]:
        """The next connection and where it comes from."""
        inner, address = await self._when(self._readiness.readable, self._inner.accept)
        return VirtualSocket(inner, self._family), self._as_address(address)

    async def connect(self, address: Any) -> None:
        """Connect; if cancelled meanwhile the socket is closed, as trio does."""
        try:
            place = await self._resolved(address)
            await trio.lowlevel.checkpoint_if_cancelled()
            try:
                self._inner.connect(place)
            except BlockingIOError:
                await self._readiness.writable()
            else:
                await trio.lowlevel.cancel_shielded_checkpoint()
        except trio.Cancelled:
            self.close()
            raise
        failure = self._inner.getsockopt(names.SOL_SOCKET, names.SO_ERROR)
        if failure:
            assert isinstance(failure, int)
            raise OSError(failure, f"can't connect to {address!r}: {os.strerror(failure)}")

    def shutdown(self, how: int) -> None:
        """End one direction or both."""
        self._inner.shutdown(how)
        if how in {names.SHUT_WR, names.SHUT_RDWR}:
            self._has_shut = True

    def close(self) -> None:
        """Close; who waits on it has ClosedResourceError."""
        self._inner.close()

    def __enter__(self) -> Self:
        return self

    def __exit__(self, *_: object) -> None:
        self.close()

    # --- bytes ------------------------------------------------------------------------------

    async def recv(self, buflen: int, flags: int = 0) -> bytes:
        """Bytes, or nothing after FIN."""
        return await self._when(self._readiness.readable, self._inner.recv, buflen, flags)

    async def recv_into(self, buffer: Any, nbytes: int = 0, flags: int = 0) -> int:
        """How many bytes were put into the buffer."""
        return await self._when(
            self._readiness.readable, self._inner.recv_into, buffer, nbytes, flags
        )

    async def recvfrom(self, bufsize: int, flags: int = 0) -> tuple[bytes, Any]:
        """Bytes, and no address: TCP has but one peer."""
        return await self.recv(bufsize, flags), None

    async def send(self, bytes: Any, flags: int = 0) -> int:  # noqa: A002 - trio's name for it
        """How many bytes were taken."""
        return await self._when(self._readiness.writable, self._inner.send, bytes, flags)

    async def _when(
        self, ready: Callable[[], Awaitable[None]], call: Callable[..., T], *args: Any
    ) -> T:
        """What the call returns, as soon as it need not block."""
        await trio.lowlevel.checkpoint_if_cancelled()
        try:
            done = call(*args)
        except BlockingIOError:
            pass
        else:
            await trio.lowlevel.cancel_shielded_checkpoint()
            return done
        while True:
            await ready()
            try:
                return call(*args)
            except BlockingIOError:
                continue

    # --- addresses --------------------------------------------------------------------------

    async def _resolved(self, address: Any) -> tuple[str, int]:
        host, port = address[:2]
        if host in LOCAL_NAMES:
            host = "127.0.0.1" if self._family == names.AF_INET else "::1"
        try:
            names.inet_pton(self._family, host)
        except OSError:
            found = await trio.socket.getaddrinfo(host, port, self._family, names.SOCK_STREAM)
            host, port = found[0][-1][:2]
        return str(host), int(port)

    def _as_address(self, address: tuple[str, int]) -> Any:
        return address if self._family == names.AF_INET else (*address, 0, 0)


def _unsupported(what: str) -> OSError:
    return OSError(errno.EOPNOTSUPP, f"a simulated socket has no descriptor for {what}()")
