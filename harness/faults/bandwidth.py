"""A link of limited capacity."""

from __future__ import annotations

from dataclasses import dataclass
from typing import Annotated, Any, ClassVar

from pydantic import Field

from harness.connection import StageContext
from harness.faults._base import DirectionWord
from harness.faults._pacing import PacedStage, Pipe, PipePace
from harness.units import YAML_CONFIG, RateBytesPerS, SizeBytes

PIECE_S = 0.002
"""A piece takes about this long, so that a slow link trickles instead of jerking."""
PIECE_LIMIT_BYTES = 16 * 1024


@dataclass(frozen=True, slots=True, kw_only=True)
class Bandwidth:
    """Limits how fast bytes pass: for each connection, or for all together with ``shared``."""

    NAME: ClassVar[str] = "bandwidth"
    ALIASES: ClassVar[tuple[str, ...]] = ("rate", "throttle")
    EXAMPLES: ClassVar[tuple[str, ...]] = (
        "{fault: bandwidth, rate: 10Mbit/s}",
        "{fault: bandwidth, rate: 64KiB/s, burst: 16KiB, shared: true, direction: both}",
    )
    DIRECTION: ClassVar[DirectionWord] = "downstream"
    __pydantic_config__: ClassVar[Any] = YAML_CONFIG

    rate_bytes_per_s: Annotated[RateBytesPerS, Field(description="the capacity")]
    burst_bytes: Annotated[
        SizeBytes, Field(description="what may pass at once after a quiet time")
    ] = 0
    shared: Annotated[bool, Field(description="one capacity for all connections")] = False

    def share(self) -> Pipe:
        """The capacity that all connections use."""
        return Pipe(self.rate_bytes_per_s, self.burst_bytes)

    def stage(self, context: StageContext, shared: object) -> PacedStage:  # noqa: ARG002 - the contract's arguments
        """Lets pieces pass as capacity allows."""
        pipe = shared if self.shared and isinstance(shared, Pipe) else self.share()
        piece_bytes = int(self.rate_bytes_per_s * PIECE_S)
        return PacedStage(PipePace(pipe, max(1, min(piece_bytes, PIECE_LIMIT_BYTES))))
