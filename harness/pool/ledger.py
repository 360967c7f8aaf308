"""The books of the pool: which connection is in which state, who waits, what is to be done."""

from __future__ import annotations

from collections import OrderedDict
from math import inf
from typing import TYPE_CHECKING

from harness.pool.records import MOVES, PoolStats, Slot, State, Totals, Waiter

if TYPE_CHECKING:
    from random import Random

    from harness.pool import events as ev
    from harness.pool.settings import PoolSettings


class Ledger:
    """Keeps each connection in exactly one state, and the callers in their order."""

    def __init__(self, settings: PoolSettings, random: Random) -> None:
        self.settings = settings
        self._random = random
        self._slots: dict[int, Slot] = {}
        self._by_state: dict[State, dict[int, Slot]] = {state: {} for state in State}
        self._queue: OrderedDict[int, Waiter] = OrderedDict()
        self._deadlines: list[tuple[float, int]] = []
        self._newly_idle: list[Slot] = []
        self._effects: list[ev.Effect] = []
        self._totals = Totals()
        self._last_conn = 0
        self._generation = 0
        self._failures = 0
        self._failed_at = -inf
        self._retry_at = -inf
        self._error: Exception | None = None
        self._shutdown_at: float | None = None
        self._finished = False

    def stats(self) -> PoolStats:
        """Return a snapshot of what is there now, with the totals so far."""
        count = {state: len(slots) for state, slots in self._by_state.items()}
        return PoolStats(
            open=count[State.IDLE] + count[State.CHECKING] + count[State.IN_USE],
            idle=count[State.IDLE],
            checking=count[State.CHECKING],
            in_use=count[State.IN_USE],
            connecting=count[State.CONNECTING],
            closing=count[State.CLOSING],
            waiters=len(self._queue),
            overflow=max(0, len(self._slots) - self.settings.size),
            opened_total=self._totals.opened,
            closed_total=self._totals.closed,
            failed_connects=self._totals.failed_connects,
            timeouts=self._totals.timeouts,
            leaks=self._totals.leaks,
        )

    def _all(self, state: State) -> list[Slot]:
        return list(self._by_state[state].values())

    def _slot_of(
        self,
        event: ev.Connected | ev.ConnectError | ev.Checked | ev.WentStale | ev.Release | ev.Lost,
        *fitting: State,
    ) -> Slot | None:
        """Return the connection an event is about, or None if it is late news of a closed one."""
        slot = self._slots.get(event.conn)
        if slot is None or slot.state is State.CLOSING:
            return None
        if slot.state not in fitting:
            name, state = type(event).__name__, slot.state.value
            raise RuntimeError(f"{name} can't follow: connection {slot.conn} is {state}")
        return slot

    def _move(self, slot: Slot, state: State) -> None:
        if state not in MOVES[slot.state]:
            raise RuntimeError(f"connection {slot.conn} can't go from {slot.state} to {state}")
        del self._by_state[slot.state][slot.conn]
        slot.state = state
        self._by_state[state][slot.conn] = slot

    def _forget(self, slot: Slot) -> None:
        del self._by_state[slot.state][slot.conn]
        del self._slots[slot.conn]
