"""One direction of a connection: its slots, what is held, and what is due next.

Items enter at the top, pass the slots in order and wait in a queue until they are due. The link
keeps the law that all faults share: a byte stream keeps its order, so nothing leaves before what
came before it, and nothing follows an end. A link without slots hands items straight through.
"""

from __future__ import annotations

from collections import deque
from collections.abc import Iterable, Iterator
from typing import Protocol

from harness.timeline import Data, Fin, Item, Reset, postponed

HELD_LIMIT_BYTES = 64 * 1024
"""When slots keep back more than this, a link wants no more: the sender feels it."""
QUEUED_LIMIT_BYTES = 1024 * 1024
"""When more than this is on its way, likewise; a window of this size is what a path with latency
has room for (RFC 7323 section 2), so that latency doesn't become a narrow bandwidth."""


class Slot(Protocol):
    """One place in a link where a fault may work."""

    def feed(self, item: Item, now: float) -> Iterable[Item]:
        """What leaves the slot when ``item`` enters."""

    def deadline(self) -> float | None:
        """When to call ``expire``, or None."""

    def expire(self, now: float) -> Iterable[Item]:
        """What leaves the slot by itself."""

    @property
    def held_bytes(self) -> int:
        """How many bytes it keeps back."""


class Link:
    """One direction: feed items in, take out what is due."""

    __slots__ = ("_last_due", "_queue", "_queued_bytes", "ended", "is_cut", "slots")

    def __init__(self) -> None:
        self.slots: list[Slot] = []
        self.ended: Fin | Reset | None = None
        self.is_cut = False
        self._queue: deque[Item] = deque()
        self._queued_bytes = 0
        self._last_due = 0.0

    def feed(self, item: Item, now: float) -> None:
        """Let an item enter at the top; behind an end nothing passes, so no slot need see it."""
        if self._may_follow(item):
            self._pass(0, (item,), now)

    def inject(self, slot: Slot, items: Iterable[Item], now: float) -> None:
        """Let items enter just behind ``slot``, as if it had emitted them."""
        self._pass(self.slots.index(slot) + 1, items, now)

    def cut(self, ending: Reset) -> None:
        """Reset at once: what was still on its way is lost, as it is on a real path."""
        if isinstance(self.ended, Reset):
            return
        self._queue.clear()
        self._queued_bytes = 0
        self.ended = ending
        self.is_cut = True
        self._queue.append(ending)

    def push(self, payload: bytes, now: float) -> None:
        """Queue bytes that have passed all slots already (a relay changes from fast to slow)."""
        self._append(Data(now, payload))

    def expire(self, now: float) -> None:
        """Let every slot whose deadline has passed act."""
        for index, slot in enumerate(tuple(self.slots)):
            due = slot.deadline()
            if due is not None and due <= now:
                self._pass(index + 1, slot.expire(now), now)

    def next_due(self) -> float | None:
        """When the first queued item may leave, or None."""
        return self._queue[0].due if self._queue else None

    def next_deadline(self) -> float | None:
        """When a slot wants to act by itself, or None."""
        return min((due for s in self.slots if (due := s.deadline()) is not None), default=None)

    def take_due(self, now: float) -> Iterator[Item]:
        """The items that may leave now, in order; each is gone from the link once taken."""
        while self._queue and self._queue[0].due <= now:
            item = self._queue.popleft()
            if isinstance(item, Data):
                self._queued_bytes -= len(item.payload)
            yield item

    def put_back(self, item: Item) -> None:
        """Queue again, in front, what was taken but could not leave."""
        if isinstance(item, Data):
            self._queued_bytes += len(item.payload)
        self._queue.appendleft(item)

    @property
    def held_bytes(self) -> int:
        """Bytes queued or kept back by slots."""
        return self._queued_bytes + sum(slot.held_bytes for slot in self.slots)

    @property
    def has_room(self) -> bool:
        """Whether the shell should read more."""
        kept_bytes = sum(slot.held_bytes for slot in self.slots)
        return kept_bytes < HELD_LIMIT_BYTES and self._queued_bytes < QUEUED_LIMIT_BYTES

    @property
    def is_empty(self) -> bool:
        """Whether nothing waits in it."""
        return not self._queue and self.held_bytes == 0

    def _pass(self, start: int, items: Iterable[Item], now: float) -> None:
        moving = list(items)
        for slot in tuple(self.slots[start:]):
            if not moving:
                return
            moving = [out for item in moving for out in slot.feed(item, now)]
        for item in moving:
            self._append(item)

    def _may_follow(self, item: Item) -> bool:
        return self.ended is None or _strength(item) > _strength(self.ended)

    def _append(self, item: Item) -> None:
        if not self._may_follow(item):
            return
        item = postponed(item, self._last_due)
        self._last_due = item.due
        if isinstance(item, Data):
            if not item.payload:
                return
            self._queued_bytes += len(item.payload)
        else:
            self.ended = item
        self._queue.append(item)


def _strength(item: Item) -> int:
    match item:
        case Data():
            return 0
        case Fin():
            return 2 if item.full else 1
        case Reset():
            return 3
