"""A witness of what TCP sockets do in this process, which shares no code with any client.

The methods of ``socket.socket`` are replaced by ones that tell. That sees blocking sockets,
asyncio's and trio's, plain and TLS: all of them connect by ``connect`` or ``connect_ex``, learn of
the end by ``SO_ERROR`` (connect(2)), and close by ``close``. Sockets that a library opens in C are
not seen. What is known stands by the descriptor, because TLS takes it over from the plain socket.
"""

from __future__ import annotations

import _socket
import errno
import socket
import time
from typing import TYPE_CHECKING, Any

from harness.causes import KIND_BY_ERRNO

if TYPE_CHECKING:
    from collections.abc import Callable

    from harness.worker.stdio import Stdio

_UNDER_WAY = frozenset({errno.EINPROGRESS, errno.EALREADY, errno.EWOULDBLOCK})
_INTERNET = frozenset({socket.AF_INET, socket.AF_INET6})


class Dials:
    """Tells the harness of each attempt to connect, and of each close."""

    def __init__(self, stdio: Stdio) -> None:
        self._stdio = stdio
        self._began: dict[int, float] = {}
        self._ports: dict[int, int] = {}

    def begin(self, sock: socket.socket) -> None:
        """A connect begins."""
        if sock.family in _INTERNET and sock.type & 0xF == socket.SOCK_STREAM:
            self._began.setdefault(sock.fileno(), time.monotonic())

    def end(self, sock: socket.socket, failure: int | None) -> None:
        """The connect ended with this errno; 0 is success, None that its caller went away."""
        if failure in _UNDER_WAY:
            return
        with self._stdio.shield():
            began = self._began.pop(sock.fileno(), None)
            if began is None:
                return
            port = 0
            if failure in {0, errno.EISCONN}:
                port = self._ports[sock.fileno()] = sock.getsockname()[1]
            self._tell(_word(failure), port, began)

    def _tell(self, outcome: str, port: int, began: float) -> None:
        took_s = round(time.monotonic() - began, 6)
        event = {"event": "dialed", "outcome": outcome, "local_port": port, "took_s": took_s}
        self._stdio.send(event)

    def closing(self, descriptor: int) -> Callable[..., None]:
        """A descriptor is about to be closed; returns how to tell that it was, or wasn't.

        What is known of it is taken away before: once it is closed, another thread may have a
        socket of the same number.
        """
        began, port = self._began.pop(descriptor, None), self._ports.pop(descriptor, 0)

        def closed(*, is_open: bool = False, lost: bool = False) -> None:
            if is_open:
                self._remember(descriptor, began, port)
                return
            if began is not None:
                self._tell("cancelled", 0, began)
            if port:
                event = {"event": "socket_closed", "local_port": port}
                self._stdio.send(dict(event, lost=True) if lost else event)

        return closed

    def _remember(self, descriptor: int, began: float | None, port: int) -> None:
        if began is not None:
            self._began[descriptor] = began
        if port:
            self._ports[descriptor] = port


def _word(failure: int | None) -> str:
    if failure is None:
        return "cancelled"
    return "ok" if failure in {0, errno.EISCONN} else KIND_BY_ERRNO.get(failure, "other")


def _errno(error: BaseException) -> int | None:
    if isinstance(error, socket.timeout):
        return errno.ETIMEDOUT  # a socket's own timeout has none (socket.settimeout)
    if isinstance(error, OSError):
        return error.errno or errno.EIO
    return None


def watch_dials(stdio: Stdio) -> None:
    """Watch every socket of this process from now on."""
    dials = Dials(stdio)
    for name, method in {**_connecting(dials), **_closing(dials, stdio)}.items():
        setattr(socket.socket, name, method)


def _connecting(dials: Dials) -> dict[str, Any]:
    plain_connect, plain_connect_ex = socket.socket.connect, socket.socket.connect_ex
    plain_getsockopt = socket.socket.getsockopt

    def connect(self: socket.socket, address: Any) -> None:
        dials.begin(self)
        try:
            plain_connect(self, address)
        except BaseException as error:
            dials.end(self, _errno(error))
            raise
        dials.end(self, 0)

    def connect_ex(self: socket.socket, address: Any) -> int:
        dials.begin(self)
        failure = plain_connect_ex(self, address)
        dials.end(self, failure)
        return failure

    def getsockopt(self: socket.socket, *args: Any) -> Any:
        answer = plain_getsockopt(self, *args)
        if args[:2] == (socket.SOL_SOCKET, socket.SO_ERROR):
            dials.end(self, answer)
        return answer

    return {"connect": connect, "connect_ex": connect_ex, "getsockopt": getsockopt}


def _closing(dials: Dials, stdio: Stdio) -> dict[str, Any]:
    plain_close = socket.socket.close
    finalize = _socket.socket.__del__  # type: ignore[attr-defined]

    def close(self: socket.socket) -> None:
        # Only the last close of a socket with files made of it closes the descriptor.
        with stdio.shield():
            closed = dials.closing(self.fileno())
            plain_close(self)
            closed(is_open=self.fileno() >= 0)

    def dropped(self: socket.socket) -> None:
        with stdio.shield():
            closed = dials.closing(self.fileno())
            finalize(self)
            closed(lost=True)

    return {"close": close, "__del__": dropped}
