"""A link of limited capacity."""

from __future__ import annotations

from dataclasses import dataclass
from typing import Annotated, Any, ClassVar

from pydantic import Field

from harness.connection import StageContext
from harness.faults._base import DirectionWord, PacketPolicy
from harness.faults._pacing import PacedStage, Pipe, PipePace
from harness.faults._packets import Ways
from harness.packet import DROPPED, HEADER_BYTES, Fate, Forwarded, Packet
from harness.shape import Shape
from harness.timeline import Draws
from harness.units import YAML_CONFIG, RateBytesPerS, SizeBytes

PIECE_S = 0.002
"""A piece takes about this long, so that a slow link trickles instead of jerking."""
PIECE_LIMIT_BYTES = 16 * 1024


@dataclass(frozen=True, slots=True, kw_only=True)
class Bandwidth:
    """Limits how fast bytes pass: for each connection, or for all together with ``shared``.

    On the netns fabric, without a condition about single connections, it is the client's link that
    has this capacity (a sidecar's: the backend's), for whole packets with their headers: each
    direction of each host's link, or all together with ``shared``. What waits for it is bounded
    there, to 0.4 seconds' worth and at least 32 KiB, and packets beyond that are dropped, as tbf's
    ``latency`` has it (tc-tbf(8)).
    """

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

    def shape(self) -> Shape:
        """The same in the words of tbf and htb."""
        return Shape(
            rate_bytes_per_s=self.rate_bytes_per_s,
            burst_bytes=self.burst_bytes,
            shared=self.shared,
        )

    def link_policy(self, draws: Draws, began: float) -> PacketPolicy:  # noqa: ARG002 - the contract's arguments
        """A capacity for packets."""
        common = self.share()
        return Narrows(
            self.shape().queue_bytes, Ways(lambda: common if self.shared else self.share())
        )


@dataclass(frozen=True, slots=True)
class Narrows:
    """Lets packets wait for a capacity: one for each host and direction, or for all the same."""

    queue_bytes: int
    pipes: Ways[Pipe]

    def on_packet(self, packet: Packet, now: float) -> Fate | None:
        """Later by what those before it need; gone if too much waits already."""
        pipe, size_bytes = self.pipes.of(packet), packet.size_bytes + HEADER_BYTES
        wait_s = max(0.0, pipe.free_at - now)
        if wait_s * pipe.rate_bytes_per_s + size_bytes > self.queue_bytes:
            return DROPPED
        pipe.charge(size_bytes, now + wait_s)
        return Forwarded((wait_s,))
