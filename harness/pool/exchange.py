"""One call on one connection, from the first byte out to the last byte in.

A request with a body is sent by a task of its own, so that an early reply (RFC 9112 section 9.5)
is read while the server is no longer listening. If the reply is complete before the request is,
sending stops and the connection isn't reused.
"""

from __future__ import annotations

from contextlib import contextmanager
from dataclasses import dataclass, field
from typing import TYPE_CHECKING, TypeAlias

import h11
import trio

from harness.causes import reason_of
from harness.errors import CallFailed
from harness.pool.http_connection import TooLargeError
from harness.pool.retry import SUSPICIOUS
from harness.pool.translate import kind_of

if TYPE_CHECKING:
    from collections.abc import AsyncIterator, Awaitable, Callable, Iterator
    from types import TracebackType
    from typing import Self

    from harness.errors import ErrorKind
    from harness.pool.http_connection import HttpConnection
    from harness.pool.lease import Lease

    StartSoon: TypeAlias = Callable[[Callable[[], Awaitable[object]]], None]

_FOREIGN = (
    OSError,
    EOFError,
    trio.BrokenResourceError,
    trio.ClosedResourceError,
    trio.TooSlowError,
    h11.ProtocolError,
    TooLargeError,
)


@dataclass(slots=True)
class Call:
    """What the caller asked for. ``deadline`` is an instant on trio's clock."""

    method: str
    target: str
    headers: list[tuple[str, str]]
    body: bytes
    deadline: float
    retries: int = field(default=0)

    def __str__(self) -> str:
        return f"{self.method} {self.target}"


@dataclass(frozen=True, slots=True)
class Response:
    """A complete reply."""

    status: int
    headers: tuple[tuple[str, str], ...]
    body: bytes

    def header(self, name: str) -> str | None:
        """Return the first header field with this name, in any case, or None."""
        return next((value for key, value in self.headers if key == name.lower()), None)


class Exchange:
    """A reply that is being received; ``status`` and ``headers`` are there from the start."""

    def __init__(self, call: Call, lease: Lease[HttpConnection], start_soon: StartSoon) -> None:
        self.status = 0
        self.headers: tuple[tuple[str, str], ...] = ()
        self.reused = lease.reused
        self._call = call
        self._lease = lease
        self._connection = lease.connection
        self._start_soon = start_soon
        self._sent = False
        self._all_sent = False
        self._send_error: BaseException | None = None
        self._sending = trio.CancelScope()
        self._complete = False

    async def begin(self) -> None:
        """Send the request and receive the head of its reply; raises ``CallFailed``."""
        call = self._call
        with self._translated():
            payload = self._connection.encode(call.method, call.target, call.headers, call.body)
            await self._start_sending(payload)
            head = await self._connection.read_head()
        self.status = head.status_code
        self.headers = tuple((k.decode("latin-1"), v.decode("latin-1")) for k, v in head.headers)

    async def chunks(self) -> AsyncIterator[bytes]:
        """Yield the body piece by piece; raises ``CallFailed`` if it doesn't come to its end."""
        while chunk := await self.read_chunk():
            yield chunk

    async def read_chunk(self) -> bytes:
        """Return the next piece of the body, or nothing at its end; raises ``CallFailed``."""
        if self._complete:
            return b""
        with self._translated():
            chunk = await self._connection.read_chunk()
        self._complete = not chunk
        return chunk

    async def read(self) -> Response:
        """Return the whole reply; raises ``CallFailed`` if it doesn't come to its end."""
        parts = []
        while chunk := await self.read_chunk():
            parts.append(chunk)
        return Response(self.status, self.headers, b"".join(parts))

    # ------------------------------------------------------------ sending

    async def _start_sending(self, payload: bytes) -> None:
        self._sent = True
        if self._call.body:
            self._start_soon(lambda: self._send(payload))
        else:
            await self._send(payload)

    async def _send(self, payload: bytes) -> None:
        """Send the request; a failure is told only if there is no reply to read either."""
        with self._sending:
            try:
                await self._connection.send(payload)
                self._all_sent = True
            except (OSError, trio.BrokenResourceError, trio.ClosedResourceError) as error:
                self._send_error = error

    # ------------------------------------------------------------ the end

    def __enter__(self) -> Self:
        return self

    def __exit__(
        self,
        exc_type: type[BaseException] | None,
        exc: BaseException | None,
        traceback: TracebackType | None,
    ) -> None:
        self._sending.cancel()
        if exc is not None or not self._may_be_reused():
            self._lease.discard()
        died = isinstance(exc, CallFailed) and exc.kind in SUSPICIOUS
        self._lease.release(suspicious=died)

    def _may_be_reused(self) -> bool:
        """Tell whether both messages are complete and the connection is ready for more."""
        return self._complete and self._all_sent and self._connection.next_cycle()

    @contextmanager
    def _translated(self) -> Iterator[None]:
        try:
            with trio.fail_at(self._call.deadline):
                yield
        except _FOREIGN as error:
            raise self._failure(error) from error

    def _failure(self, error: BaseException) -> CallFailed:
        kind, reason = self._kind_of(error), reason_of(error)
        if kind == "timeout":
            reason = "no whole reply in time"
        return CallFailed(f"{self._call}: {kind}: {reason}", kind=kind, sent=self._sent)

    def _kind_of(self, error: BaseException) -> ErrorKind:
        if isinstance(error, TooLargeError | h11.LocalProtocolError):
            return "protocol"
        kind = kind_of(error)
        if kind == "other" and self._send_error is not None:
            return kind_of(self._send_error)
        return kind
