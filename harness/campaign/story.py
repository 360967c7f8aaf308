"""What happened around a failure, in at most ten lines."""

from __future__ import annotations

from collections.abc import Iterator

from harness.checks import Finding
from harness.history import (
    CallEvent,
    CallInvoked,
    CallOk,
    ClientEndClosed,
    ConnectionClosed,
    ConnectionOpened,
    Event,
    Executed,
    FaultFired,
    History,
)
from harness.report import happened

LINES_LIMIT = 10
CALLS_LIMIT = 3
"""More calls than this are not followed from beginning to end."""
AROUND = (FaultFired, ConnectionClosed, ClientEndClosed, ConnectionOpened)
"""What happens to connections, the most telling first; who caused a failure is often there."""


def story(history: History, finding: Finding, limit: int = LINES_LIMIT) -> list[str]:
    """The lines: what failed, then when, who and what, in the order of time.

    First come the calls that the finding's evidence names, then the rest of the evidence, then
    what happened to connections nearest to the evidence, as far as there is room.
    """
    evidence = [number for number in finding.evidence if 0 <= number < len(history)]
    wanted = dict.fromkeys([*_of_calls(history, evidence), *evidence, *_around(history, evidence)])
    shown = sorted(list(wanted)[: limit - 1])
    callers = {call.nonce: call.caller for _, call in history.of(CallInvoked)}
    lines = [_line(history.events[number], callers) for number in shown]
    when = max((len(at) for at, _, _ in lines), default=0)
    who = max((len(name) for _, name, _ in lines), default=0)
    told = [f"{at:>{when}}  {name:<{who}}  {what}" for at, name, what in lines]
    return [f"{finding.check} failed: {finding.actual}", *told][:limit]


def _of_calls(history: History, evidence: list[int]) -> Iterator[int]:
    """Every event of the first calls that the evidence names, theirs whose reply they got first."""
    nonces = dict.fromkeys(
        nonce for number in evidence for nonce in _nonces(history.events[number]) if nonce
    )
    for nonce in list(nonces)[:CALLS_LIMIT]:
        for number, event in enumerate(history.events):
            if nonce in _nonces(event):
                yield number


def _nonces(event: Event) -> tuple[str, ...]:
    """The calls that an event is about."""
    match event:
        case CallOk():
            return (event.nonce, event.reply_nonce)
        case CallEvent() | Executed():
            return (event.nonce,)
        case _:
            return ()


def _around(history: History, evidence: list[int]) -> Iterator[int]:
    """What happened to connections before the evidence was complete, the nearest first."""
    first, last = (evidence[0], max(evidence)) if evidence else (len(history), len(history))
    for kind in AROUND:
        numbers = [number for number, _ in history.of(kind) if number <= last]
        yield from sorted(numbers, key=lambda number: abs(number - first))[:CALLS_LIMIT]


def _line(event: Event, callers: dict[str, int]) -> tuple[str, str, str]:
    return f"{event.at_s:.4f} s", _who(event, callers), happened(event)


def _who(event: Event, callers: dict[str, int]) -> str:
    if isinstance(event, CallEvent) and event.nonce in callers:
        return f"caller {callers[event.nonce]}"
    if isinstance(event, AROUND) and event.connection:
        return f"connection {event.connection}"
    return event.WITNESS
