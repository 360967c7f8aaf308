"""Every decision of the pool, one small method each.

They read the books and change nothing, so that a test can override any one of them to get a pool
that is broken in exactly one way.
"""

from __future__ import annotations

from math import inf
from typing import TYPE_CHECKING

from harness.pool.backoff import backoff_s
from harness.pool.ledger import Ledger
from harness.pool.records import Slot, State, Waiter

if TYPE_CHECKING:
    from harness.pool import events as ev


class Decisions(Ledger):
    """What may be done, which one is next, and when something is too old or too late."""

    def _has_room(self) -> bool:
        """Tell whether one more connection may exist; those being closed still count."""
        return len(self._slots) < self.settings.limit

    def _may_try(self, now: float) -> bool:
        """Tell whether a connect may start now: freely, or one at a time while they fail."""
        if not self._failures:
            return True
        return not self._by_state[State.CONNECTING] and now >= self._retry_at

    def _pause_s(self) -> float:
        """Return the pause after a failed connect."""
        base_s, cap_s = self.settings.backoff_base_s, self.settings.backoff_cap_s
        return backoff_s(self._failures, base_s=base_s, cap_s=cap_s, random=self._random)

    def _wants_connection(self) -> bool:
        """Tell whether a caller, or the reserve of idle ones, is short of a connection."""
        underway = len(self._by_state[State.CHECKING]) + len(self._by_state[State.CONNECTING])
        spare = len(self._by_state[State.IDLE]) + underway - len(self._queue)
        return spare < 0 or (spare < self.settings.min_idle and self._is_below_size())

    def _is_below_size(self) -> bool:
        return len(self._slots) < self.settings.size

    def _next_waiter(self) -> Waiter:
        """Choose the caller to serve: the one that came first."""
        return next(iter(self._queue.values()))

    def _next_idle(self) -> Slot:
        """Choose the idle connection to hand out: the one used last."""
        return next(reversed(self._by_state[State.IDLE].values()))

    def _has_timed_out(self, waiter: Waiter, now: float) -> bool:
        """Tell whether a caller's budget is used up."""
        return now >= waiter.deadline

    def _recycle_at(self, slot: Slot) -> float:
        """Return when a connection becomes too old."""
        recycle_s = self.settings.recycle_s
        return inf if recycle_s is None else slot.since + recycle_s

    def _idle_until(self, slot: Slot) -> float:
        """Return when a connection will have been unused for too long."""
        idle_timeout_s = self.settings.idle_timeout_s
        return inf if idle_timeout_s is None else slot.alive_at + idle_timeout_s

    def _needs_ping(self, slot: Slot, now: float) -> bool:
        """Tell whether a look isn't enough before this hand-out."""
        used_recently = now - slot.alive_at <= self.settings.bypass_window_s
        return slot.suspect or (self.settings.pre_ping and not used_recently)

    def _no_better_than(self, slot: Slot) -> list[Slot]:
        """Choose the idle connections that proved to be alive no later than one found dead.

        Nobody pings them one after the other: a caller would have no time left to connect.
        """
        return [idle for idle in self._all(State.IDLE) if idle.alive_at <= slot.alive_at]

    def _is_surplus(self) -> bool:
        """Tell whether an idle connection is one more than ``size``."""
        ready = (State.IDLE, State.CHECKING, State.IN_USE)
        return sum(len(self._by_state[state]) for state in ready) > self.settings.size

    def _unusable_because(self, slot: Slot, now: float) -> ev.CloseReason | None:
        """Return why a connection must not be handed out again, or None if it may."""
        if slot.generation != self._generation:
            return "drained"
        if now >= self._recycle_at(slot):
            return "recycle"
        return "idle_timeout" if now >= self._idle_until(slot) else None

    def _is_full(self) -> bool:
        """Tell whether one more caller would only lengthen a queue that is long enough."""
        underway = len(self._by_state[State.CHECKING]) + len(self._by_state[State.CONNECTING])
        can_start = self._by_state[State.IDLE] or (self._has_room() and not self._failures)
        return not can_start and len(self._queue) - underway >= self.settings.max_waiters

    def _hopeless(self) -> list[Waiter]:
        """Choose the callers that a permanent connect failure leaves without a chance."""
        return list(self._queue.values())[len(self._by_state[State.CHECKING]) :]

    def _blames_connect(self, waiter: Waiter) -> bool:
        """Tell whether a caller ran out of time for want of a connect, not of a free connection."""
        connecting = len(self._by_state[State.CONNECTING])
        if self._failures and (connecting or self._has_room()):
            return True
        return connecting > list(self._queue).index(waiter.waiter)
