"""One TCP socket as a program sees it: the non-blocking calls, with the errno Linux gives.

The tables below are those of tcp(7), connect(2), send(2), recv(2) and shutdown(2); where they
leave something open it is as Linux does, which the tests compare call by call.
"""

from __future__ import annotations

import errno
import sys
import weakref
from collections.abc import Callable
from enum import Enum, auto
from typing import TypeAlias

from harness.fabric.virtual import linux
from harness.fabric.virtual.addresses import WILDCARDS, AnyAddress, is_wildcard, parsed
from harness.fabric.virtual.end import End
from harness.fabric.virtual.listener import Listener
from harness.fabric.virtual.network import Network
from harness.fabric.virtual.options import Options, Value
from harness.fabric.virtual.ports import Claim
from harness.fabric.virtual.states import RECEIVE, State
from harness.fabric.virtual.watching import Watched
from harness.packet import Address, Flow
from harness.timeline import Side

Bytes: TypeAlias = bytes | bytearray | memoryview


class _Stage(Enum):
    """What connect(2) says next: Linux's SS_UNCONNECTED, SS_CONNECTING and SS_CONNECTED."""

    UNCONNECTED = auto()
    CONNECTING = auto()
    CONNECTED = auto()


class Socket:
    """A TCP socket of a virtual network. A literal IPv4 or IPv6 address is all it understands.

    ``on_change`` is called whenever ``readable`` or ``writable`` may have become true, and on
    close; it must be cheap, not raise, and not call the socket. The network holds sockets weakly:
    one that is dropped without close() is closed by the collector, and the watcher is told.
    """

    __slots__ = (
        "__weakref__",
        "_bound",
        "_claim",
        "_end",
        "_host",
        "_listener",
        "_network",
        "_number",
        "_options",
        "_peer",
        "_stage",
        "_watched",
        "closed",
        "family",
        "on_change",
    )

    def __init__(self, network: Network, family: int = linux.AF_INET) -> None:
        self.closed = True  # so that a failure in here leaves nothing to collect
        if family in linux.ELSEWHERE_AF_INET6:
            family = linux.AF_INET6
        if family not in WILDCARDS:
            raise linux.error(errno.EAFNOSUPPORT)
        self.family = family
        self.on_change: Callable[[], None] | None = None
        self._network = network
        self._options = Options()
        self._end = End(network, self._options)
        self._listener: Listener | None = None
        self._claim: Claim | None = None
        self._host = WILDCARDS[family]
        self._bound: Address = (self._host, 0)
        self._peer: Address | None = None
        self._stage = _Stage.UNCONNECTED
        self._watched = Watched()
        self._number = network.enrol(self)
        self.closed = False

    def __repr__(self) -> str:
        if self.closed:
            return "closed"
        host, port = self._bound
        if self._listener is not None:
            return f"{host}:{port} listening"
        peer = f" - {self._peer[0]}:{self._peer[1]}" if self._peer else ""
        return f"{host}:{port}{peer} {self._end.state.name.lower().replace('_', '-')}"

    def __del__(self, is_finalizing: Callable[[], bool] = sys.is_finalizing) -> None:
        # At the interpreter's end the names used below, and ``sys``, may be gone already.
        if not self.closed and not is_finalizing():
            self._let_go(lost=True)

    # --- opening ----------------------------------------------------------------------------

    def bind(self, address: AnyAddress) -> None:
        """Take a local address; port 0 is any free one. OSError EINVAL, EADDRINUSE."""
        self._check_open()
        host, port = parsed(address, self.family)
        if self._claim is not None or self._listener or self._end.state is not State.CLOSED:
            raise linux.error(errno.EINVAL)
        try:
            self._take_port(host, port)
        except OSError:  # Linux forgets the address that an earlier use has left, too
            self._host = WILDCARDS[self.family]
            self._bound = (self._host, self._bound[1])
            raise
        self._host = host

    def _take_port(self, host: str, port: int) -> None:
        reuse = bool(self._options.reuse_address)
        self._claim = self._network.ports.claim(host, port, reuse=reuse)
        self._bound = (host, self._claim.port)

    def listen(self, backlog: int = 1024) -> None:
        """Accept connections, or change the backlog. OSError EINVAL if connected, EADDRINUSE."""
        self._check_open()
        if self._listener is not None:
            self._listener.resize(backlog)
            return
        if self._stage is not _Stage.UNCONNECTED or self._end.state is not State.CLOSED:
            raise linux.error(errno.EINVAL)
        if self._claim is None:
            self._take_port(self._host, 0)
        assert self._claim is not None
        self._network.ports.listen(self._claim)
        self._listener = Listener(self._claim, self._options, _Holder(self), backlog)
        self._network.listen(self._listener)

    def accept(self) -> tuple[Socket, Address]:
        """The next connection and where it comes from. OSError EAGAIN, EINVAL."""
        self._check_open()
        if self._listener is None:
            raise linux.error(errno.EINVAL)
        end = self._listener.take()
        assert end.flow is not None
        child = Socket(self._network, self.family)
        child._adopt(end, end.flow.server, end.flow.client)
        return child, end.flow.client

    def _adopt(self, end: End, local: Address, peer: Address) -> None:
        self._end, self._options = end, end.options
        self._bound, self._peer = local, peer
        self._stage = _Stage.CONNECTED
        end.holder = _Holder(self)

    def connect(self, address: AnyAddress) -> None:
        """Connect: returns once connected, which may be at once.

        OSError: EINPROGRESS if that takes time, then EALREADY, and its outcome once it has one;
        ECONNREFUSED, ETIMEDOUT, EHOSTUNREACH, ENETUNREACH; EISCONN if connected or listening.
        """
        self._check_open()
        host, port = parsed(address, self.family)
        if self._stage is _Stage.CONNECTED or self._listener is not None:
            raise linux.error(errno.EISCONN)
        first = self._stage is _Stage.UNCONNECTED
        if first:
            self._dial((self._reachable(host), port))
        if self._end.state is State.SYN_SENT:
            raise linux.error(errno.EINPROGRESS if first else errno.EALREADY)
        if self._end.state is State.CLOSED:
            code = self._end.take_error() or errno.ECONNABORTED
            self._disconnect()
            raise linux.error(code)
        self._stage = _Stage.CONNECTED

    def _reachable(self, host: str) -> str:
        """The wildcard stands for this host, as on Linux."""
        return self._network.source_for(self.family) if is_wildcard(host) else host

    def _dial(self, peer: Address) -> None:
        network, end = self._network, self._end
        if end.state is not State.CLOSED:
            raise linux.error(errno.EISCONN)
        host = self._reachable(self._host)
        if self._claim is None:
            end.claim = network.ports.claim(host, 0, reuse=bool(self._options.reuse_address))
        elif self._claim.named:
            end.claim = network.ports.share(self._claim)
        else:
            end.claim, self._claim = self._claim, None
        flow = Flow((host, end.claim.port), peer, network.side_of(peer))
        self._bound, self._peer, self._stage = flow.client, peer, _Stage.CONNECTING
        end.holder = _Holder(self)
        if flow.side is Side.CLIENT:
            self._watched.begin(network.now)
        try:
            network.dial(end, flow)
        except OSError:
            self._watched.forget()
            network.ports.release(end.claim)
            self._disconnect()
            raise

    def _disconnect(self) -> None:
        """As good as new, but for the options and a port that was asked for by number."""
        self._end = End(self._network, self._options)
        self._stage, self._peer = _Stage.UNCONNECTED, None
        self._bound = (self._host, self._bound[1])

    # --- bytes ------------------------------------------------------------------------------

    def send(self, data: Bytes, flags: int = 0) -> int:  # noqa: ARG002 - none has an effect here
        """How many bytes were taken. OSError EAGAIN, EPIPE, or the pending error."""
        if self.closed:
            raise linux.error(errno.EBADF)
        if type(data) is not bytes:
            data = memoryview(data).cast("B")
        return self._end.send(data)

    def recv(self, limit_bytes: int, flags: int = 0) -> bytes:
        """Bytes, or none once FIN has come. OSError EAGAIN, ENOTCONN, or the pending error."""
        if limit_bytes < 0:
            raise ValueError("negative buffersize in recv")
        if not limit_bytes:
            return b""  # Python's doing: the system is not even asked
        if self.closed:
            raise linux.error(errno.EBADF)
        if self._listener is not None:
            raise linux.error(errno.ENOTCONN)
        return self._end.receive(limit_bytes, peek=bool(flags & linux.MSG_PEEK))

    def recv_into(self, buffer: bytearray | memoryview, nbytes: int = 0, flags: int = 0) -> int:
        """How many bytes were read into the buffer; otherwise as ``recv``."""
        with memoryview(buffer) as view, view.cast("B") as target:
            if nbytes < 0 or nbytes > len(target):
                raise ValueError("nbytes is negative or larger than the buffer")
            taken = self.recv(nbytes or len(target), flags)
            target[: len(taken)] = taken
            return len(taken)

    @property
    def readable(self) -> bool:
        """Whether poll(2) says POLLIN, POLLHUP or POLLERR; true once closed."""
        if self._listener is not None:
            return self._listener.readable
        return self.closed or self._end.readable

    @property
    def writable(self) -> bool:
        """Whether poll(2) says POLLOUT, POLLHUP or POLLERR; true once closed."""
        if self._listener is not None:
            return False
        return self.closed or self._end.writable

    @property
    def unsent_bytes(self) -> int:
        """How many bytes were taken and have never left."""
        return 0 if self.closed else self._end.outgoing.unsent_bytes

    # --- closing ----------------------------------------------------------------------------

    def shutdown(self, how: int) -> None:
        """End one direction or both. OSError ENOTCONN; a listener listens no more."""
        self._check_open()
        if how not in {linux.SHUT_RD, linux.SHUT_WR, linux.SHUT_RDWR}:
            raise linux.error(errno.EINVAL)
        directions = how + 1
        end = self._end
        if self._listener is not None:
            if directions & RECEIVE:
                self._stop_listening()
                self._disconnect()
        elif end.state is State.SYN_SENT:
            self._tell_dialed(errno.ECANCELED)
            end.close()
            self._disconnect()
            self._end.error = errno.ECONNRESET
        elif end.state is State.CLOSED:
            end.shut |= directions
            raise linux.error(errno.ENOTCONN)
        else:
            self._stage = _Stage.CONNECTED
            end.shut_down(directions)

    def close(self) -> None:
        """Close: FIN goes out, or RST if bytes are unread. Harmless if closed already."""
        if not self.closed:
            self._let_go()

    def abort(self) -> None:
        """Send RST and close. Harmless if closed already."""
        self._options.linger = (1, 0)
        self.close()

    def _let_go(self, *, lost: bool = False) -> None:
        self.closed = True
        network = self._network
        network.dismiss(self._number)
        self._tell_dialed(errno.ECANCELED)
        self._watched.close(network.watcher, lost=lost)
        if self._listener is not None:
            self._stop_listening()
        else:
            self._end.close()
        self._release_port()
        if self.on_change is not None and not lost:
            self.on_change()

    def _stop_listening(self) -> None:
        assert self._listener is not None
        listener, self._listener = self._listener, None
        listener.claim.listening = False
        self._network.unlisten(listener)
        if not listener.claim.named:
            self._release_port()

    def _release_port(self) -> None:
        if self._claim is not None:
            self._network.ports.release(self._claim)
            self._claim = None

    # --- options and names ------------------------------------------------------------------

    def setsockopt(self, level: int, option: int, value: Value) -> None:
        """Set an option; an unknown one is remembered. OSError EINVAL."""
        self._check_open()
        self._options.set(*linux.named_here(level, option), value)
        self._end.options_changed()
        if self._claim is not None:
            self._claim.reuse = bool(self._options.reuse_address)

    def getsockopt(self, level: int, option: int, buflen: int = 0) -> int | bytes:
        """An option's value, as bytes if ``buflen`` says how many; SO_ERROR is told once."""
        self._check_open()
        level, option = linux.named_here(level, option)
        number = self._state_option(option) if level == linux.SOL_SOCKET else None
        if number is None:
            return self._options.get(level, option, buflen)
        return number.to_bytes(4, "little")[:buflen] if buflen else number

    def _state_option(self, option: int) -> int | None:
        if option == linux.SO_ERROR:
            return self._end.take_error()
        known = {
            linux.SO_TYPE: linux.SOCK_STREAM,
            linux.SO_ACCEPTCONN: int(self._listener is not None),
            linux.SO_DOMAIN: self.family,
            linux.SO_PROTOCOL: linux.IPPROTO_TCP,
        }
        return known.get(option)

    def getsockname(self) -> Address:
        """The local address."""
        self._check_open()
        return self._bound

    def getpeername(self) -> Address:
        """The other end's address. OSError ENOTCONN if there is none, or no longer."""
        self._check_open()
        if self._peer is None or self._end.state in {State.CLOSED, State.SYN_SENT}:
            raise linux.error(errno.ENOTCONN)
        return self._peer

    def fileno(self) -> int:
        """A number that no real descriptor has; -1 once closed."""
        return -1 if self.closed else self._number

    def _check_open(self) -> None:
        if self.closed:
            raise linux.error(errno.EBADF)

    # --- what is told -----------------------------------------------------------------------

    def _changed(self) -> None:
        if self._end.state is not State.SYN_SENT:
            self._tell_dialed(self._end.error)
        if self.on_change is not None:
            self.on_change()

    def _tell_dialed(self, code: int) -> None:
        self._watched.end(self._network.watcher, self._bound[1], code)


class _Holder:
    """Tells a socket of changes without keeping it alive."""

    __slots__ = ("_socket",)

    def __init__(self, socket: Socket) -> None:
        self._socket = weakref.ref(socket)

    def changed(self) -> None:
        socket = self._socket()
        if socket is not None:
            socket._changed()  # noqa: SLF001 - it is part of the socket
