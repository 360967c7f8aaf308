"""Bytes in small segments."""

from __future__ import annotations

from collections.abc import Iterator
from dataclasses import dataclass
from typing import Annotated, Any, ClassVar

from pydantic import Field

from harness.connection import StageContext
from harness.faults._base import YAML_CONFIG, DirectionWord
from harness.timeline import Data, Draws, Item, postponed
from harness.units import DurationS, SizeBytes


@dataclass(frozen=True, slots=True, kw_only=True)
class Slice:
    """Cuts the stream into small segments, each written by itself, ``delay`` apart.

    Finds readers that take one ``recv`` for one message. Where the cuts fall depends on the
    seed and the byte, not on how bytes arrived.
    """

    NAME: ClassVar[str] = "slice"
    ALIASES: ClassVar[tuple[str, ...]] = ("slicer",)
    EXAMPLES: ClassVar[tuple[str, ...]] = (
        "{fault: slice, size: 7B}",
        "{fault: slice, size: 64B, variation: 32B, delay: 1ms, direction: both}",
    )
    DIRECTION: ClassVar[DirectionWord] = "downstream"
    __pydantic_config__: ClassVar[Any] = YAML_CONFIG

    size_bytes: Annotated[SizeBytes, Field(ge=1, description="bytes of a segment")]
    variation_bytes: Annotated[SizeBytes, Field(description="more or fewer than that")] = 0
    delay_s: Annotated[DurationS, Field(description="from one segment to the next")] = 0.0

    def __post_init__(self) -> None:
        if self.variation_bytes >= self.size_bytes:
            raise ValueError("variation leaves segments without a byte; keep it below size")

    def stage(self, context: StageContext, shared: object) -> SliceStage:  # noqa: ARG002 - the contract's arguments
        """Cuts."""
        return SliceStage(self, context.draws)


@dataclass(slots=True)
class SliceStage:
    """Remembers how much of the present segment is left, whatever chunks arrive."""

    fault: Slice
    draws: Draws
    _left_bytes: int = 0
    _free_at: float = 0.0

    def feed(self, item: Item) -> Iterator[Item]:
        """The item in segments."""
        while isinstance(item, Data) and item.payload:
            if self._left_bytes == 0:
                self._left_bytes = self._draw(item.place.stream_byte)
                self._free_at = max(self._free_at + self.fault.delay_s, item.due)
            piece, item = item.split(self._left_bytes)
            self._left_bytes -= len(piece.payload)
            yield postponed(piece, self._free_at)
        if not isinstance(item, Data):
            yield postponed(item, self._free_at)

    def _draw(self, stream_byte: int) -> int:
        fault = self.fault
        return fault.size_bytes + self.draws.random(stream_byte).randint(
            -fault.variation_bytes, fault.variation_bytes
        )

    def heal(self, now: float) -> tuple[Item, ...]:  # noqa: ARG002 - the contract's argument
        """Nothing was held: what is on its way keeps its time."""
        return ()
