"""What is due when: a heap of calls in virtual time."""

from __future__ import annotations

import heapq
from collections.abc import Callable
from math import inf

CALLS_MAX = 1_000_000
"""More than this can't be waited for at once."""
_CANCELLED_FEW = 64


class Due:
    """A call that is due at an instant; it can be taken back."""

    __slots__ = ("_schedule", "call", "ordinal", "when")

    def __init__(
        self, when: float, ordinal: int, call: Callable[[], None], schedule: Schedule
    ) -> None:
        self.when = when
        self.ordinal = ordinal
        self.call: Callable[[], None] | None = call
        self._schedule = schedule

    def __lt__(self, other: Due) -> bool:
        if self.when == other.when:
            return self.ordinal < other.ordinal
        return self.when < other.when

    def cancel(self) -> None:
        """Don't make the call. Harmless afterwards."""
        if self.call is not None:
            self.call = None
            self._schedule.cancelled()


class Schedule:
    """Calls in the order of their instants, and of being asked for where instants are equal."""

    __slots__ = ("_cancelled", "_heap", "_ordinal", "now")

    def __init__(self) -> None:
        self.now = 0.0
        self._heap: list[Due] = []
        self._ordinal = 0
        self._cancelled = 0

    def call_at(self, when: float, call: Callable[[], None]) -> Due:
        """Make ``call`` at this instant, or at the next chance if it is past."""
        if len(self._heap) >= CALLS_MAX:
            raise RuntimeError(f"more than {CALLS_MAX} calls are due")
        self._ordinal += 1
        due = Due(when, self._ordinal, call, self)
        heapq.heappush(self._heap, due)
        return due

    def next_due(self) -> float:
        """The instant of the next call; infinite if there is none."""
        heap = self._heap
        while heap and heap[0].call is None:
            heapq.heappop(heap)
            self._cancelled -= 1
        return heap[0].when if heap else inf

    def run_until(self, now: float) -> None:
        """Make all calls due by ``now``; each sees its own instant, which never goes back."""
        while self.next_due() <= now:
            due = heapq.heappop(self._heap)
            call, due.call = due.call, None
            self.now = max(self.now, due.when)
            if call is not None:
                call()
        self.now = max(self.now, now)

    def cancelled(self) -> None:
        """One call was taken back; once they are the most, the heap is cleared of them."""
        self._cancelled += 1
        if self._cancelled > _CANCELLED_FEW and 2 * self._cancelled > len(self._heap):
            self._heap = [due for due in self._heap if due.call is not None]
            heapq.heapify(self._heap)
            self._cancelled = 0
