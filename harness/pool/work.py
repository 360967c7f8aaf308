"""What is under way on each connection: one task, one operation at a time.

An order for a connection that is already being worked on cancels the operation under way and
takes its place, in the same task: that is how a watched connection comes to be checked, and a
connect attempt to be dropped, without two operations ever meeting on one connection. What came of
an operation is reported as an event in the same step in which it ended.
"""

from __future__ import annotations

from contextlib import suppress
from dataclasses import dataclass, field
from typing import TYPE_CHECKING, Generic, TypeAlias, TypeVar, assert_never

import trio

from harness.pool import events as ev

if TYPE_CHECKING:
    from collections.abc import Callable

    from harness.pool.connector import Connector
    from harness.pool.settings import PoolSettings

C = TypeVar("C")

Order: TypeAlias = ev.Connect | ev.Watch | ev.Check | ev.Close | ev.Abort


@dataclass(slots=True)
class _Job:
    """The task at work on one connection: what it does next, and how to stop what it does."""

    order: Order | None
    scope: trio.CancelScope = field(default_factory=trio.CancelScope)


class Work(Generic[C]):
    """Performs the core's orders with a connector, and tells ``submit`` what came of them."""

    def __init__(
        self, connector: Connector[C], settings: PoolSettings, submit: Callable[[ev.Event], None]
    ) -> None:
        self._connector = connector
        self._settings = settings
        self._submit = submit
        self._connections: dict[int, C] = {}
        self._jobs: dict[int, _Job] = {}

    def order(self, order: Order, nursery: trio.Nursery) -> None:
        """Have something done to a connection, instead of what is being done to it."""
        job = self._jobs.get(order.conn)
        if job is not None:
            job.order = order
            job.scope.cancel()
        elif isinstance(order, ev.Abort):
            self._abort(order.conn)
        else:
            job = self._jobs[order.conn] = _Job(order)
            nursery.start_soon(self._run, order.conn, job)

    def connection(self, conn: int) -> C:
        """Return the live connection with this number."""
        return self._connections[conn]

    def sweep(self) -> None:
        """Drop what a cancelled task has left open, when all tasks have ended."""
        self._jobs.clear()
        for conn in list(self._connections):
            self._abort(conn)

    async def _run(self, conn: int, job: _Job) -> None:
        while (order := job.order) is not None:
            job.order = None
            with trio.CancelScope() as job.scope:
                await self._carry_out(order)
        self._jobs.pop(conn, None)

    async def _carry_out(self, order: Order) -> None:
        match order:
            case ev.Connect():
                await self._connect(order.conn)
            case ev.Watch():
                await self._watch(order.conn)
            case ev.Check():
                await self._check(order.conn, ping=order.ping)
            case ev.Close():
                await self._close(order.conn)
            case ev.Abort():
                self._abort(order.conn)
            case _:
                assert_never(order)

    async def _connect(self, conn: int) -> None:
        try:
            with trio.fail_after(self._settings.connect_timeout_s):
                connection = await self._connector.connect()
        except Exception as error:  # noqa: BLE001 - a connector may fail in any way; callers are told
            self._submit(ev.ConnectError(conn, error, self._connector.is_permanent(error)))
            return
        self._connections[conn] = connection
        self._submit(ev.Connected(conn))

    async def _watch(self, conn: int) -> None:
        with suppress(Exception):
            await self._connector.wait_stale(self._connections[conn])
        self._submit(ev.WentStale(conn))

    async def _check(self, conn: int, *, ping: bool) -> None:
        failure: ev.CheckFailure | None = "ping_failed" if ping else "stale"
        with suppress(Exception), trio.move_on_after(self._settings.ping_timeout_s):
            failure = await self._examine(self._connections[conn], ping=ping)
        self._submit(ev.Checked(conn, ping, failure))

    async def _examine(self, connection: C, *, ping: bool) -> ev.CheckFailure | None:
        if await self._connector.is_stale(connection):
            return "stale"
        if ping and not await self._connector.ping(connection):
            return "ping_failed"
        return None

    async def _close(self, conn: int) -> None:
        try:
            with suppress(Exception), trio.move_on_after(self._settings.close_timeout_s):
                await self._connector.close(self._connections[conn])
        finally:
            self._abort(conn)

    def _abort(self, conn: int) -> None:
        connection = self._connections.pop(conn, None)
        if connection is not None:
            with suppress(Exception):
                self._connector.abort(connection)
        self._submit(ev.Gone(conn))
