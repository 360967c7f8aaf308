"""Bytes in small segments."""

from __future__ import annotations

import math
from dataclasses import dataclass
from typing import Annotated, Any, ClassVar

from pydantic import Field

from harness.connection import StageContext
from harness.faults._base import DirectionWord
from harness.faults._pacing import PacedStage
from harness.timeline import Data, Draws
from harness.units import YAML_CONFIG, DurationS, SizeBytes


@dataclass(frozen=True, slots=True, kw_only=True)
class Slice:
    """Cuts the stream into small segments, each written by itself, ``delay`` apart.

    Finds readers that take one ``recv`` for one message. Without ``delay`` the segments leave
    back to back, and a reader may find several at once; a millisecond keeps them apart.
    Where the cuts fall depends on the seed and the byte, not on how bytes arrived.
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

    def stage(self, context: StageContext, shared: object) -> PacedStage:  # noqa: ARG002 - the contract's arguments
        """Cuts."""
        return PacedStage(SegmentPace(self, context.draws))


@dataclass(slots=True)
class SegmentPace:
    """Remembers how much of the present segment is left, whatever chunks arrive."""

    fault: Slice
    draws: Draws
    _left_bytes: int = 0
    _begun_at: float = -math.inf

    def ready_at(self) -> float:
        """At once while a segment isn't complete, else when the next may begin."""
        return self._begun_at + (0.0 if self._left_bytes else self.fault.delay_s)

    def take(self, head: Data, at: float) -> int:
        """The rest of a segment, or as much of it as has arrived."""
        if self._left_bytes == 0:
            self._left_bytes = self._draw(head.place.stream_byte)
            self._begun_at = at
        count = min(self._left_bytes, len(head.payload))
        self._left_bytes -= count
        return count

    def _draw(self, stream_byte: int) -> int:
        fault = self.fault
        return fault.size_bytes + self.draws.random(stream_byte).randint(
            -fault.variation_bytes, fault.variation_bytes
        )
