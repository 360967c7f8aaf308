"""Calls put together from their events: asked by a caller, executed at the origin, answered."""

from __future__ import annotations

from dataclasses import dataclass, field
from typing import TypeAlias

from harness.checks._run import healed, in_order
from harness.history import (
    CallCancelled,
    CallFailed,
    CallInvoked,
    CallOk,
    CallUnknown,
    Event,
    Executed,
    History,
)

Outcome: TypeAlias = CallOk | CallFailed | CallUnknown
Mishap: TypeAlias = CallFailed | CallUnknown


@dataclass(slots=True)
class Call:
    """One call by its nonce; each part with the id of the event that told it."""

    invoked_id: int
    invoked: CallInvoked
    outcome: tuple[int, Outcome] | None = None
    cancelled: tuple[int, CallCancelled] | None = None
    executed: list[tuple[int, Executed]] = field(default_factory=list)

    @property
    def error(self) -> tuple[int, Mishap] | None:
        """How the call ended, if not in a reply."""
        if self.outcome is None:
            return None
        number, outcome = self.outcome
        return None if isinstance(outcome, CallOk) else (number, outcome)

    @property
    def mishap(self) -> tuple[int, Mishap] | None:
        """How the call failed, if it did and the harness hadn't asked for that.

        A call that ends as cancelled though nobody cancelled it has met someone else's
        cancellation, so that counts.
        """
        if self.error is None:
            return None
        kind = self.error[1].kind
        was_asked_for = kind == "abandoned" or (kind == "cancelled" and self.cancelled is not None)
        return None if was_asked_for else self.error


def calls(history: History) -> list[Call]:
    """Every call that was invoked, in the order in which callers asked."""
    events = in_order(history)
    found: dict[str, Call] = {}
    for number, event in events:
        if isinstance(event, CallInvoked):
            found.setdefault(event.nonce, Call(number, event))
    # In a second pass, because two witnesses' clocks may put an execution before its call.
    for number, event in events:
        _tell(found, number, event)
    return list(found.values())


def _tell(found: dict[str, Call], number: int, event: Event) -> None:
    match event:
        case CallOk() | CallFailed() | CallUnknown() if call := found.get(event.nonce):
            call.outcome = call.outcome or (number, event)
        case CallCancelled() if call := found.get(event.nonce):
            call.cancelled = call.cancelled or (number, event)
        case Executed() if call := found.get(event.nonce):
            call.executed.append((number, event))
        case _:
            pass


def workload_calls(history: History) -> list[Call]:
    """The calls that were invoked before healing; the probes after it are not the scenario's."""
    end = healed(history)
    return [
        call for call in calls(history) if end is None or (call.invoked.at_s, call.invoked_id) < end
    ]


def undecided(asked: list[Call]) -> str:
    """What to say if some of these calls never ended; empty if all did."""
    number = sum(call.outcome is None for call in asked)
    return f"{number} of {len(asked)} calls have no outcome" if number else ""
