"""One HTTP/1.1 connection: requests out, replies in, and how to tell that it is dead.

An idle connection should have nothing to read. What there is decides:

- Plain TCP: FIN, RST and bytes nobody asked for all make it stale. Those bytes would otherwise be
  taken for the reply to the next call, and shift every reply after it.
- TLS 1.3 servers send session tickets whenever they like, in records that look like application
  data (RFC 8446 section 4.6.1), and a FIN behind them can't be seen by peeking at the socket. So
  the TLS layer is made to take in all there is: it swallows tickets, and whatever it then yields
  (data, close_notify, an error) makes the connection stale. A record it had buffered together with
  the previous reply is found the same way.

A look at the socket without waiting is a receive in a cancel scope whose deadline is set to now
after it was entered: trio tries the system call before it notices the deadline, and an interrupted
receive loses no bytes. The TLS layer has checkpoints of its own before it reads, so there the
socket below it is asked first, and ends the look when it is empty (``Transport``).
"""

from __future__ import annotations

from contextlib import suppress
from dataclasses import dataclass
from math import inf
from typing import TYPE_CHECKING, TypeAlias

import h11
import trio

if TYPE_CHECKING:
    Stream: TypeAlias = trio.SocketStream | trio.SSLStream["Transport"]

RECEIVE_BYTES = 65_536
MAX_MARGIN_S = 1.0
"""How long before the end of its announced keep-alive time a connection is no longer reused."""


@dataclass(frozen=True, slots=True, kw_only=True)
class HttpLimits:
    """The bounds of the HTTP client, beyond those of its pool."""

    max_header_bytes: int = 65_536
    """The head of one reply."""
    max_body_bytes: int = 64 * 1024 * 1024
    """The body of one reply."""
    max_informational: int = 16
    """Interim replies (1xx) before the final one."""
    max_retries: int = 2
    """Further attempts of a call that may be repeated."""
    call_timeout_s: float = 30.0
    """One call altogether, with its wait for a connection and its retries."""


class TooLargeError(Exception):
    """A reply exceeded one of the limits."""


def keep_alive_s(headers: list[tuple[bytes, bytes]]) -> float:
    """Return for how long a reply allows its connection to be idle, less a safety margin.

    The margin (half of the time, at most ``MAX_MARGIN_S``) is for the way to the server: its clock
    started when it sent the reply. Infinite without a ``Keep-Alive: timeout=N``
    (RFC 2068 section 19.7.1.1).
    """
    for name, value in headers:
        if name == b"keep-alive":
            for item in value.split(b","):
                key, _, number = item.strip().partition(b"=")
                if key.strip().lower() == b"timeout" and number.strip().isdigit():
                    seconds = float(number)
                    return seconds - min(MAX_MARGIN_S, seconds / 2)
    return inf


class NothingToReadError(Exception):
    """The look at a TLS connection has come to its end."""


class Transport(trio.abc.Stream):
    """A socket below TLS that can be told not to wait for bytes, by setting ``looking``."""

    def __init__(self, stream: trio.SocketStream) -> None:
        self._stream = stream
        self.socket = stream.socket
        self.looking = False

    async def send_all(self, data: bytes | bytearray | memoryview) -> None:
        """Send to the socket."""
        await self._stream.send_all(data)

    async def wait_send_all_might_not_block(self) -> None:
        """Wait for the socket."""
        await self._stream.wait_send_all_might_not_block()

    async def receive_some(self, max_bytes: int | None = None) -> bytes:
        """Receive from the socket; raises ``NothingToReadError`` in a look at an empty one."""
        if self.looking and not await has_bytes(self.socket):
            raise NothingToReadError
        return await self._stream.receive_some(max_bytes)

    async def aclose(self) -> None:
        """Close the socket."""
        await self._stream.aclose()


async def has_bytes(socket: trio.socket.SocketType) -> bool:
    """Tell whether a receive wouldn't wait now: there are bytes or a FIN; raises on a RST."""
    with trio.CancelScope() as scope:
        scope.deadline = trio.current_time()
        await socket.recv(1, trio.socket.MSG_PEEK)
        return True
    return False


class HttpConnection:
    """A connected stream and the state of the protocol on it."""

    def __init__(self, stream: Stream, socket: trio.socket.SocketType, limits: HttpLimits) -> None:
        self._stream = stream
        self._socket = socket
        self._limits = limits
        self._h11 = h11.Connection(h11.CLIENT, max_incomplete_event_size=limits.max_header_bytes)
        self._body_bytes = 0
        self._idle_s = inf
        self._stale = False
        self._reuse_until = inf

    @property
    def stream(self) -> Stream:
        """The bytes below HTTP, for a protocol that isn't HTTP."""
        return self._stream

    # ------------------------------------------------------------ one exchange

    def encode(
        self, method: str, target: str, headers: list[tuple[str, str]], body: bytes
    ) -> bytes:
        """Return a whole request as bytes; raises ``h11.LocalProtocolError`` if it isn't HTTP."""
        parts = [self._h11.send(h11.Request(method=method, target=target, headers=headers))]
        if body:
            parts.append(self._h11.send(h11.Data(data=body)))
        parts.append(self._h11.send(h11.EndOfMessage()))
        return b"".join(part for part in parts if part)

    async def send(self, payload: bytes) -> None:
        """Send a request."""
        await self._stream.send_all(payload)

    async def read_head(self) -> h11.Response:
        """Return the head of the final reply, skipping interim ones (RFC 9110 section 15.2)."""
        for _ in range(self._limits.max_informational + 1):
            match await self._next_event():
                case h11.Response() as head:
                    self._body_bytes = 0
                    self._note_headers(list(head.headers))
                    return head
                case h11.InformationalResponse():
                    continue
                case _:
                    raise EOFError("the server closed the connection before its reply")
        raise TooLargeError(f"more than {self._limits.max_informational} interim replies")

    def _note_headers(self, headers: list[tuple[bytes, bytes]]) -> None:
        limit_bytes = self._limits.max_header_bytes  # h11 bounds only a head that comes in pieces
        if sum(len(name) + len(value) for name, value in headers) > limit_bytes:
            raise TooLargeError(f"the head is longer than {limit_bytes} bytes")
        self._idle_s = keep_alive_s(headers)

    async def read_chunk(self) -> bytes:
        """Return the next piece of the reply's body, or nothing once it is complete.

        Raises ``EOFError`` if the connection ends first.
        """
        event = await self._next_event()
        if not isinstance(event, h11.Data):
            return b""
        self._body_bytes += len(event.data)
        if self._body_bytes > self._limits.max_body_bytes:
            raise TooLargeError(f"the body is longer than {self._limits.max_body_bytes} bytes")
        return bytes(event.data)

    def next_cycle(self) -> bool:
        """Make ready for another request; False if the connection can't take one.

        It can't if a message is incomplete, if either side said it would close (RFC 9112 section
        9.6) or speaks HTTP/1.0, or if there are bytes behind the reply.
        """
        done = self._h11.our_state is h11.DONE and self._h11.their_state is h11.DONE
        if not done or self._h11.trailing_data != (b"", False) or self._idle_s <= 0:
            return False
        self._h11.start_next_cycle()
        self._reuse_until = trio.current_time() + self._idle_s
        return True

    async def _next_event(self) -> object:
        ended = False
        while True:
            try:
                event = self._h11.next_event()
            except h11.RemoteProtocolError as error:
                if ended:
                    raise EOFError("the server closed the connection within its reply") from error
                raise
            if event is not h11.NEED_DATA:
                return event
            data = await self._stream.receive_some(RECEIVE_BYTES)
            ended = not data
            self._h11.receive_data(bytes(data))

    # ------------------------------------------------------------ between exchanges

    async def wait_stale(self) -> None:
        """Return once anything arrives, or the keep-alive time is over."""
        with trio.move_on_at(self._reuse_until):
            with suppress(trio.BrokenResourceError):
                await self._stream.receive_some(1)
            self._stale = True

    async def is_stale(self) -> bool:
        """Tell whether there is anything to read, without waiting for it."""
        if self._stale or trio.current_time() >= self._reuse_until:
            return True
        try:
            if isinstance(self._stream, trio.SSLStream):
                return await self._tls_has_news(self._stream)
            return await has_bytes(self._socket)
        except (OSError, trio.BrokenResourceError):
            return True

    @staticmethod
    async def _tls_has_news(stream: trio.SSLStream[Transport]) -> bool:
        stream.transport_stream.looking = True
        try:
            await stream.receive_some(1)
        except NothingToReadError:
            return False
        else:
            return True
        finally:
            stream.transport_stream.looking = False

    async def aclose(self) -> None:
        """Close politely: over TLS with a close_notify, but without waiting for the peer's."""
        await self._stream.aclose()

    def abort(self) -> None:
        """Close the socket at once."""
        self._socket.close()
