"""Attempts to connect as the wire saw them, and which of them led to nothing."""

from __future__ import annotations

from collections import defaultdict, deque
from dataclasses import dataclass
from typing import TypeAlias

from harness.checks._connections import Connection, connections
from harness.checks._run import until_healed
from harness.history import Dialed, History


@dataclass(frozen=True, slots=True)
class Attempt:
    """One attempt to connect: it may fail itself, or be turned away right after."""

    event_id: int
    begun_s: float
    ended_s: float
    ok: bool


Accepted: TypeAlias = dict[int, deque[Connection]]


def attempts(history: History) -> list[Attempt]:
    """The attempts of the workload in the order in which they began."""
    accepted: Accepted = defaultdict(deque)
    for connection in connections(history):
        accepted[connection.opened.client_port].append(connection)
    found = [_attempt(seen, accepted) for seen in until_healed(history, Dialed)]
    return sorted(found, key=lambda attempt: (attempt.begun_s, attempt.event_id))


def _attempt(seen: tuple[int, Dialed], accepted: Accepted) -> Attempt:
    number, dialed = seen
    begun_s = dialed.at_s - dialed.took_s
    ok = dialed.outcome == "ok"
    # The first socket on a port is the first connection from that port, and so on.
    if ok and accepted[dialed.local_port]:
        connection = accepted[dialed.local_port].popleft()
        if not connection.was_usable() and connection.closed is not None:
            return Attempt(number, begun_s, connection.closed[1].at_s, ok=False)
        ok = connection.was_usable()
    return Attempt(number, begun_s, dialed.at_s, ok)
