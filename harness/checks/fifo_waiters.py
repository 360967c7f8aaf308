"""``fifo_waiters``: who waits longest is served first."""

from __future__ import annotations

from collections import defaultdict
from dataclasses import dataclass
from operator import itemgetter
from typing import Annotated, Any, ClassVar

from pydantic import Field

from harness.checks._base import Finding
from harness.checks._calls import Call, workload_calls
from harness.checks._run import Moment, capacity
from harness.checks._verdicts import decide, many, unknown
from harness.history import History
from harness.units import YAML_CONFIG, DurationS, format_duration


@dataclass(frozen=True, slots=True, kw_only=True)
class FifoWaiters:
    """Calls that have to wait for a connection are served in the order in which they came.

    A call had to wait if as many others were under way when it was made as the pool has slots,
    overflow included. Among the waiters of a phase, one is overtaken if a later one was executed
    at the origin first, or while it waited in vain until its pool timeout. Order is only told
    between calls made, and executed, more than ``tolerance`` apart: callers that come at nearly
    the same time may be seen in either order, and two connections may be of different speed.
    A waiter that gets a connection which then dies is served again later and so looks overtaken:
    let no fault strike connections during the phase, or allow for that with the tolerance.

    Evidence: the overtaken call and the one that overtook it, each made, then served. Unknown if
    fewer than two calls had to wait, or if the size of the pool isn't told.
    """

    __pydantic_config__: ClassVar[Any] = YAML_CONFIG
    NAME: ClassVar[str] = "fifo_waiters"
    GROUP: ClassVar[str] = "fairness"
    REQUIREMENT: ClassVar[str] = (
        "A free connection goes to the caller that has waited longest, so that nobody starves."
    )
    SHORTHAND: ClassVar[str | None] = None
    EXAMPLES: ClassVar[tuple[str, ...]] = ("fifo_waiters: true", "fifo_waiters: {tolerance: 5ms}")

    tolerance_s: Annotated[
        DurationS, Field(description="closer calls may be served in either order")
    ] = 0.002

    def judge(self, history: History) -> Finding:
        """Look for waiters served before others that came earlier."""
        tolerance = format_duration(self.tolerance_s)
        expected = f"no waiter overtaken by one that came more than {tolerance} later"
        slots = capacity(history)
        if slots is None:
            return unknown(self, expected, "the history doesn't say how large the pool may be")
        queues: dict[str, list[_Waiter]] = defaultdict(list)
        for call in _waiting(workload_calls(history), slots):
            if waiter := _served(call):
                queues[call.invoked.phase].append(waiter)
        number = sum(map(len, queues.values()))
        if number < 2:
            return unknown(self, expected, "fewer than two calls had to wait")
        pairs = [pair for queue in queues.values() for pair in self._overtaken(queue)]
        actual = f"{len(pairs)} of {many(number, 'waiter')} overtaken"
        shown = [event_id for a, b in pairs for event_id in (*a.evidence, *b.evidence)]
        return decide(self, history, expected, actual, failed=bool(pairs), evidence=shown)

    def _overtaken(self, queue: list[_Waiter]) -> list[tuple[_Waiter, _Waiter]]:
        """Each overtaken waiter with the one of those after it that was served first."""
        quickest: list[_Waiter | None] = [None]
        for waiter in reversed(queue):
            quickest.append(_sooner(waiter, quickest[-1]))
        quickest.reverse()
        found, after = [], 0
        for waiter in queue:
            while after < len(queue) and queue[after].came_s <= waiter.came_s + self.tolerance_s:
                after += 1
            other = quickest[after]
            if other is not None and other.served_s + self.tolerance_s < waiter.served_s:
                found.append((waiter, other))
        return found


@dataclass(frozen=True, slots=True)
class _Waiter:
    """A call that had to wait: when it came, and when its wait was over."""

    came_s: float
    served_s: float
    got_connection: bool
    evidence: tuple[int, int]


def _sooner(waiter: _Waiter, other: _Waiter | None) -> _Waiter | None:
    if not waiter.got_connection:
        return other
    return waiter if other is None or waiter.served_s < other.served_s else other


def _waiting(asked: list[Call], slots: int) -> list[Call]:
    """The calls that found every slot taken when they were made."""
    ends = [(c.outcome[1].at_s, c.outcome[0]) for c in asked if c.outcome is not None]
    steps: list[tuple[Moment, Call | None]] = [(at, None) for at in ends]
    steps += [((call.invoked.at_s, call.invoked_id), call) for call in asked]
    under_way, found = 0, []
    for _, call in sorted(steps, key=itemgetter(0)):
        if call is None:
            under_way -= 1
        else:
            if under_way >= slots:
                found.append(call)
            under_way += 1
    return found


def _served(call: Call) -> _Waiter | None:
    """When a call's wait was over; None if it was given up, or nobody saw."""
    if call.executed:
        number, executed = call.executed[0]
        return _Waiter(call.invoked.at_s, executed.at_s, True, (call.invoked_id, number))
    if call.error is None:
        return None
    number, outcome = call.error
    if outcome.kind != "pool_timeout":
        return None
    return _Waiter(call.invoked.at_s, outcome.at_s, False, (call.invoked_id, number))
