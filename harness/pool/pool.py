"""The pool itself: a trio shell that performs what the core decides.

``_submit`` is the only way into the core, and it never awaits: an event goes in, the effects that
come out are performed at once, down to the last. Whatever takes time is done by tasks of the
pool's own, never by the caller's, so a cancelled caller cuts nothing short:

- one task for each connection with work under way, see ``work``;
- one task for the core's deadline (``_keep_time``).

They are shielded from the cancellation of the block that opened the pool, and end with it.
"""

from __future__ import annotations

import logging
from collections import deque
from contextlib import asynccontextmanager, suppress
from dataclasses import dataclass, field
from itertools import count
from math import inf
from random import Random
from typing import TYPE_CHECKING, Any, ClassVar, Generic, TypeVar, assert_never

import trio

from harness.causes import reason_of
from harness.errors import ConnectFailed, PoolClosed, PoolError, PoolTimeout
from harness.pool import events as ev
from harness.pool.core import PoolCore
from harness.pool.lease import Lease, caller_place
from harness.pool.settings import PoolSettings
from harness.pool.translate import kind_of
from harness.pool.work import Work

if TYPE_CHECKING:
    from collections.abc import AsyncIterator, Awaitable, Callable
    from types import TracebackType
    from typing import Self

    from harness.pool.connector import Connector
    from harness.pool.records import PoolStats

C = TypeVar("C")

_log = logging.getLogger("harness.pool")


@dataclass(slots=True)
class _Ticket:
    """What a caller in the queue waits on, and what it got."""

    done: trio.Event = field(default_factory=trio.Event)
    grant: ev.Grant | None = None
    error: PoolError | None = None


class Pool(Generic[C]):
    """Connections that are opened, checked, shared and closed for you, within ``settings``.

    ``async with Pool(connector) as pool`` opens it; leaving the block closes it, and lets the
    block's own exception through as it is. ``random`` is for the back-off; ``on_event`` is called
    with each piece of news (``harness.pool.events``) as it happens and must not raise.
    """

    core_class: ClassVar[type[PoolCore]] = PoolCore
    work_class: ClassVar[type[Work[Any]]] = Work

    def __init__(
        self,
        connector: Connector[C],
        settings: PoolSettings | None = None,
        *,
        random: Random | None = None,
        on_event: Callable[[ev.News], object] | None = None,
    ) -> None:
        self.settings = settings or PoolSettings()
        self._core = self.core_class(self.settings, random or Random())
        self._on_event = on_event
        self._work = self.work_class(connector, self.settings, self._submit)
        self._tickets: dict[int, _Ticket] = {}
        self._numbers = count(1)
        self._todo: deque[ev.Effect] = deque()
        self._performing = False
        self._lost: deque[tuple[int, str]] = deque()
        self._timer = trio.CancelScope()
        self._nursery: trio.Nursery | None = None
        self._token: trio.lowlevel.TrioToken | None = None
        self._finished = trio.Event()

    # ------------------------------------------------------------ for callers

    @asynccontextmanager
    async def acquire(self, *, timeout_s: float | None = None) -> AsyncIterator[C]:
        """Yield a live connection, and take it back at the end of the block.

        It is reused by others only if the block ends without an exception. Raises what
        ``lease`` raises.
        """
        with await self.lease(timeout_s=timeout_s) as lease:
            yield lease.connection

    async def lease(self, *, timeout_s: float | None = None) -> Lease[C]:
        """Return a live connection to be released by the caller, with ``with`` or ``release()``.

        ``timeout_s`` covers queueing, connecting and pinging altogether; the default is the one
        of the settings. Raises ``PoolTimeout`` if all connections stayed in use, ``ConnectFailed``
        if none could be opened, ``PoolClosed`` if the pool is closed or gets closed meanwhile.
        """
        where = caller_place()
        budget_s = self.settings.timeout_s if timeout_s is None else timeout_s
        if not budget_s > 0:
            raise ValueError(f"timeout_s is {budget_s}; use more than 0 seconds")
        if self._nursery is None:
            raise RuntimeError("the pool isn't open yet; use `async with pool:`")
        number = next(self._numbers)
        ticket = self._tickets[number] = _Ticket()
        try:
            self._submit(ev.Acquire(number, trio.current_time() + budget_s))
            await ticket.done.wait()
        except BaseException:
            self._withdraw(number)
            raise
        finally:
            del self._tickets[number]
        return self._redeem(ticket, where)

    def start_soon(self, run: Callable[[], Awaitable[object]]) -> None:
        """Run something beside the callers; it is cancelled when the pool has closed.

        It must not raise: an exception of it ends the pool and the block that opened it.
        """
        if self._nursery is None:
            raise RuntimeError("the pool isn't open yet; use `async with pool:`")
        self._nursery.start_soon(run)

    def stats(self) -> PoolStats:
        """Return a snapshot of what is there now, with the totals so far."""
        return self._core.stats()

    def drain(self) -> None:
        """Let go of all connections open now: idle ones at once, the others when released.

        The pool goes on with new ones; use it after the server behind a name has changed.
        """
        self._submit(ev.Drain())

    async def aclose(self, *, grace_s: float | None = None) -> None:
        """Close the pool; returns when its last connection is closed.

        Waiting callers get ``PoolClosed`` at once. Connections in use may finish within
        ``grace_s`` seconds (default: ``settings.grace_s``); then they are dropped, and so they
        are if this call is cancelled.
        """
        grace_s = self.settings.grace_s if grace_s is None else grace_s
        try:
            self._submit(ev.Shutdown(trio.current_time() + grace_s))
            if self._nursery is None:
                self._finished.set()
            await self._finished.wait()
        except BaseException:
            self._submit(ev.Shutdown(trio.current_time()))
            raise

    # ------------------------------------------------------------ opening and closing

    async def __aenter__(self) -> Self:
        if self._token is not None:
            raise RuntimeError("a pool can be opened once")
        self._token = trio.lowlevel.current_trio_token()
        self._block = self._opened()
        await self._block.__aenter__()
        return self

    def __aexit__(
        self,
        exc_type: type[BaseException] | None,
        exc: BaseException | None,
        traceback: TracebackType | None,
    ) -> Awaitable[bool | None]:
        return self._leave(exc_type, exc, traceback)

    async def _leave(
        self,
        exc_type: type[BaseException] | None,
        exc: BaseException | None,
        traceback: TracebackType | None,
    ) -> bool | None:
        try:
            with _Unwrapped(exc):
                return await self._block.__aexit__(exc_type, exc, traceback)
        finally:
            self._work.sweep()
        return False

    @asynccontextmanager
    async def _opened(self) -> AsyncIterator[None]:
        ready, scope = trio.Event(), trio.CancelScope(shield=True)
        async with trio.open_nursery() as outer:
            outer.start_soon(self._background, scope, ready)
            try:
                await ready.wait()
                self._submit(ev.Start())
                yield
                await self.aclose()
            except BaseException:  # nothing of the pool outlives its block
                self._submit(ev.Shutdown(trio.current_time()))
                raise
            finally:
                scope.cancel()  # also if it hasn't been entered yet

    async def _background(self, scope: trio.CancelScope, ready: trio.Event) -> None:
        """Run our own tasks, out of reach of what cancels the block that opened the pool."""
        with scope:
            async with trio.open_nursery() as self._nursery:
                self._nursery.start_soon(self._keep_time)
                ready.set()

    # ------------------------------------------------------------ between callers and core

    def _submit(self, event: ev.Event) -> None:
        self._todo.extend(self._core.on(event, trio.current_time()))
        if self._performing:  # an effect led to this event; its performer goes on with ours
            return
        self._performing = True
        try:
            while self._todo:
                self._perform(self._todo.popleft())
        finally:
            self._performing = False
        self._set_timer()

    def _perform(self, effect: ev.Effect) -> None:
        match effect:
            case ev.Grant():
                self._tickets[effect.waiter].grant = effect
                self._tickets[effect.waiter].done.set()
            case ev.Refuse():
                self._tickets[effect.waiter].error = self._refusal(effect)
                self._tickets[effect.waiter].done.set()
            case ev.Tell():
                self._tell(effect.news)
            case ev.Finish():
                self._finished.set()
            case ev.Connect() | ev.Watch() | ev.Check() | ev.Close() | ev.Abort():
                assert self._nursery is not None
                self._work.order(effect, self._nursery)
            case _:
                assert_never(effect)

    def _withdraw(self, number: int) -> None:
        """Give back a caller's place in the queue, or what it was granted in this very tick."""
        self._submit(ev.GiveUp(number))

    def _redeem(self, ticket: _Ticket, where: str) -> Lease[C]:
        if ticket.error is not None:
            raise ticket.error
        grant = ticket.grant
        assert grant is not None
        return Lease(
            self._work.connection(grant.conn),
            grant.conn,
            reused=grant.reused,
            where=where,
            on_release=self._release,
            on_lost=self._note_lost,
        )

    def _refusal(self, effect: ev.Refuse) -> PoolError:
        match effect.reason:
            case "closed":
                return PoolClosed("the pool is closed")
            case "timeout":
                return PoolTimeout(f"no connection became free {effect.detail}")
            case "full":
                return PoolTimeout(f"the queue is full {effect.detail}")
            case "connect":
                return self._connect_failed(effect)
            case _:
                assert_never(effect.reason)

    @staticmethod
    def _connect_failed(effect: ev.Refuse) -> ConnectFailed:
        if effect.error is None:
            return ConnectFailed(f"still connecting {effect.detail}", kind="timeout")
        text = f"can't connect: {reason_of(effect.error)} ({effect.detail})"
        failed = ConnectFailed(text, kind=kind_of(effect.error))
        failed.__cause__ = effect.error
        return failed

    def _release(self, conn: int, reusable: bool, suspicious: bool) -> None:
        self._submit(ev.Release(conn, reusable, suspicious))

    def _note_lost(self, conn: int, where: str) -> None:
        """Note a lost lease; called by the garbage collector, in any thread, at any moment."""
        self._lost.append((conn, where))
        if self._token is not None:
            with suppress(trio.RunFinishedError):
                self._token.run_sync_soon(self._collect_lost, idempotent=True)

    def _collect_lost(self) -> None:
        while self._lost:
            conn, where = self._lost.popleft()
            self._submit(ev.Lost(conn, where))

    def _tell(self, news: ev.News) -> None:
        if self._on_event is None:
            return
        try:
            self._on_event(news)
        except Exception:  # noqa: BLE001 - an observer's fault must not reach a caller
            _log.exception("on_event failed for %r", news)

    # ------------------------------------------------------------ time

    def _set_timer(self) -> None:
        due = self._core.next_deadline()
        self._timer.deadline = inf if due is None else due

    async def _keep_time(self) -> None:
        while True:
            with trio.CancelScope() as self._timer:
                self._set_timer()
                await trio.sleep_forever()
            self._submit(ev.Tick())


class _Unwrapped:
    """Hides a nursery's wrapper around ``exc``, with which its block ended anyway."""

    def __init__(self, exc: BaseException | None) -> None:
        self._exc = exc

    def __enter__(self) -> None:
        return

    def __exit__(
        self,
        exc_type: type[BaseException] | None,
        raised: BaseException | None,
        traceback: TracebackType | None,
    ) -> bool:
        return raised is not None and self._exc is not None and self._says_only(raised)

    def _says_only(self, raised: BaseException) -> bool:
        if isinstance(raised, BaseExceptionGroup) and raised is not self._exc:
            return all(self._says_only(member) for member in raised.exceptions)
        return raised is self._exc or isinstance(raised, trio.Cancelled)
