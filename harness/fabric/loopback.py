"""The loopback fabric: real sockets of this machine's kernel, on 127.0.0.1."""

from __future__ import annotations

import errno
import os
import socket
import struct
import sys
import threading
from collections.abc import AsyncIterator, Awaitable, Callable, Coroutine, Mapping
from contextlib import AbstractContextManager, asynccontextmanager, nullcontext, suppress
from pathlib import Path
from typing import Any, TypeAlias, TypeVar

import trio

if sys.platform == "linux":
    import fcntl

from harness.errors import SetupError
from harness.fabric._base import Alarm, Capabilities, Guard, OnClosed, OnDialed, OnLost
from harness.fabric.timers import Timers, open_timers
from harness.fabric.witness import watch_clients
from harness.packet import PacketFilter
from harness.shape import UNTOUCHED_HOST, HostState, Shaping

T = TypeVar("T")

BACKLOG = 1024
HOST = "127.0.0.1"
_LINGER_ZERO = struct.pack("ii", 1, 0)
_SIOCOUTQNSD = 0x894B
_DESCRIPTORS = Path("/proc/self/fd")
_UNDER_WAY = frozenset({errno.EINPROGRESS, errno.EALREADY, errno.EWOULDBLOCK})


class SocketWire:
    """A kernel's TCP socket, non-blocking."""

    __slots__ = ("_sock", "peer_port", "recv", "recv_into", "send")

    def __init__(self, sock: socket.socket, peer_port: int) -> None:
        sock.setblocking(False)
        sock.setsockopt(socket.IPPROTO_TCP, socket.TCP_NODELAY, 1)
        self._sock = sock
        self.recv_into = sock.recv_into
        self.recv = sock.recv
        self.send = sock.send
        self.peer_port = peer_port

    @property
    def local_port(self) -> int:
        """The port on our side; 0 once it is closed."""
        try:
            port: int = self._sock.getsockname()[1]
        except OSError:
            return 0
        return port

    def wait_readable(self) -> Coroutine[Any, Any, None]:
        """Wait for bytes, an end or an error."""
        if self._sock.fileno() < 0:
            raise trio.ClosedResourceError("this wire is closed")
        return trio.lowlevel.wait_readable(self._sock)  # noqa: ASYNC105 - the caller awaits it

    def wait_writable(self) -> Coroutine[Any, Any, None]:
        """Wait until bytes can be sent."""
        if self._sock.fileno() < 0:
            raise trio.ClosedResourceError("this wire is closed")
        return trio.lowlevel.wait_writable(self._sock)  # noqa: ASYNC105 - the caller awaits it

    def interrupt(self) -> None:
        """Wake whoever waits on it, as closing does, but don't close."""
        if self._sock.fileno() >= 0:
            trio.lowlevel.notify_closing(self._sock)

    def shutdown_write(self) -> None:
        """Send FIN; a socket that is gone already has no FIN to send."""
        try:
            self._sock.shutdown(socket.SHUT_WR)
        except OSError as error:
            if error.errno not in {errno.ENOTCONN, errno.EBADF, errno.ECONNRESET}:
                raise

    def unsent_bytes(self) -> int:
        """Bytes not sent yet (SIOCOUTQNSD of linux/sockios.h); 0 where the system can't tell.

        Not SIOCOUTQ of tcp(7): that counts until the ACK, which the receiver may delay by 40 ms.
        """
        if sys.platform != "linux" or self._sock.fileno() < 0:
            return 0
        answer = fcntl.ioctl(self._sock.fileno(), _SIOCOUTQNSD, b"\0\0\0\0")
        return int.from_bytes(answer, sys.byteorder)

    def reset(self) -> None:
        """Send RST and close: with a linger time of zero, close() aborts (socket(7))."""
        if self._sock.fileno() >= 0:
            with suppress(OSError):  # the peer has reset it already
                self._sock.setsockopt(socket.SOL_SOCKET, socket.SO_LINGER, _LINGER_ZERO)
            self.close()

    def close(self) -> None:
        """Close, waking whoever waits on it."""
        if self._sock.fileno() >= 0:
            trio.lowlevel.notify_closing(self._sock)
            self._sock.close()


MakeSocket: TypeAlias = Callable[[socket.AddressFamily, socket.SocketKind], socket.socket]
"""Where a socket comes from: this machine, or a namespace of its own."""


class SocketPort:
    """A listening socket; to refuse, a bound one that doesn't listen takes its place."""

    def __init__(self, host: str, port: int, make: MakeSocket = socket.socket) -> None:
        self.host = host
        self._make = make
        self._family = family_of(host)
        self._sock = self._bind(port)
        self.number: int = self._sock.getsockname()[1]
        self._sock.listen(BACKLOG)

    def accept(self) -> SocketWire:
        """The next connection."""
        sock, address = self._sock.accept()
        return SocketWire(sock, address[1])

    async def wait_acceptable(self) -> None:
        """Wait for a connection."""
        if self._sock.fileno() < 0:
            raise trio.ClosedResourceError("this port is closed")
        await trio.lowlevel.wait_readable(self._sock)

    def refuse(self) -> None:
        """Stop listening but keep the port bound, so that nobody else can take it."""
        self._replace()

    def listen(self) -> None:
        """Listen again."""
        self._sock.listen(BACKLOG)

    def crowd(self) -> None:
        """Raises SetupError: whom the queue turns away is seen in a namespace alone."""
        raise SetupError(_NO_HOSTS)

    def turned_away(self) -> int:
        """Nobody: the queue is never made full."""
        return 0

    def close(self) -> None:
        """Give the port back."""
        if self._sock.fileno() >= 0:
            trio.lowlevel.notify_closing(self._sock)
            self._sock.close()

    def _replace(self) -> None:
        self.close()
        self._sock = self._bind(self.number)

    def _bind(self, port: int) -> socket.socket:
        sock = self._make(self._family, socket.SOCK_STREAM)
        sock.setblocking(False)
        if sys.platform != "win32":  # there it would let others take a port in use
            sock.setsockopt(socket.SOL_SOCKET, socket.SO_REUSEADDR, 1)
        try:
            sock.bind((self.host, port))
        except OSError as error:
            sock.close()
            raise SetupError(
                f"can't listen on {self.host} port {port}: {error.strerror}; "
                "choose another port, or end the program that holds it"
            ) from error
        return sock


_NO_HOSTS = "the loopback fabric has no links and no hosts of its own; say --on netns"
_NO_PACKETS = "the loopback fabric has no packets to strike; say --on virtual"


class LoopbackFabric:
    """Real loopback sockets, precise alarms where the system has them."""

    name = "loopback"
    capabilities = Capabilities()

    def __init__(self) -> None:
        self._timers: Timers | None = None

    def run(self, main: Callable[[], Awaitable[T]], guard: Guard) -> T:  # noqa: ARG002 - real time passes by itself
        """What ``main`` returns, run by trio in real time."""
        return trio.run(main, restrict_keyboard_interrupt_to_checkpoints=True)

    @asynccontextmanager
    async def running(self) -> AsyncIterator[None]:
        """Timers at work."""
        async with open_timers() as timers:
            self._timers = timers
            try:
                yield
            finally:
                self._timers = None

    def listen(self, host: str, port: int) -> SocketPort:
        """A listening port."""
        return SocketPort(host, port)

    async def dial(self, host: str, port: int, limit_s: float) -> SocketWire:
        """A connection to a literal address: no resolver, no happy eyeballs, no thread."""
        return await connected(
            socket.socket(family_of(host), socket.SOCK_STREAM), host, port, limit_s
        )

    def address_of(self, host: str) -> str:  # noqa: ARG002 - all are one machine
        """The one address there is."""
        return HOST

    def at(self, host: str) -> AbstractContextManager[None]:  # noqa: ARG002 - likewise
        """Nothing to do: every socket is on this machine."""
        return nullcontext()

    def inside(self, host: str) -> AbstractContextManager[None]:  # noqa: ARG002 - likewise
        """Nothing to do, likewise."""
        return nullcontext()

    def call_at(self, when: float, call: Callable[[], None]) -> Alarm:
        """A precise alarm; only while ``running``."""
        assert self._timers is not None, "the fabric is not running"
        return self._timers.call_at(when, call)

    def watch_clients(
        self, on_dialed: OnDialed, on_closed: OnClosed, on_lost: OnLost
    ) -> AbstractContextManager[None]:
        """Tells of every socket made through trio's API."""
        return watch_clients(on_dialed, on_closed, on_lost)

    def open_descriptors(self) -> int:
        """Open descriptors of this process; 0 where the system doesn't list them.

        In another thread than the main one it is 0, too: there the process is somebody else's, a
        cluster's worker say, and so may be what it opens meanwhile.
        """
        alone = threading.current_thread() is threading.main_thread()
        return sum(1 for _ in _DESCRIPTORS.iterdir()) if alone and _DESCRIPTORS.is_dir() else 0

    def filter_packets(self, ask: PacketFilter | None) -> None:
        """Only None: the kernel's packets are its own. Raises SetupError for a filter."""
        if ask is not None:
            raise SetupError(_NO_PACKETS)

    def change_address(self) -> None:
        """Raises SetupError: this machine's loopback address is what it is."""
        raise SetupError(_NO_PACKETS)

    def restore_address(self) -> None:
        """Nothing was ever taken."""

    def shape(self, shapings: tuple[Shaping, ...]) -> None:
        """Only none. Raises SetupError for any: there is no link."""
        if shapings:
            raise SetupError(_NO_HOSTS)

    def shaped(self) -> Mapping[int, int]:
        """None: there is no link."""
        return {}

    def hold_host(self, state: HostState) -> None:
        """Only as it is. Raises SetupError for anything else."""
        if state != UNTOUCHED_HOST:
            raise SetupError(_NO_HOSTS)

    def unrouted(self) -> int:
        """None that are the client's alone."""
        return 0

    def destroy(self, port: int) -> bool:  # noqa: ARG002 - the contract's argument
        """Raises SetupError: nobody may touch the sockets of this machine."""
        raise SetupError(_NO_HOSTS)


def family_of(host: str) -> socket.AddressFamily:
    """The family of a literal address."""
    return socket.AF_INET6 if ":" in host else socket.AF_INET


async def connected(sock: socket.socket, host: str, port: int, limit_s: float) -> SocketWire:
    """The socket, connected there; raises OSError, and closes it, if that can't be done in time."""
    try:
        sock.setblocking(False)
        failure = sock.connect_ex((host, port))
        if failure in _UNDER_WAY:
            failure = sock.connect_ex((host, port))  # on loopback it is through by now
        if failure in _UNDER_WAY:
            failure = await _outcome(sock, limit_s)
        if failure in {0, errno.EISCONN}:
            return SocketWire(sock, port)
    except BaseException:
        sock.close()
        raise
    sock.close()
    raise OSError(failure, f"can't reach {host} port {port}: {os.strerror(failure)}")


async def _outcome(sock: socket.socket, limit_s: float) -> int:
    """How a connect that is under way ends: an errno, 0 if it succeeds."""
    with trio.move_on_after(limit_s):
        await trio.lowlevel.wait_writable(sock)
        return sock.getsockopt(socket.SOL_SOCKET, socket.SO_ERROR)
    return errno.ETIMEDOUT
