"""Bytes that dribble."""

from __future__ import annotations

from dataclasses import dataclass
from typing import Annotated, Any, ClassVar

from pydantic import Field

from harness.connection import StageContext
from harness.faults._base import DirectionWord
from harness.faults._pacing import PacedStage, Pipe, PipePace
from harness.units import YAML_CONFIG, RateBytesPerS


@dataclass(frozen=True, slots=True, kw_only=True)
class Slow:
    """Lets bytes dribble one by one at ``rate``: a peer that is alive but never gets done.

    Each byte is a segment of its own, so a timeout that restarts whenever something arrives
    never ends. For a link that is merely narrow use ``bandwidth``.
    """

    NAME: ClassVar[str] = "slow"
    ALIASES: ClassVar[tuple[str, ...]] = ("dribble", "slow_loris", "chunkedDribbleDelay")
    EXAMPLES: ClassVar[tuple[str, ...]] = (
        "{fault: slow, rate: 200B/s}",
        "{fault: slow, rate: 50B/s, when: {response: every 3, byte: 20}}",
    )
    DIRECTION: ClassVar[DirectionWord] = "downstream"
    __pydantic_config__: ClassVar[Any] = YAML_CONFIG

    rate_bytes_per_s: Annotated[RateBytesPerS, Field(le=10_000, description="bytes a second")]

    def stage(self, context: StageContext, shared: object) -> PacedStage:  # noqa: ARG002 - the contract's arguments
        """Lets one byte pass at a time."""
        return PacedStage(PipePace(Pipe(self.rate_bytes_per_s), piece_bytes=1))
