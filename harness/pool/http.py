"""An HTTP/1.1 client for one host, on the pool."""

from __future__ import annotations

from contextlib import asynccontextmanager
from typing import TYPE_CHECKING, ClassVar

import trio

from harness.errors import CallFailed
from harness.pool import retry
from harness.pool.exchange import Call, Exchange, Response
from harness.pool.http_connection import HttpConnection, HttpLimits
from harness.pool.http_connector import HttpConnector
from harness.pool.pool import Pool

if TYPE_CHECKING:
    import ssl
    from collections.abc import AsyncIterator, Awaitable, Callable, Iterable
    from random import Random
    from types import TracebackType
    from typing import Self

    from harness.pool.events import News
    from harness.pool.settings import PoolSettings

_WITH_BODY = frozenset({"POST", "PUT", "PATCH"})


class HttpClient:
    """Calls to one host over pooled connections; ``async with HttpClient(...) as client`` opens it.

    Every failure of a call is a ``PoolError``: ``PoolTimeout``, ``PoolClosed`` or
    ``ConnectFailed`` if it got no connection, ``CallFailed`` if it got no whole reply. Its
    ``kind`` is the cause in one word, and ``sent`` is False only if no byte has left. What may be
    repeated without harm is repeated here, see ``harness.pool.retry``.

    ``ssl_context`` makes it HTTPS; ``server_hostname`` is the name to verify, if it isn't the
    host. ``random`` and ``on_event`` are the pool's.
    """

    pool_class: ClassVar[type[Pool[HttpConnection]]] = Pool
    connector_class: ClassVar[type[HttpConnector]] = HttpConnector
    exchange_class: ClassVar[type[Exchange]] = Exchange

    def __init__(
        self,
        host: str,
        port: int,
        *,
        settings: PoolSettings | None = None,
        limits: HttpLimits | None = None,
        ssl_context: ssl.SSLContext | None = None,
        server_hostname: str | None = None,
        random: Random | None = None,
        on_event: Callable[[News], object] | None = None,
    ) -> None:
        self.limits = limits or HttpLimits()
        self._connector = self.connector_class(
            host,
            port,
            limits=self.limits,
            ssl_context=ssl_context,
            server_hostname=server_hostname,
        )
        self.pool = self.pool_class(self._connector, settings, random=random, on_event=on_event)

    async def __aenter__(self) -> Self:
        await self.pool.__aenter__()
        return self

    def __aexit__(
        self,
        exc_type: type[BaseException] | None,
        exc: BaseException | None,
        traceback: TracebackType | None,
    ) -> Awaitable[bool | None]:
        return self.pool.__aexit__(exc_type, exc, traceback)

    async def request(
        self,
        method: str,
        target: str,
        *,
        headers: Iterable[tuple[str, str]] = (),
        body: bytes = b"",
        timeout_s: float | None = None,
    ) -> Response:
        """Return the complete reply to one call.

        ``timeout_s`` covers the wait for a connection, the exchange and all retries; the default
        is ``limits.call_timeout_s``. Raises ``PoolError``.
        """
        call = self._call(method, target, headers, body, timeout_s)
        while True:
            try:
                with await self._begin(call) as exchange:
                    response = await exchange.read()
            except CallFailed as error:
                if not self._may_retry(call, error):
                    raise
            else:
                if not self._is_stray(call, exchange):
                    return response
            call.retries += 1

    @asynccontextmanager
    async def stream(
        self,
        method: str,
        target: str,
        *,
        headers: Iterable[tuple[str, str]] = (),
        body: bytes = b"",
        timeout_s: float | None = None,
    ) -> AsyncIterator[Exchange]:
        """Yield a reply as soon as its head is there; read it with ``chunks()`` or ``read()``.

        A connection failure is retried until then, and raised by the reading from then on. A
        reply that isn't read to its end costs its connection. Otherwise like ``request``.
        """
        call = self._call(method, target, headers, body, timeout_s)
        with await self._begin_with_retries(call) as exchange:
            yield exchange

    # ------------------------------------------------------------ attempts

    async def _begin_with_retries(self, call: Call) -> Exchange:
        while True:
            try:
                return await self._begin(call)
            except CallFailed as error:
                if not self._may_retry(call, error):
                    raise
            call.retries += 1

    async def _begin(self, call: Call) -> Exchange:
        """Return an exchange whose reply has begun, on a connection of its own."""
        budget_s = min(self.pool.settings.timeout_s, call.deadline - trio.current_time())
        lease = await self.pool.lease(timeout_s=budget_s)
        exchange = self.exchange_class(call, lease, self.pool.start_soon)
        try:
            await exchange.begin()
        except BaseException as error:
            exchange.__exit__(type(error), error, error.__traceback__)
            raise
        return exchange

    def _may_retry(self, call: Call, error: CallFailed) -> bool:
        """Tell whether a failed call is made again; there must be time left for it."""
        left = self.limits.max_retries - call.retries
        in_time = trio.current_time() < call.deadline
        return in_time and retry.may_retry(
            call.method, error.kind, sent=error.sent, retries_left=left
        )

    def _is_stray(self, call: Call, exchange: Exchange) -> bool:
        """Tell whether a reply wasn't meant for this call, which can be made again."""
        left = self.limits.max_retries - call.retries
        in_time = trio.current_time() < call.deadline
        return in_time and retry.is_stray_timeout(
            call.method, exchange.status, reused=exchange.reused, retries_left=left
        )

    def _call(
        self,
        method: str,
        target: str,
        headers: Iterable[tuple[str, str]],
        body: bytes,
        timeout_s: float | None,
    ) -> Call:
        budget_s = self.limits.call_timeout_s if timeout_s is None else timeout_s
        if not budget_s > 0:
            raise ValueError(f"timeout_s is {budget_s}; use more than 0 seconds")
        given = list(headers)
        names = {name.lower() for name, _ in given}
        if "host" not in names:
            given.insert(0, ("Host", self._connector.authority))
        if not names & {"content-length", "transfer-encoding"} and (body or method in _WITH_BODY):
            given.append(("Content-Length", str(len(body))))
        return Call(method, target, given, body, trio.current_time() + budget_s)
