"""Letting bytes leave piece by piece, each when its time has come."""

from __future__ import annotations

import math
from collections import deque
from collections.abc import Iterator
from dataclasses import dataclass, field
from typing import Protocol

from harness.timeline import Data, Item, postponed


class Pace(Protocol):
    """Says when the next piece may leave, and how long it is."""

    def ready_at(self) -> float:
        """When the next piece may leave."""

    def take(self, head: Data, at: float) -> int:
        """How many bytes of ``head`` leave ``at`` that instant; at least one."""


@dataclass(slots=True)
class Pipe:
    """Capacity that one or many connections use: a virtual-scheduling leaky bucket.

    The rule is the generic cell rate algorithm's (ITU-T I.371): each piece moves the instant at
    which the pipe is free by its own duration; unused time is credited up to ``burst_bytes``.
    """

    rate_bytes_per_s: float
    burst_bytes: int = 0
    free_at: float = -math.inf

    def charge(self, size_bytes: int, at: float) -> None:
        """Use the pipe from ``at`` for this many bytes."""
        credit_s = self.burst_bytes / self.rate_bytes_per_s
        begins = max(self.free_at, at - credit_s)
        self.free_at = begins + size_bytes / self.rate_bytes_per_s


@dataclass(slots=True)
class PipePace:
    """Pieces of at most ``piece_bytes`` whenever a pipe is free."""

    pipe: Pipe
    piece_bytes: int

    def ready_at(self) -> float:
        """When the pipe is free."""
        return self.pipe.free_at

    def take(self, head: Data, at: float) -> int:
        """A piece, which the pipe is charged for."""
        count = min(self.piece_bytes, len(head.payload))
        self.pipe.charge(count, at)
        return count


@dataclass(slots=True)
class PacedStage:
    """A stage that keeps what may not leave yet."""

    pace: Pace
    held_bytes: int = 0
    _queue: deque[Item] = field(default_factory=deque)

    def feed(self, item: Item) -> Iterator[Item]:
        """What may leave at once."""
        self._queue.append(item)
        if isinstance(item, Data):
            self.held_bytes += len(item.payload)
        return self.expire(item.due)

    def deadline(self) -> float | None:
        """When the next piece may leave."""
        if not self._queue:
            return None
        head = self._queue[0]
        return max(head.due, self.pace.ready_at()) if isinstance(head, Data) else head.due

    def expire(self, now: float) -> Iterator[Item]:
        """The pieces whose turn has come; late wake-ups are made up for, so the rate holds."""
        while (due := self.deadline()) is not None and due <= now:
            item = self._queue.popleft()
            if not isinstance(item, Data):
                yield postponed(item, now)
                continue
            piece, rest = item.split(self.pace.take(item, due))
            if rest.payload:
                self._queue.appendleft(rest)
            self.held_bytes -= len(piece.payload)
            yield postponed(piece, now)

    def heal(self, now: float) -> Iterator[Item]:
        """Everything leaves at once."""
        queue, self._queue, self.held_bytes = self._queue, deque(), 0
        return (postponed(item, now) for item in queue)
