"""What asyncio takes for a socket: the standard library's class over a simulated socket.

It is a ``socket.socket`` that owns nothing of the operating system: the base class is never asked
to make one, so its descriptor stays -1 and every call goes to the simulator. ``isinstance`` holds
for libraries that ask, and what is dropped without being closed is closed when it is freed, as a
real one is.

``fileno()`` is a real descriptor nevertheless, because some libraries poll that of an idle
connection to learn whether its server has closed it (httpcore does): an eventfd that is readable
whenever the socket is. It carries no bytes.
"""

from __future__ import annotations

import errno
import io
import ipaddress
import os
import socket
import warnings
import weakref
from collections.abc import Callable, Iterable
from typing import TYPE_CHECKING, Any, NoReturn, Self

from harness.fabric.virtual.network import Network
from harness.fabric.virtual.socket import Socket

if TYPE_CHECKING:
    from typing_extensions import Buffer

SENDMSG_LIMIT_BYTES = 256 * 1024
"""So much of what ``sendmsg`` is given is looked at: more would not fit into a send buffer."""
LOCAL_NAMES = ("localhost", "ip6-localhost")
REAL = socket.socket
"""The class itself, whatever stands at its name while a loop runs."""


class Mirror:
    """A descriptor that polls as readable while something else is."""

    __slots__ = ("_ends", "_shown", "fd")

    def __init__(self) -> None:
        self._shown = False
        self._ends: tuple[socket.socket, ...] = ()
        if hasattr(os, "eventfd"):
            self.fd = os.eventfd(0, os.EFD_NONBLOCK | os.EFD_CLOEXEC)
        else:
            self._ends = socket.socketpair()
            self.fd = self._ends[0].fileno()

    def show(self, readable: bool) -> None:
        """Let the descriptor be readable, or not."""
        if readable == self._shown:
            return
        self._shown = readable
        if self._ends:
            if readable:
                self._ends[1].send(b"\0")
            else:
                self._ends[0].recv(1)
        elif readable:
            os.eventfd_write(self.fd, 1)
        else:
            os.eventfd_read(self.fd)

    def close(self) -> None:
        """Give the descriptor back."""
        for end in self._ends:
            end.close()
        if not self._ends:
            os.close(self.fd)


class AioSocket(REAL):
    """A non-blocking TCP socket of the virtual network under the standard library's name.

    ``keeper`` is told of its descriptor, and whenever its readiness may have changed.
    """

    def __init__(
        self,
        network: Network,
        keeper: Keeper,
        family: int = socket.AF_INET,
        under: Socket | None = None,
    ) -> None:
        # The base class's __init__ would ask the operating system for a socket.
        self._network = network
        self._keeper = keeper
        self._family = socket.AddressFamily(family)
        self._under = Socket(network, family) if under is None else under
        self._mirror: Mirror | None = None
        self._timeout_s: float | None = None
        self._under.on_change = _weakly(self)

    # --- what asyncio asks of the object --------------------------------------------------------

    @property
    def family(self) -> socket.AddressFamily:
        """IPv4 or IPv6."""
        return self._family

    @property
    def type(self) -> socket.SocketKind:
        """Always a stream."""
        return socket.SOCK_STREAM

    @property
    def proto(self) -> int:
        """Always TCP."""
        return socket.IPPROTO_TCP

    @property
    def timeout(self) -> float | None:
        """What ``settimeout`` was given."""
        return self._timeout_s

    @property
    def readable(self) -> bool:
        """Whether a read would not have to wait."""
        return self._under.readable

    @property
    def writable(self) -> bool:
        """Whether a write would not have to wait."""
        return self._under.writable

    def fileno(self) -> int:
        """A real descriptor that polls as readable when the socket is; -1 once closed."""
        if self._under.closed:
            return -1
        if self._mirror is None:
            self._mirror = Mirror()
            self._mirror.show(self._under.readable)
            self._keeper.keep(self._mirror.fd, self)
        return self._mirror.fd

    def setblocking(self, flag: bool, /) -> None:
        """Noted only: no call of this socket ever blocks."""
        self._timeout_s = None if flag else 0.0

    def settimeout(self, value: float | None, /) -> None:
        """Noted only, likewise."""
        self._timeout_s = value

    def gettimeout(self) -> float | None:
        """What was noted."""
        return self._timeout_s

    def getblocking(self) -> bool:
        """What was noted."""
        return self._timeout_s != 0.0

    # --- a connection's life --------------------------------------------------------------------

    def bind(self, address: Any, /) -> None:
        """Take an address; port 0 is any free one."""
        self._under.bind(self._plain(address))

    def listen(self, backlog: int = 128, /) -> None:
        """Let others connect."""
        self._under.listen(backlog)

    def accept(self) -> tuple[socket.socket, Any]:
        """The next connection and who dialed; BlockingIOError if none waits."""
        under, address = self._under.accept()
        self._look()
        return AioSocket(self._network, self._keeper, self._family, under), self._full(address)

    def connect(self, address: Any, /) -> None:
        """Begin to connect; BlockingIOError while it is under way."""
        self._under.connect(self._plain(address))

    def connect_ex(self, address: Any, /) -> int:
        """The same, with an errno instead of an exception."""
        try:
            self.connect(address)
        except OSError as error:
            return error.errno or errno.EIO
        return 0

    def shutdown(self, how: int, /) -> None:
        """Close one direction or both."""
        self._under.shutdown(how)
        self._look()

    def close(self) -> None:
        """Close; harmless if closed already."""
        self._under.close()
        self._drop_mirror()

    def detach(self) -> int:
        """Refused: there is nothing that would live on without the object."""
        self._refuse("detach")

    def dup(self) -> NoReturn:
        """Refused, likewise."""
        self._refuse("dup")

    def makefile(self, *_: Any, **__: Any) -> NoReturn:
        """Refused: a file would block."""
        self._refuse("makefile")

    # --- bytes ----------------------------------------------------------------------------------

    def recv(self, bufsize: int, flags: int = 0, /) -> bytes:
        """Bytes that have arrived; empty is FIN; BlockingIOError if nothing is there."""
        try:
            return self._under.recv(bufsize, flags)
        finally:
            self._look()

    def recv_into(self, buffer: Buffer, nbytes: int = 0, flags: int = 0) -> int:
        """How many bytes were read; 0 is FIN; BlockingIOError if nothing is there."""
        try:
            return self._under.recv_into(memoryview(buffer).cast("B"), nbytes, flags)
        finally:
            self._look()

    def send(self, data: Buffer, flags: int = 0, /) -> int:
        """How many bytes were taken; BlockingIOError if none."""
        return self._under.send(memoryview(data).cast("B"), flags)

    def sendmsg(
        self, buffers: Iterable[Buffer], ancdata: Any = (), flags: int = 0, address: Any = None, /
    ) -> int:
        """How many bytes of all these buffers were taken; BlockingIOError if none."""
        if ancdata or address is not None:
            self._refuse("sendmsg with ancillary data or an address")
        head = bytearray()
        for buffer in buffers:
            if len(head) >= SENDMSG_LIMIT_BYTES:
                break
            head += memoryview(buffer).cast("B")
        return self._under.send(memoryview(head), flags)

    # --- names and options ----------------------------------------------------------------------

    def getsockname(self) -> Any:
        """The address on this side."""
        return self._full(self._under.getsockname())

    def getpeername(self) -> Any:
        """The address on the other side; OSError if not connected."""
        return self._full(self._under.getpeername())

    def setsockopt(self, level: int, optname: int, value: Any, optlen: Any = None, /) -> None:
        """Set an option; those that the simulator doesn't know are remembered."""
        del optlen
        self._under.setsockopt(level, optname, value)

    def getsockopt(self, level: int, optname: int, buflen: int = 0, /) -> Any:
        """An option's value."""
        value = self._under.getsockopt(level, optname, buflen)
        if optname == socket.SO_ERROR and level == socket.SOL_SOCKET:
            self._look()
        return value

    # --- inside ---------------------------------------------------------------------------------

    def look(self) -> None:
        """Its readiness may have changed."""
        self._look()
        if self._mirror is not None:
            self._keeper.changed(self._mirror.fd)

    def _drop_mirror(self) -> None:
        if self._mirror is not None:
            self._keeper.forget(self._mirror.fd)
            self._mirror.close()
            self._mirror = None

    def _look(self) -> None:
        if self._mirror is not None:
            self._mirror.show(self._under.readable)

    def _plain(self, address: Any) -> tuple[str, int]:
        host, port = address[:2]
        six = self._family == socket.AF_INET6
        if host in LOCAL_NAMES:
            host = "::1" if six else "127.0.0.1"
        elif not host:
            host = "::" if six else "0.0.0.0"  # noqa: S104 - no real host
        try:
            ipaddress.ip_address(host)
        except ValueError as error:
            raise socket.gaierror(socket.EAI_NONAME, f"no host is called {host!r} here") from error
        return host, int(port)

    def _full(self, address: tuple[str, int]) -> Any:
        return (*address, 0, 0) if self._family == socket.AF_INET6 else address

    def _refuse(self, what: str) -> NoReturn:
        raise io.UnsupportedOperation(f"a socket of the virtual network has no {what}")

    def __enter__(self) -> Self:
        return self

    def __exit__(self, *_: object) -> None:
        self.close()

    def __repr__(self) -> str:
        return f"<virtual socket {self.fileno()}>" if not self._under.closed else "<closed socket>"

    def __del__(self) -> None:
        under: Socket | None = getattr(self, "_under", None)
        if under is not None and not under.closed:
            warnings.warn(f"unclosed {self!r}", ResourceWarning, stacklevel=1, source=self)
            self._drop_mirror()  # the simulated socket goes with this one, and counts as lost


class Keeper:
    """Knows a loop's sockets by their descriptors; a selector is one."""

    def keep(self, fd: int, sock: AioSocket) -> None:
        """A socket has got a descriptor."""
        raise NotImplementedError

    def forget(self, fd: int) -> None:
        """A socket has given its descriptor back."""
        raise NotImplementedError

    def changed(self, fd: int) -> None:
        """A socket may have become ready."""
        raise NotImplementedError


def _weakly(sock: AioSocket) -> Callable[[], None]:
    """Tells the socket of changes without keeping it alive: the network holds what is below it."""
    reference = weakref.ref(sock)

    def on_change() -> None:
        alive = reference()
        if alive is not None:
            alive.look()

    return on_change
