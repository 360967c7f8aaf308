"""What is said on the wire in a run: how long each request and response is, and of what it is made.

A dry run carries the tap, a fault that changes nothing and notes what passes. From its notes come
the points at which a fault can be placed: in a short message every byte; in a long one its head,
its borders, and a stride between; under TLS the borders of records, for what they enclose is
nobody's to read.
"""

from __future__ import annotations

from collections.abc import Iterable, Iterator
from dataclasses import dataclass, field
from typing import Any, ClassVar, NamedTuple

from harness.connection import StageContext
from harness.faults import DirectionWord, FaultSpec
from harness.timeline import Data, Direction, Item
from harness.units import YAML_CONFIG

EVERY_BYTE_LIMIT = 600
"""A message up to this long is struck at every byte of it."""
HEAD_LIMIT_BYTES = 400
"""Of a longer one the head, up to so many bytes,"""
TAIL_BYTES = 16
"""so many bytes before its end,"""
STRIDES = 64
"""and so many places in between."""
TAPPED_LIMIT_BYTES = 8 * 2**20
"""More than this is not noted: the points are sought where a conversation begins."""

RECORD_HEAD_BYTES = 5
RECORD_TYPES = range(20, 25)
"""RFC 8446 section 5.1: change_cipher_spec, alert, handshake, application_data; and heartbeat."""


class MessageKey(NamedTuple):
    """One request or response: the N-th of a connection, which is known by its ordinal."""

    connection: int
    direction: Direction
    exchange: int

    @property
    def word(self) -> str:
        """What it is called in a scenario."""
        return "request" if self.direction is Direction.UPSTREAM else "response"


@dataclass(slots=True)
class Conversation:
    """Every message of a run, by connection, direction and exchange, in the order of its bytes."""

    messages: dict[MessageKey, bytearray] = field(default_factory=dict)
    left_bytes: int = TAPPED_LIMIT_BYTES

    def note(self, connection: int, direction: Direction, item: Data) -> None:
        """Bytes have passed."""
        if len(item.payload) <= self.left_bytes:
            self.left_bytes -= len(item.payload)
            key = MessageKey(connection, direction, item.place.exchange)
            self.messages.setdefault(key, bytearray()).extend(item.payload)

    def usual_exchange(self) -> tuple[int, int] | None:
        """Connection and exchange to strike: the first on a connection that was used before."""
        answered = [(k.connection, k.exchange) for k in self.messages if k.word == "response"]
        whole = sorted(place for place in answered if self._is_asked(*place))
        again = [place for place in whole if place[1] == 2]
        return next(iter([*again, *whole]), None)

    def _is_asked(self, connection: int, exchange: int) -> bool:
        return MessageKey(connection, Direction.UPSTREAM, exchange) in self.messages

    def message(self, connection: int, direction: Direction, exchange: int) -> bytes:
        """The bytes of one message; none if there was none."""
        return bytes(self.messages.get(MessageKey(connection, direction, exchange), b""))


@dataclass(frozen=True, slots=True)
class Tap:
    """Notes every byte that passes in one direction, and changes nothing."""

    NAME: ClassVar[str] = "tap"
    DIRECTION: ClassVar[DirectionWord] = "both"
    EXAMPLES: ClassVar[tuple[str, ...]] = ()
    __pydantic_config__: ClassVar[Any] = YAML_CONFIG

    into: Conversation
    direction: Direction

    def stage(self, context: StageContext, shared: object) -> TapStage:  # noqa: ARG002 - the contract's arguments
        """The tap on one direction of one connection."""
        return TapStage(self.into, self.direction, context.life.ordinal)


def taps(into: Conversation) -> tuple[FaultSpec, ...]:
    """The faults that note a whole conversation."""
    return tuple(FaultSpec(fault=Tap(into, way), direction=way.value) for way in Direction)


@dataclass(slots=True)
class TapStage:
    """Sees what passes in one direction."""

    into: Conversation
    direction: Direction
    connection: int

    def feed(self, item: Item) -> tuple[Item, ...]:
        """The item, noted."""
        if isinstance(item, Data):
            self.into.note(self.connection, self.direction, item)
        return (item,)

    def heal(self, now: float) -> tuple[Item, ...]:  # noqa: ARG002 - the contract's argument
        """Nothing was held."""
        return ()


# --- places in messages ---------------------------------------------------------------------


def byte_places(message: bytes) -> list[int]:
    """After how many bytes of a message to strike: 0 is before it, its length behind it."""
    length = len(message)
    if length <= EVERY_BYTE_LIMIT:
        return list(range(length + 1))
    head = message.find(b"\r\n\r\n") + 4
    head = min(head if head >= 4 else HEAD_LIMIT_BYTES, HEAD_LIMIT_BYTES)
    between = range(head, length - TAIL_BYTES, max(1, (length - head) // STRIDES))
    return sorted({*range(head + 2), *between, *range(length - TAIL_BYTES, length + 1)})


def record_places(stream: Iterable[bytes]) -> Iterator[tuple[int, int]]:
    """Where TLS records begin, have their middle and end, as (message, bytes of it that pass).

    ``stream`` are the messages of one direction, in order; a record may go on in the next one.
    Ends when what is there is no TLS (RFC 8446 section 5.1).
    """
    messages = list(stream)
    whole = b"".join(messages)
    offset = 0
    while offset + RECORD_HEAD_BYTES <= len(whole) and whole[offset] in RECORD_TYPES:
        length = int.from_bytes(whole[offset + 3 : offset + 5], "big")
        end = min(offset + RECORD_HEAD_BYTES + length, len(whole))
        for place in (offset, (offset + end) // 2, end):
            yield _in_message(messages, place, begins=place == offset)
        offset = end


def _in_message(messages: list[bytes], offset: int, *, begins: bool) -> tuple[int, int]:
    """Which message an offset of the stream falls into; a border belongs to what begins there."""
    for number, message in enumerate(messages):
        if offset < len(message) or (offset == len(message) and not begins):
            return number, offset
        offset -= len(message)
    return len(messages) - 1, len(messages[-1]) if messages else 0
