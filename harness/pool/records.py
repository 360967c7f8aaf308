"""What the core knows of one connection, of one waiting caller, and of the pool as a whole."""

from __future__ import annotations

from dataclasses import dataclass
from enum import Enum
from typing import TYPE_CHECKING

if TYPE_CHECKING:
    from collections.abc import Mapping


class State(Enum):
    """Where a connection stands; each is in exactly one state."""

    CONNECTING = "connecting"
    IDLE = "idle"
    CHECKING = "checking"
    IN_USE = "in use"
    CLOSING = "closing"


MOVES: Mapping[State, frozenset[State]] = {
    State.CONNECTING: frozenset({State.IDLE, State.IN_USE, State.CLOSING}),
    State.IDLE: frozenset({State.CHECKING, State.CLOSING}),
    State.CHECKING: frozenset({State.IDLE, State.IN_USE, State.CLOSING}),
    State.IN_USE: frozenset({State.IDLE, State.CLOSING}),
    State.CLOSING: frozenset(),
}
"""The states that may follow each state. A closing connection can only be gone."""


@dataclass(slots=True)
class Slot:
    """One connection, from its attempt until it is gone. Instants are on the pool's clock."""

    conn: int
    generation: int
    since: float
    """When its connect attempt began; from there on, when it was opened."""
    alive_at: float
    """When it last proved to be alive: opened, used without an error, or pinged."""
    state: State = State.CONNECTING
    holder: int | None = None
    suspect: bool = False
    """Whether it must answer a ping before its next use, because others like it were dead."""
    aborted: bool = False
    """Whether it is being dropped, rather than closed politely."""


@dataclass(frozen=True, slots=True)
class Waiter:
    """One caller in the queue."""

    waiter: int
    since: float
    deadline: float


@dataclass(frozen=True, slots=True, kw_only=True)
class PoolStats:
    """A snapshot: what is there now, and totals since the pool was opened."""

    open: int
    """Connections that are idle, being checked or in use."""
    idle: int
    checking: int
    in_use: int
    connecting: int
    closing: int
    waiters: int
    overflow: int
    """Connections beyond ``size``, those being opened or closed included."""
    opened_total: int
    closed_total: int
    failed_connects: int
    timeouts: int
    leaks: int


@dataclass(slots=True)
class Totals:
    """Counters that only grow."""

    opened: int = 0
    closed: int = 0
    failed_connects: int = 0
    timeouts: int = 0
    leaks: int = 0
