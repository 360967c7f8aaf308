"""``no_leaks``: a closed client leaves nothing behind."""

from __future__ import annotations

from collections import defaultdict
from dataclasses import dataclass
from typing import Any, ClassVar

from harness.checks._base import Finding
from harness.checks._connections import Connection, connections
from harness.checks._run import Moment, in_order, moment
from harness.checks._verdicts import decide, many, unknown
from harness.history import ClientClosed, ConnectionOpened, Dialed, History, Leaked, SocketClosed
from harness.units import YAML_CONFIG


@dataclass(frozen=True, slots=True, kw_only=True)
class NoLeaks:
    """After the client is closed, no connection, socket, task or descriptor of it is left.

    Three witnesses are asked. The runner says what it still found open after ``close`` had
    returned. The proxy knows connections that the client never ended: neither a FIN nor a RST of
    it came, and the connection outlived the client. The wire knows client sockets that connected
    and were not closed by the end of the run. A pool that reports a lease its caller lost has not
    leaked by saying so; what counts is whether the connection was closed in the end.

    Evidence: what the runner found, then the openings of what stayed open. Unknown if the client
    was never closed, or if no witness saw a connection.
    """

    __pydantic_config__: ClassVar[Any] = YAML_CONFIG
    NAME: ClassVar[str] = "no_leaks"
    GROUP: ClassVar[str] = "conservation"
    REQUIREMENT: ClassVar[str] = (
        "When close returns, every connection, socket, task and descriptor of the client is gone."
    )
    SHORTHAND: ClassVar[str | None] = None
    EXAMPLES: ClassVar[tuple[str, ...]] = ("no_leaks: true",)

    def judge(self, history: History) -> Finding:
        """Look for what is left when the run ends."""
        expected = "nothing left open after the client closed"
        told = [(number, leak) for number, leak in history.of(Leaked) if leak.count > 0]
        closed = min(map(moment, history.of(ClientClosed)), default=None)
        open_ids = [] if closed is None else _open_connections(history, closed)
        sockets = [] if closed is None else _open_sockets(history)
        found = [f"{leak.count} {leak.what}" for _, leak in told]
        found += [f"{many(len(open_ids), 'connection')} at the proxy"] if open_ids else []
        found += [many(len(sockets), "client socket")] if sockets else []
        if closed is None and not told:
            return unknown(self, expected, "the client was never closed")
        if not found and history.first(ConnectionOpened) is None and history.first(Dialed) is None:
            return unknown(self, expected, "no witness saw a connection")
        actual = f"left open: {', '.join(found)}" if found else "nothing was left open"
        shown = [*(number for number, _ in told), *open_ids, *sockets]
        return decide(self, history, expected, actual, failed=bool(found), evidence=shown)


def _open_connections(history: History, client_closed: Moment) -> list[int]:
    return [c.opened_id for c in connections(history) if _outlived(c, client_closed)]


def _outlived(connection: Connection, client_closed: Moment) -> bool:
    """Tell whether a connection was left to the proxy to end, after its client was gone."""
    if connection.left is None:
        return True
    if connection.let_go is not None or connection.closed is None:
        return False
    return connection.closed[1].by == "proxy" and connection.left > client_closed


def _open_sockets(history: History) -> list[int]:
    """Connected client sockets that were never closed; a port may have been used repeatedly."""
    opened: dict[int, list[int]] = defaultdict(list)
    for number, event in in_order(history):
        if isinstance(event, Dialed) and event.outcome == "ok":
            opened[event.local_port].append(number)
        elif isinstance(event, SocketClosed) and opened[event.local_port]:
            opened[event.local_port].pop(0)
    return sorted(number for numbers in opened.values() for number in numbers)
