"""What proxies have seen, kept until it is asked for: bounded, and what is lost is counted."""

from __future__ import annotations

from collections import Counter, deque
from collections.abc import Iterator
from dataclasses import asdict, dataclass, field
from itertools import islice
from typing import Any

from harness.history import ConnectionClosed, ConnectionOpened, Event, FaultFired

EVENTS_KEPT = 20_000
"""So many events wait to be asked for; the oldest of more are dropped."""


@dataclass(slots=True)
class Recorder:
    """The events of one proxy in order, numbered from 1, and counts that are always exact."""

    kept: deque[Event] = field(default_factory=lambda: deque(maxlen=EVENTS_KEPT))
    total: int = 0
    opened: int = 0
    reused: int = 0
    fired: Counter[int] = field(default_factory=Counter)

    def add(self, event: Event) -> None:
        """Keep an event."""
        self.total += 1
        self.kept.append(event)
        match event:
            case ConnectionOpened():
                self.opened += 1
            case ConnectionClosed() if event.exchanges > 1:
                self.reused += 1
            case FaultFired():
                self.fired[event.index] += 1

    def dropped_since(self, number: int) -> int:
        """How many events after this one are kept no more."""
        return max(0, self.total - len(self.kept) - number)

    def since(self, number: int, limit: int) -> Iterator[dict[str, Any]]:
        """The events after this one that are kept, at most so many, as they are written."""
        first = max(0, number - (self.total - len(self.kept)))
        for event in islice(self.kept, first, first + limit):
            yield {"type": type(event).__name__} | asdict(event)
