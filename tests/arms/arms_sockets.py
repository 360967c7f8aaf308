"""One small language of socket programs, and two arms that run them: the simulator and the kernel.

A program is a list of steps such as ``("send", "a", 10)``. After each step both arms tell what the
step returned (bytes, or the name of an errno) and how every open socket stands: its TCP state, the
bytes it could read, and what poll(2) says. The kernel's arm looks again for a moment if it stands
differently, because packets on loopback are delivered by a softirq that may be late.
"""

from __future__ import annotations

import errno
import fcntl
import os
import select
import socket
import struct
import termios
import time
from collections.abc import Callable, Iterable
from typing import Any

from harness.fabric.virtual.network import Network
from harness.fabric.virtual.socket import Socket

PATIENCE_S = 1.0
"""The kernel has caught up long before, unless the two really differ."""
LOCAL = ("127.0.0.1", 0)
ATTEMPTS = 12
"""A wrong model differs each time; strangers would have to be in the way so often in a row."""
BACKLOG = 16
LINGER_NOT = struct.pack("ii", 1, 0)
FILL_BYTES = 1 << 16
READABLE = select.POLLIN | select.POLLHUP | select.POLLERR
WRITABLE = select.POLLOUT | select.POLLHUP | select.POLLERR
TCP_STATES = (
    "none",
    "established",
    "syn_sent",
    "syn_received",
    "fin_wait_1",
    "fin_wait_2",
    "time_wait",
    "closed",
    "close_wait",
    "last_ack",
    "listen",
    "closing",
)
"""By Linux's numbers, which TCP_INFO begins with."""

Step = tuple[Any, ...]
Standing = tuple[str, int, bool, bool]


def payload(size: int, first: int) -> bytes:
    """Bytes whose every value tells its place in the stream."""
    return bytes((first + at) % 251 for at in range(size))


class Arm:
    """Runs steps on sockets with names; how they are made and looked at is each arm's own."""

    def __init__(self) -> None:
        self.sockets: dict[str, Any] = {}
        self._addresses: dict[str, Any] = {}
        self._sent: dict[str, int] = {}

    def make(self) -> Any:
        raise NotImplementedError

    def dial(self, sock: Any, address: Any) -> None:
        raise NotImplementedError

    def drop(self, sock: Any) -> None:
        """Nobody holds it any more, and nobody has closed it."""

    def standing(self, sock: Any) -> Standing:
        raise NotImplementedError

    def do(self, step: Step) -> str:
        """What a step returns, as text; the name of an errno if it fails."""
        verb, name, *rest = step
        if name not in self.sockets and verb != "socket":
            return "no such socket"
        try:
            return str(getattr(self, f"_{verb}")(name, *rest))
        except OSError as error:
            return errno.errorcode[error.errno or 0]

    def standings(self) -> dict[str, Standing]:
        """How every open socket stands."""
        return {
            name: self.standing(sock) for name, sock in self.sockets.items() if sock.fileno() >= 0
        }

    def close(self) -> None:
        for sock in self.sockets.values():
            if sock.fileno() >= 0:
                sock.setsockopt(socket.SOL_SOCKET, socket.SO_LINGER, LINGER_NOT)
                sock.close()

    def _put(self, name: str, sock: Any) -> None:
        """Give it a name; who had that name before is dropped."""
        self.drop(self.sockets.pop(name, None))
        self.sockets[name] = sock

    def _socket(self, name):
        self._put(name, self.make())
        return "made"

    def _bind(self, name, other=None):
        self.sockets[name].bind(self._addresses.get(other, LOCAL))
        self._addresses[name] = self.sockets[name].getsockname()
        return "bound"

    def _listen(self, name, backlog=BACKLOG):
        self.sockets[name].listen(backlog)
        return "listens"

    def _accept(self, name, child):
        accepted, address = self.sockets[name].accept()
        self._put(child, accepted)
        return "known" if address in self._addresses.values() else "accepted"

    def _connect(self, name, other):
        if other not in self._addresses:
            return "no such address"
        if self.sockets[name].getsockname() == self._addresses[other]:
            return "left out"  # simultaneous open with itself: the simulation has none
        self.dial(self.sockets[name], self._addresses[other])
        self._addresses[name] = self.sockets[name].getsockname()
        return "connected"

    def _send(self, name, size):
        sent = self._sent.get(name, 0)
        count = self.sockets[name].send(payload(size, sent))
        self._sent[name] = sent + count
        return count

    def _fill(self, name):
        with_room = 0
        while True:
            try:
                with_room += self.sockets[name].send(bytes(FILL_BYTES))
            except BlockingIOError:
                return f"full {with_room > 2 * FILL_BYTES}"

    def _drain(self, name):
        """Read all there is, as it comes; how much that is is each arm's own affair."""
        try:
            while self.sockets[name].recv(FILL_BYTES):
                pass
        except BlockingIOError:
            return "drained"
        return "ended"

    def _recv(self, name, limit):
        return self.sockets[name].recv(limit).hex()

    def _peek(self, name, limit):
        return self.sockets[name].recv(limit, socket.MSG_PEEK).hex()

    def _recv_into(self, name, limit):
        buffer = bytearray(limit)
        count = self.sockets[name].recv_into(buffer)
        return buffer[:count].hex()

    def _shutdown(self, name, how):
        self.sockets[name].shutdown(how)
        return "shut"

    def _close(self, name):
        self.sockets[name].close()
        return "closed"

    def _abort(self, name):
        self.sockets[name].setsockopt(socket.SOL_SOCKET, socket.SO_LINGER, LINGER_NOT)
        self.sockets[name].close()
        return "closed"

    def _error(self, name):
        code = self.sockets[name].getsockopt(socket.SOL_SOCKET, socket.SO_ERROR)
        return errno.errorcode.get(code, "0")

    def _listening(self, name):
        return self.sockets[name].getsockopt(socket.SOL_SOCKET, socket.SO_ACCEPTCONN)

    def _option(self, name, option, value=None):
        level, number = OPTIONS[option]
        if value is not None:
            self.sockets[name].setsockopt(level, number, value)
        return self.sockets[name].getsockopt(level, number)

    def _peername(self, name):
        self.sockets[name].getpeername()
        return "has a peer"

    def _sockname(self, name):
        host, port = self.sockets[name].getsockname()[:2]
        return f"{host} {port > 0}"


OPTIONS = {
    "reuse_address": (socket.SOL_SOCKET, socket.SO_REUSEADDR),
    "send_buffer": (socket.SOL_SOCKET, socket.SO_SNDBUF),
    "receive_buffer": (socket.SOL_SOCKET, socket.SO_RCVBUF),
    "keepalive": (socket.SOL_SOCKET, socket.SO_KEEPALIVE),
    "type": (socket.SOL_SOCKET, socket.SO_TYPE),
    "no_delay": (socket.IPPROTO_TCP, socket.TCP_NODELAY),
}
if hasattr(socket, "TCP_KEEPIDLE"):
    OPTIONS["keep_idle"] = (socket.IPPROTO_TCP, socket.TCP_KEEPIDLE)
    OPTIONS["keep_interval"] = (socket.IPPROTO_TCP, socket.TCP_KEEPINTVL)
    OPTIONS["keep_count"] = (socket.IPPROTO_TCP, socket.TCP_KEEPCNT)
if hasattr(socket, "TCP_USER_TIMEOUT"):
    OPTIONS["user_timeout"] = (socket.IPPROTO_TCP, socket.TCP_USER_TIMEOUT)


class SimulatedArm(Arm):
    """Sockets of a virtual network, on which nothing is ever late."""

    def __init__(self) -> None:
        super().__init__()
        self.network = Network()

    def make(self):
        return Socket(self.network)

    def dial(self, sock, address):
        sock.connect(address)

    def standing(self, sock):
        state = sock._end.state.name.lower() if sock._listener is None else "listen"
        return state, len(sock._end.incoming.unread), sock.readable, sock.writable


class KernelArm(Arm):
    """Non-blocking sockets of the kernel on its loopback device."""

    def make(self):
        sock = socket.socket()
        sock.setblocking(False)
        return sock

    def drop(self, sock):
        if sock is not None:
            sock.close()  # as the collector would, if it did not warn

    def _accept(self, name, child):
        result = super()._accept(name, child)
        self.sockets[child].setblocking(False)
        return result

    def dial(self, sock, address):
        """The kernel always says EINPROGRESS first, and by then it mostly is through."""
        failure = sock.connect_ex(address)
        if failure == errno.EINPROGRESS:
            poll = select.poll()
            poll.register(sock, WRITABLE)
            if not poll.poll(50):
                raise OSError(failure, os.strerror(failure))
            failure = sock.connect_ex(address)
        if failure:
            raise OSError(failure, os.strerror(failure))

    def standing(self, sock):
        poll = select.poll()
        poll.register(sock, select.POLLIN | select.POLLOUT)
        mask = dict(poll.poll(0)).get(sock.fileno(), 0)
        # An acknowledgement that waits for company leaves now, and with it what depends on it.
        sock.setsockopt(socket.IPPROTO_TCP, socket.TCP_QUICKACK, 1)
        state = TCP_STATES[sock.getsockopt(socket.IPPROTO_TCP, socket.TCP_INFO, 1)[0]]
        unread = 0
        if state != "listen":
            unread = struct.unpack("i", fcntl.ioctl(sock, termios.FIONREAD, b"\0\0\0\0"))[0]
        return state, unread, bool(mask & READABLE), bool(mask & WRITABLE)


def difference(program: Iterable[Step], *, look: bool = True) -> str:
    """Where the two arms differ first, with the steps up to there; empty if they never do.

    ``look=False`` compares results only: for programs that depend on the sizes of buffers, which
    are each arm's own. A difference has to show every time: the kernel's ports are shared with
    every other program of the machine, so a port that should be free may be taken by a stranger,
    or wait for the end of a stranger's TIME-WAIT. Where thousands of connections were made just
    before, that is not rare.
    """
    steps = list(program)
    told = ""
    for _ in range(ATTEMPTS):
        told = _difference(steps, look=look)
        if not told:
            break
    return told


def _difference(program: list[Step], *, look: bool) -> str:
    simulated, kernel = SimulatedArm(), KernelArm()
    done = []
    try:
        for step in program:
            done.append(step)
            expected = simulated.do(step)
            actual = kernel.do(step)
            if actual != expected:
                return _told(done, f"the simulation says {expected}, the kernel {actual}")
            if look:
                standings = simulated.standings()
                seen = _settled(kernel.standings, standings)
                if seen != standings:
                    return _told(done, f"simulated {standings}, kernel {seen}")
    finally:
        simulated.close()
        kernel.close()
    return ""


def _settled(look: Callable[[], object], expected: object) -> object:
    """What is seen once it is as expected, or in the end."""
    deadline = time.monotonic() + PATIENCE_S
    while (seen := look()) != expected and time.monotonic() < deadline:
        select.select([], [], [], 0.001)
    return seen


def _told(done: list[Step], what: str) -> str:
    lines = [" ".join(map(str, step)) for step in done]
    return "\n".join([*lines, what])
