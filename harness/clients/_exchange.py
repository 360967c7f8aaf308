"""One call on one pooled connection, for the protocols of databases.

An exchange owns the lease from its hand-out to its release: however it ends, the connection goes
back to the pool, and as reusable only if the exchange says that nothing is left on it.
"""

from __future__ import annotations

import ssl
from abc import ABC, abstractmethod
from collections.abc import Callable, Iterator
from contextlib import contextmanager
from random import Random
from types import TracebackType
from typing import Any, ClassVar, Generic, TypeVar

import trio

from harness.causes import reason_of
from harness.clients._connector import SessionConnection, SessionConnector
from harness.errors import CallFailed, ErrorKind
from harness.pool import Lease, News, Pool, PoolSettings, retry
from harness.pool.translate import kind_of
from harness.wire import WireError
from harness.worker.contract import Abandoned, Call, Reply, Settings

C = TypeVar("C", bound=SessionConnection)

PATIENCE_S = 30.0
"""For a call whose caller has no limit."""
RETRIES_LIMIT = 2
"""Further attempts of a call that may be repeated."""


class ServerRefused(Exception):  # noqa: N818 - states what happened
    """The server answered with an error; ``kind`` is what that means to a caller."""

    def __init__(self, message: str, *, kind: ErrorKind) -> None:
        super().__init__(message)
        self.kind = kind


FOREIGN = (
    OSError,
    EOFError,
    ssl.SSLError,
    trio.BrokenResourceError,
    trio.ClosedResourceError,
    trio.TooSlowError,
    WireError,
    ServerRefused,
)
"""What may go wrong on a connection; anything else is a bug and shows."""


class Exchange(ABC, Generic[C]):
    """A call on a connection: ``run`` makes it, leaving the ``with`` block releases."""

    def __init__(self, call: Call, lease: Lease[C], deadline: float) -> None:
        self._call = call
        self._lease = lease
        self._connection = lease.connection
        self._deadline = deadline
        self._sent = False

    @abstractmethod
    async def run(self) -> Reply:
        """The reply; raises CallFailed."""

    def __enter__(self) -> Exchange[C]:
        return self

    def __exit__(
        self,
        exc_type: type[BaseException] | None,
        exc: BaseException | None,
        traceback: TracebackType | None,
    ) -> None:
        if not self._may_be_reused():
            self._lease.discard()
        died = isinstance(exc, CallFailed) and exc.kind in retry.SUSPICIOUS
        self._lease.release(suspicious=died)

    def _may_be_reused(self) -> bool:
        return self._connection.is_clean

    @contextmanager
    def _translated(self) -> Iterator[None]:
        """Keep to the caller's patience, and raise CallFailed for whatever goes wrong."""
        try:
            with trio.fail_at(self._deadline):
                yield
        except FOREIGN as error:
            raise self._failure(error) from error

    def _failure(self, error: Exception) -> CallFailed:
        if isinstance(error, ServerRefused):
            return CallFailed(str(error), kind=error.kind, sent=self._sent)
        kind = "protocol" if isinstance(error, WireError) else kind_of(error)
        reason = "no whole reply in time" if kind == "timeout" else reason_of(error)
        return CallFailed(f"{kind}: {reason}", kind=kind, sent=self._sent)


class DatabaseCalls(ABC, Generic[C]):
    """Calls over a pool, each on a connection of its own for as long as it takes.

    ``random`` and ``on_event`` are the pool's.
    """

    pool_class: ClassVar[type[Pool[Any]]] = Pool
    connector_class: ClassVar[type[SessionConnector]]
    exchange_class: ClassVar[type[Exchange[Any]]]

    def __init__(
        self,
        settings: Settings,
        pool_settings: PoolSettings,
        *,
        random: Random,
        on_event: Callable[[News], object],
    ) -> None:
        self.pool: Pool[C] = self.pool_class(
            self.connector_class(settings), pool_settings, random=random, on_event=on_event
        )

    async def make(self, call: Call) -> Reply:
        """The reply to a call; raises PoolError.

        ``call.timeout_s`` covers the wait for a connection, the exchange and all retries.
        """
        patience_s = PATIENCE_S if call.timeout_s is None else call.timeout_s
        deadline = trio.current_time() + patience_s
        for retries_left in range(RETRIES_LIMIT, -1, -1):
            try:
                return await self._attempt(call, deadline)
            except CallFailed as error:
                in_time = trio.current_time() < deadline
                if not in_time or not retry.may_retry(
                    call.method, error.kind, sent=error.sent, retries_left=retries_left
                ):
                    raise
        raise AssertionError("the last attempt returns or raises")

    async def _attempt(self, call: Call, deadline: float) -> Reply:
        budget_s = min(self.pool.settings.timeout_s, deadline - trio.current_time())
        lease = await self.pool.lease(timeout_s=budget_s)
        if call.abandon == "reference":
            del lease  # the only reference: nobody will ever release it
            await trio.lowlevel.checkpoint()
            raise Abandoned("the caller lost the connection it had acquired")
        with self.exchange_class(call, lease, deadline) as exchange:
            return await exchange.run()
