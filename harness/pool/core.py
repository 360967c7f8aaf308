"""The whole behaviour of the pool, without a clock, a socket or an await.

``PoolCore.on(event, now)`` changes the state and returns what is to be done about it. Whoever
runs the core performs those effects, tells it what came of them, and sends a ``Tick`` at
``next_deadline()``. Because a change is complete when ``on`` returns, a caller cancelled at any
moment finds no half of it.

The rules, in the order in which they are applied to each event:

1. Callers whose time is over are refused (``_expire_waiters``).
2. The event itself moves at most one connection from one state to another; ``records.MOVES`` is
   the table of the moves there are.
3. Supply meets demand (``_balance``): idle connections are checked for the callers in the queue,
   and connects are started for those that no check and no connect under way can serve.
4. A connection that is idle now and wasn't before is watched, or closed if it is one too many.

A caller is never tied to a particular connection while it waits: whichever becomes ready first
goes to the head of the queue, so the order is first come, first served. Idle connections are
reused last in, first out, so that in quiet times the others reach their ``idle_timeout``.

Failing connects are the pool's state, not a caller's: after a failure one attempt is made at a
time, after a pause (``backoff``), however many callers wait; the first success lifts that.

What may be done is decided in ``decisions``, one small method each; here is what follows.
"""

from __future__ import annotations

import heapq
from math import inf
from typing import assert_never

from harness.pool import events as ev
from harness.pool.decisions import Decisions
from harness.pool.records import Slot, State, Waiter


class PoolCore(Decisions):
    """Everything a pool does about an event; see the module for the rules."""

    # ------------------------------------------------------------ the interface

    def on(self, event: ev.Event, now: float) -> list[ev.Effect]:
        """Return what is to be done about ``event``; ``now`` is in seconds on any steady clock.

        Raises ``RuntimeError`` for an event that can't follow, such as a second release.
        """
        self._expire_waiters(now)
        self._handle(event, now)
        if self._shutdown_at is None:
            self._balance(now)
        else:
            self._advance_shutdown(now)
        self._settle(now)
        effects, self._effects = self._effects, []
        return effects

    def next_deadline(self) -> float | None:
        """Return when the core wants a ``Tick``, or None if only an event can change anything."""
        while self._deadlines and self._deadlines[0][1] not in self._queue:
            heapq.heappop(self._deadlines)
        due = self._deadlines[0][0] if self._deadlines else inf
        if self._shutdown_at is None:
            due = min(due, self._retry_due(), *map(self._expires_at, self._all(State.IDLE)))
        elif not all(slot.aborted for slot in self._slots.values()):
            due = min(due, self._shutdown_at)
        return None if due == inf else due

    # ------------------------------------------------------------ events

    def _handle(self, event: ev.Event, now: float) -> None:
        match event:
            case ev.Start() | ev.Tick():
                self._evict(now)  # and whatever every event leads to
            case ev.Acquire():
                self._on_acquire(event, now)
            case ev.GiveUp():
                self._on_give_up(event)
            case ev.Connected():
                self._on_connected(event, now)
            case ev.ConnectError():
                self._on_connect_error(event, now)
            case ev.Drain():
                self._generation += 1
                self._evict(now)
            case ev.Shutdown():
                self._on_shutdown(event, now)
            case _:
                self._handle_use(event, now)

    def _handle_use(
        self, event: ev.Checked | ev.WentStale | ev.Release | ev.Lost | ev.Gone, now: float
    ) -> None:
        match event:
            case ev.Checked():
                self._on_checked(event, now)
            case ev.WentStale():
                self._on_stale(event, now)
            case ev.Release():
                self._on_release(event, now)
            case ev.Lost():
                self._on_lost(event, now)
            case ev.Gone():
                self._on_gone(event)
            case _:
                assert_never(event)

    def _on_acquire(self, event: ev.Acquire, now: float) -> None:
        waiter = Waiter(event.waiter, now, event.deadline)
        if self._shutdown_at is not None:
            self._refuse(waiter, "closed", now)
        elif self._is_full():
            self._refuse(waiter, "full", now)
        else:
            self._queue[waiter.waiter] = waiter
            heapq.heappush(self._deadlines, (waiter.deadline, waiter.waiter))

    def _on_give_up(self, event: ev.GiveUp) -> None:
        self._queue.pop(event.waiter, None)
        for slot in self._all(State.IN_USE):
            if slot.holder == event.waiter:  # granted in the very tick of its cancellation
                self._make_idle(slot)

    def _on_connected(self, event: ev.Connected, now: float) -> None:
        slot = self._slot_of(event, State.CONNECTING)
        if slot is None:
            return
        self._failures, self._error = 0, None
        self._totals.opened += 1
        self._tell(ev.Opened(now, slot.conn, now - slot.since))
        slot.since = slot.alive_at = now
        self._serve(slot, now, reused=False)

    def _on_connect_error(self, event: ev.ConnectError, now: float) -> None:
        slot = self._slot_of(event, State.CONNECTING)
        if slot is None:
            return
        self._forget(slot)
        self._totals.failed_connects += 1
        self._error = event.error
        if slot.since > self._failed_at:  # attempts that ran side by side count once
            self._failures += 1
            self._failed_at = now
            self._retry_at = now + self._pause_s()
        pause_s = max(0.0, self._retry_at - now)
        self._tell(ev.AttemptFailed(now, slot.conn, event.error, event.permanent, pause_s))
        if event.permanent:
            for waiter in self._hopeless():
                self._refuse(waiter, "connect", now)

    def _on_checked(self, event: ev.Checked, now: float) -> None:
        slot = self._slot_of(event, State.CHECKING)
        if slot is None:
            return
        if event.failure is not None:
            doubtful = self._no_better_than(slot) if event.failure == "ping_failed" else []
            for dead in (slot, *doubtful):
                self._drop(dead, event.failure, now)
            return
        if event.pinged:
            slot.alive_at, slot.suspect = now, False
        self._reuse(slot, now)

    def _reuse(self, slot: Slot, now: float) -> None:
        """Serve a caller with a connection that passed its check, unless it has expired since."""
        reason = self._unusable_because(slot, now)
        if reason is None:
            self._serve(slot, now, reused=True)
        else:
            self._close(slot, reason, now)

    def _on_stale(self, event: ev.WentStale, now: float) -> None:
        slot = self._slot_of(event, State.IDLE, State.CHECKING)
        if slot is not None:
            self._drop(slot, "stale", now)

    def _on_release(self, event: ev.Release, now: float) -> None:
        if event.suspicious:
            for idle in self._all(State.IDLE):
                idle.suspect = True
        slot = self._slot_of(event, State.IN_USE)
        if slot is None:
            return
        self._tell(ev.Released(now, slot.conn, event.reusable))
        if not event.reusable:
            self._drop(slot, "discarded", now)
            return
        slot.alive_at = now
        self._make_idle(slot)

    def _on_lost(self, event: ev.Lost, now: float) -> None:
        slot = self._slot_of(event, State.IN_USE)
        if slot is None:
            return
        self._totals.leaks += 1
        self._tell(ev.LeakDetected(now, slot.conn, event.where))
        self._drop(slot, "leaked", now)

    def _on_gone(self, event: ev.Gone) -> None:
        slot = self._slots.get(event.conn)
        if slot is not None and slot.state is State.CLOSING:
            self._forget(slot)

    def _on_shutdown(self, event: ev.Shutdown, now: float) -> None:
        already = inf if self._shutdown_at is None else self._shutdown_at
        self._shutdown_at = min(event.deadline, already)
        for waiter in list(self._queue.values()):
            self._refuse(waiter, "closed", now)

    # ------------------------------------------------------------ rules for every event

    def _expire_waiters(self, now: float) -> None:
        while self._deadlines and self._deadlines[0][0] <= now:
            _, number = heapq.heappop(self._deadlines)
            waiter = self._queue.get(number)
            if waiter is not None and self._has_timed_out(waiter, now):
                self._refuse(waiter, self._lateness(waiter), now)

    def _lateness(self, waiter: Waiter) -> ev.RefuseReason:
        return "connect" if self._blames_connect(waiter) else "timeout"

    def _balance(self, now: float) -> None:
        """Start a check or a connect for every caller that none under way can serve."""
        while len(self._queue) > len(self._by_state[State.CHECKING]) and self._all(State.IDLE):
            self._offer(self._next_idle(), now)
        while self._wants_connection() and self._has_room() and self._may_try(now):
            self._connect(now)

    def _offer(self, slot: Slot, now: float) -> None:
        reason = self._unusable_because(slot, now)
        if reason is not None:
            self._close(slot, reason, now)
            return
        self._move(slot, State.CHECKING)
        self._effects.append(ev.Check(slot.conn, self._needs_ping(slot, now)))

    def _settle(self, now: float) -> None:
        """Watch the connections this event made idle, or close them."""
        newly_idle, self._newly_idle = self._newly_idle, []
        for slot in newly_idle:
            if slot.state is not State.IDLE:
                continue
            reason = self._unusable_because(slot, now)
            if reason is not None or self._is_surplus():
                self._close(slot, reason or "overflow", now)
            else:
                self._effects.append(ev.Watch(slot.conn))

    def _advance_shutdown(self, now: float) -> None:
        """Close what nobody uses; once the grace is over, abort what is left."""
        assert self._shutdown_at is not None
        if now >= self._shutdown_at:
            for slot in list(self._slots.values()):
                self._abort_at_last(slot, now)
        for slot in self._all(State.CONNECTING) + self._all(State.CHECKING):
            self._drop(slot, "shutdown", now)
        for slot in self._all(State.IDLE):
            self._close(slot, "shutdown", now)
        if not self._slots and not self._finished:
            self._finished = True
            self._effects.append(ev.Finish())

    def _abort_at_last(self, slot: Slot, now: float) -> None:
        if slot.state is not State.CLOSING:
            self._drop(slot, "shutdown", now)
        elif not slot.aborted:  # its polite close has taken too long
            slot.aborted = True
            self._effects.append(ev.Abort(slot.conn))

    def _evict(self, now: float) -> None:
        for slot in self._all(State.IDLE):
            reason = self._unusable_because(slot, now)
            if reason is not None:
                self._close(slot, reason, now)

    def _expires_at(self, slot: Slot) -> float:
        return min(self._recycle_at(slot), self._idle_until(slot))

    def _retry_due(self) -> float:
        waiting = self._failures and not self._by_state[State.CONNECTING]
        return self._retry_at if waiting and self._has_room() and self._wants_connection() else inf

    # ------------------------------------------------------------ single moves

    def _connect(self, now: float) -> None:
        self._last_conn += 1
        slot = Slot(self._last_conn, self._generation, since=now, alive_at=now)
        self._slots[slot.conn] = self._by_state[slot.state][slot.conn] = slot
        self._effects.append(ev.Connect(slot.conn))

    def _serve(self, slot: Slot, now: float, *, reused: bool) -> None:
        """Give a live connection to the next caller, or let it become idle."""
        if not self._queue:
            self._make_idle(slot)
            return
        waiter = self._next_waiter()
        del self._queue[waiter.waiter]
        self._move(slot, State.IN_USE)
        slot.holder = waiter.waiter
        self._effects.append(ev.Grant(waiter.waiter, slot.conn, reused))
        self._tell(ev.Acquired(now, slot.conn, now - waiter.since, reused))

    def _make_idle(self, slot: Slot) -> None:
        slot.holder = None
        self._move(slot, State.IDLE)
        self._newly_idle.append(slot)

    def _close(self, slot: Slot, reason: ev.CloseReason, now: float) -> None:
        self._retire(slot, reason, now)
        self._effects.append(ev.Close(slot.conn))

    def _drop(self, slot: Slot, reason: ev.CloseReason, now: float) -> None:
        self._retire(slot, reason, now)
        slot.aborted = True
        self._effects.append(ev.Abort(slot.conn))

    def _retire(self, slot: Slot, reason: ev.CloseReason, now: float) -> None:
        if slot.state is not State.CONNECTING:  # an attempt was never open
            self._totals.closed += 1
            self._tell(ev.Closed(now, slot.conn, reason))
        self._move(slot, State.CLOSING)

    def _refuse(self, waiter: Waiter, reason: ev.RefuseReason, now: float) -> None:
        self._totals.timeouts += reason in {"timeout", "connect"} and now >= waiter.deadline
        error = self._error if reason == "connect" else None
        self._effects.append(ev.Refuse(waiter.waiter, reason, self._describe(waiter, now), error))
        self._queue.pop(waiter.waiter, None)
        self._tell(ev.Refused(now, now - waiter.since, reason))

    def _describe(self, waiter: Waiter, now: float) -> str:
        counts = ", ".join(f"{len(slots)} {state.value}" for state, slots in self._by_state.items())
        return f"after {now - waiter.since:.3f} s of waiting: {counts}, limit {self.settings.limit}"

    def _tell(self, news: ev.News) -> None:
        self._effects.append(ev.Tell(news))
