"""What is known of each connection that went through a proxy, put together from its events."""

from __future__ import annotations

from collections.abc import Iterable, Mapping
from dataclasses import dataclass, field, replace
from typing import Any

CLOSED_KEPT = 10_000
"""Facts of so many closed connections are kept; the oldest of more are forgotten, and counted."""


@dataclass(frozen=True)
class ConnectionFacts:
    """One connection between a client and the proxy.

    ``ordinal`` counts from 1 in the order of accepting. Instants are seconds since the proxy was
    opened. ``closed_by`` is who ended it first: ``client``, ``backend``, ``proxy`` or
    ``fault:NAME``; empty while it is open. ``closed_how`` is ``fin`` or ``reset``. ``tls_version``
    is empty without TLS, or where the proxy only passes it through. ``faults`` are the words of
    those that struck it, one for each time.
    """

    ordinal: int
    opened_s: float
    backend: str = ""
    client_port: int = 0
    closed_by: str = ""
    closed_how: str = ""
    closed_s: float | None = None
    exchanges: int = 0
    bytes_up: int = 0
    bytes_down: int = 0
    tls_version: str = ""
    tls_error: str = ""
    dial_error: str = ""
    faults: tuple[str, ...] = ()

    @property
    def is_open(self) -> bool:
        """Whether it is open still."""
        return not self.closed_by

    @property
    def reused(self) -> bool:
        """Whether it carried more than one exchange."""
        return self.exchanges > 1

    def __repr__(self) -> str:
        return f"<{self}>"

    def __str__(self) -> str:
        bytes_ = f"{self.bytes_up} B up, {self.bytes_down} B down"
        told = [many(self.exchanges, "exchange"), bytes_]
        told += [self.tls_version] if self.tls_version else []
        told += [f"TLS failed: {self.tls_error}"] if self.tls_error else []
        told += [f"no backend: {self.dial_error}"] if self.dial_error else []
        told += [f"struck by {', '.join(self.faults)}"] if self.faults else []
        return f"connection {self.ordinal} {self._state()}: {'; '.join(told)}"

    def _state(self) -> str:
        if self.closed_s is None:
            return f"open since {self.opened_s:.3f} s"
        how = {"fin": "FIN", "reset": "RST"}.get(self.closed_how, self.closed_how)
        lasted_s = self.closed_s - self.opened_s
        return f"closed by {self.closed_by} with {how} after {lasted_s:.3f} s"


@dataclass
class Ledger:
    """The facts of all connections, kept current by ``fold``."""

    connections: dict[int, ConnectionFacts] = field(default_factory=dict)
    forgotten: int = 0

    def fold(self, events: Iterable[Mapping[str, Any]], live: Iterable[Iterable[int]]) -> None:
        """Take in events, and for live connections [ordinal, exchanges, bytes up, bytes down]."""
        for event in events:
            self._fold(event)
        for ordinal, exchanges, bytes_up, bytes_down in live:
            self._learn(ordinal, exchanges=exchanges, bytes_up=bytes_up, bytes_down=bytes_down)
        self._forget()

    def _fold(self, event: Mapping[str, Any]) -> None:
        ordinal = event.get("connection", 0)
        match event["type"]:
            case "ConnectionOpened":
                self.connections[ordinal] = ConnectionFacts(
                    ordinal=ordinal,
                    opened_s=event["at_s"],
                    backend=event["backend"],
                    client_port=event["client_port"],
                )
            case "ConnectionClosed":
                self._learn(
                    ordinal,
                    closed_by=event["by"],
                    closed_how=event["how"],
                    closed_s=event["at_s"],
                    exchanges=event["exchanges"],
                    bytes_up=event["bytes_up"],
                    bytes_down=event["bytes_down"],
                )
            case "TlsEstablished":
                self._learn(ordinal, tls_version=event["version"])
            case "TlsFailed":
                self._learn(ordinal, tls_error=event["reason"])
            case "DialFailed":
                self._learn(ordinal, dial_error=event["reason"], backend=event["backend"])
            case "FaultFired" if ordinal in self.connections:
                struck = (*self.connections[ordinal].faults, event["fault"])
                self._learn(ordinal, faults=struck)

    def _learn(self, ordinal: int, **words: Any) -> None:
        known = self.connections.get(ordinal)
        if known is not None:  # else its opening is among the events that were dropped
            self.connections[ordinal] = replace(known, **words)

    def _forget(self) -> None:
        over = [facts.ordinal for facts in self.connections.values() if not facts.is_open]
        for ordinal in over[: max(0, len(over) - CLOSED_KEPT)]:
            del self.connections[ordinal]
            self.forgotten += 1


def many(number: int, noun: str) -> str:
    """``1 call``, ``2 calls``: a number of things whose plural is regular."""
    return f"{number} {noun}" if number == 1 else f"{number} {noun}s"
