"""What every check asks of a history: its order in time, where healing begins, whether it ends.

Events are ordered by their instant, not by their id, because a witness in another process reports
late; the id orders those of one instant. The *workload* is what came before ``Healed``: what the
harness asks after that, to see whether the client recovers, is not the scenario's own load.
"""

from __future__ import annotations

from typing import TypeAlias, TypeVar

from harness.history import Event, Healed, History, RunEnded, RunStarted

EventT = TypeVar("EventT", bound=Event)
Moment: TypeAlias = tuple[float, int]

RESOLUTION_S = 1e-6
"""A kept history has microseconds; a limit is exceeded only by more than that."""


def exceeds(value_s: float, limit_s: float) -> bool:
    """Tell whether a duration is longer than its limit, beyond what a history can resolve."""
    return value_s > limit_s + RESOLUTION_S


def moment(seen: tuple[int, Event]) -> Moment:
    """When an event happened, as a key to sort by."""
    return (seen[1].at_s, seen[0])


def in_order(history: History) -> list[tuple[int, Event]]:
    """All events with their ids, in order of time."""
    return sorted(enumerate(history.events), key=moment)


def healed(history: History) -> Moment | None:
    """When all faults were healed, or None if the run didn't come to that."""
    return min(map(moment, history.of(Healed)), default=None)


def until_healed(history: History, kind: type[EventT]) -> list[tuple[int, EventT]]:
    """The events of a type during the workload, in order of time."""
    end = healed(history)
    return sorted(
        (seen for seen in history.of(kind) if end is None or moment(seen) < end), key=moment
    )


def has_ended(history: History) -> bool:
    """Tell whether the history reaches the end of its run."""
    return history.first(RunEnded) is not None


def last_s(history: History) -> float:
    """The last instant the history knows of."""
    return max((event.at_s for event in history.events), default=0.0)


def capacity(history: History) -> int | None:
    """How many connections the client was told it may have, or None if the run didn't say."""
    started = history.first(RunStarted)
    return None if started is None else started.pool_size + started.pool_max_overflow


def origin_tells(history: History) -> tuple[str, ...]:
    """What the origin lets be known of calls: executions, names, sessions."""
    started = history.first(RunStarted)
    return ("executions", "names") if started is None else started.origin_tells


def is_workload_over(history: History) -> bool:
    """Tell whether the history reaches the end of the scenario's own load."""
    return healed(history) is not None or has_ended(history)
