"""Connections put together from what proxy and wire saw: opened, struck, left by the client.

A connection counts as the client's until the first of: the client closed its socket (the wire),
the client's FIN or RST arrived (the proxy), a fault ended it, both ends are gone.
"""

from __future__ import annotations

from dataclasses import dataclass
from itertools import accumulate
from typing import TypeAlias

from harness.checks._run import Moment, in_order
from harness.history import (
    ClientEndClosed,
    ConnectionClosed,
    ConnectionOpened,
    Dialed,
    DialFailed,
    Event,
    FaultFired,
    History,
    SocketClosed,
    TlsFailed,
)

AT_ONCE_S = 0.1
"""A connection ended for the client this soon, and without an exchange, was never usable."""


@dataclass(slots=True)
class Connection:
    """One connection by its ordinal; each moment is None for as long as nobody saw it."""

    opened_id: int
    opened: ConnectionOpened
    left: Moment | None = None
    let_go: Moment | None = None
    struck: tuple[int, FaultFired] | None = None
    closed: tuple[int, ConnectionClosed] | None = None
    set_up_failed: bool = False

    @property
    def is_cancel(self) -> bool:
        """Whether it came to cancel a query of another connection."""
        return self.closed is not None and self.closed[1].purpose == "cancel"

    def was_usable(self) -> bool:
        """Tell whether the connection could have served; one turned away at once could not."""
        if self.set_up_failed:
            return False
        if self.closed is None or self.closed[1].exchanges > 0 or self.closed[1].by == "client":
            return True
        return self.closed[1].at_s - self.opened.at_s > AT_ONCE_S


Ports: TypeAlias = dict[int, Connection]


def connections(history: History) -> list[Connection]:
    """Every connection the proxy accepted, in order of time.

    What only asked a server to cancel a query is no connection of a pool, and isn't among them.
    """
    found: dict[int, Connection] = {}
    ports: Ports = {}
    for number, event in in_order(history):
        if isinstance(event, ConnectionOpened):
            connection = found.setdefault(event.connection, Connection(number, event))
            if event.client_port:
                ports[event.client_port] = connection
        elif connection_of := _subject(event, found, ports):
            _tell(connection_of, number, event)
    return [connection for connection in found.values() if not connection.is_cancel]


def _subject(event: Event, found: dict[int, Connection], ports: Ports) -> Connection | None:
    match event:
        case SocketClosed():
            # Taken out, because the port may serve another connection later.
            return ports.pop(event.local_port, None)
        case ClientEndClosed() | ConnectionClosed() | FaultFired() | DialFailed() | TlsFailed():
            return found.get(event.connection)
        case _:
            return None


def _tell(connection: Connection, number: int, event: Event) -> None:
    now = (event.at_s, number)
    match event:
        case FaultFired() if event.ends:
            if connection.left is None:
                connection.struck = connection.struck or (number, event)
        case SocketClosed() | ClientEndClosed():
            connection.let_go = connection.let_go or now
        case ConnectionClosed():
            connection.closed = connection.closed or (number, event)
        case DialFailed() | TlsFailed():
            connection.set_up_failed = True
            return
        case _:
            return
    connection.left = connection.left or now


def has_wire(history: History) -> bool:
    """Tell whether client sockets were observed."""
    return any(isinstance(event, Dialed | SocketClosed) for event in history.events)


def open_counts(seen: list[Connection]) -> list[tuple[Moment, int]]:
    """How many connections are open from each moment on at which that changes."""
    steps = [((c.opened.at_s, c.opened_id), 1) for c in seen]
    steps += [(c.left, -1) for c in seen if c.left is not None]
    steps.sort()
    totals = accumulate(change for _, change in steps)
    return [(at, total) for (at, _), total in zip(steps, totals, strict=True)]
