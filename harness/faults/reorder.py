"""Packets that are overtaken by those behind them."""

from __future__ import annotations

from dataclasses import dataclass, field
from typing import Annotated, Any, ClassVar

from pydantic import Field

from harness.faults._base import DirectionWord, SideWord
from harness.faults._packets import Flows, PacketDraws
from harness.packet import Fate, Forwarded, Packet
from harness.shape import Shape
from harness.timeline import Direction, Draws
from harness.units import YAML_CONFIG, DurationS, Fraction


@dataclass(frozen=True, slots=True, kw_only=True)
class Reorder:
    """Delays a share of the packets by ``delay``, and lets those behind overtake them.

    netem turns it round (tc-netem(8)): there a share is sent early and the rest is late. With
    ``gap`` at least so many packets of a direction, less one, pass before the next is late. TCP
    puts the stream back in order, so the application sees a pause; the kernel may take three
    overtakers for a loss and retransmit (RFC 5681 section 3.2).
    """

    NAME: ClassVar[str] = "reorder"
    ALIASES: ClassVar[tuple[str, ...]] = ()
    EXAMPLES: ClassVar[tuple[str, ...]] = (
        "{fault: reorder, rate: 25%, delay: 10ms}",
        "{fault: reorder, rate: 100%, delay: 5ms, gap: 5, direction: downstream}",
    )
    SIDE: ClassVar[SideWord] = "client"
    DIRECTION: ClassVar[DirectionWord] = "both"
    __pydantic_config__: ClassVar[Any] = YAML_CONFIG

    rate: Annotated[Fraction, Field(description="this share of the packets is late")]
    delay_s: Annotated[DurationS, Field(description="how late")]
    gap: Annotated[int, Field(ge=1, description="at most one in so many is late")] = 1

    def __post_init__(self) -> None:
        if not self.delay_s:
            raise ValueError("who is late by nothing isn't overtaken; write delay: 10ms")

    def policy(self, draws: Draws, began: float) -> Shuffle:  # noqa: ARG002 - the contract's argument
        """Chooses and counts."""
        return Shuffle(self, PacketDraws(draws))

    def shape(self) -> Shape:
        """The same: in the kernel's words the others are sent early."""
        return Shape(reorder=self.rate, delay_s=self.delay_s, gap=self.gap)


@dataclass(slots=True)
class _InOrder:
    """How many packets of each direction have passed since the last that was late."""

    passed: dict[Direction, int] = field(default_factory=dict)


@dataclass(frozen=True, slots=True)
class Shuffle:
    """Chooses who is late."""

    fault: Reorder
    draws: PacketDraws
    counts: Flows[_InOrder] = field(default_factory=lambda: Flows(_InOrder))

    def on_packet(self, packet: Packet, now: float) -> Fate | None:  # noqa: ARG002 - the contract's argument
        """Late, if enough have passed and chance says so."""
        passed = self.counts.of(packet).passed
        lucky = self.draws.chance(self.fault.rate, packet)
        passed[packet.direction] = passed.get(packet.direction, 0) + 1
        if not lucky or passed[packet.direction] < self.fault.gap:
            return None
        passed[packet.direction] = 0
        return Forwarded((self.fault.delay_s,), in_order=False)
