"""The farewell of PostgreSQL: an error that ends the session, then the end of the connection."""

from __future__ import annotations

import re
from collections.abc import Iterator
from dataclasses import dataclass, field

from harness.timeline import Data, Fin, Item
from harness.trigger import Life
from harness.wire.postgres_opening import fatal

QUIET_S = 0.02
"""A reply that has begun may still go on; after so long without a byte it is over."""
READY = re.compile(rb"Z\x00\x00\x00\x05[ITE]")
"""ReadyForQuery, the last message of each reply, with the state of the transaction."""
READY_BYTES = 6


FAREWELL = fatal("57P01", "terminating connection due to administrator command")
"""What a server says that is shut down (PostgreSQL's manual, appendix A)."""


@dataclass(slots=True)
class PostgresGoodbyeStage:
    """Says farewell between two messages: at once, or behind the reply that is under way."""

    life: Life
    begun: float
    held_bytes: int = 0
    _passing: bool = field(init=False)
    _said: bool = False
    _tail: bytes = b""

    def __post_init__(self) -> None:
        self._passing = self.life.exchange == 0  # a login is let through first

    def feed(self, item: Item) -> Iterator[Item]:
        """The item; behind the last message of a reply the farewell, and nothing more."""
        if not isinstance(item, Data):
            yield item
            return
        known = self._tail + item.payload
        self._tail = known[-(READY_BYTES - 1) :]
        ready = READY.search(known)
        if ready is None:
            self._passing = True
            yield item
            return
        length_bytes = len(item.payload) - (len(known) - ready.end())
        yield Data(item.due, item.payload[:length_bytes], item.place)
        yield from self._end(item.due)

    def deadline(self) -> float | None:
        """When it can be said without waiting for the end of a reply."""
        if self._said or self._passing:
            return None
        if self.life.awaiting_reply:
            return self.begun
        return max(self.begun, self.life.last_byte + QUIET_S)

    def expire(self, now: float) -> tuple[Item, ...]:
        """The farewell and the end."""
        return tuple(self._end(now))

    def heal(self, now: float) -> tuple[Item, ...]:  # noqa: ARG002 - the contract's argument
        """Nothing was held."""
        return ()

    def _end(self, now: float) -> Iterator[Item]:
        self._said = True
        yield Data(now, FAREWELL)
        yield Fin(now, full=True)
