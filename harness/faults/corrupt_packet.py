"""Packets that arrive damaged."""

from __future__ import annotations

from dataclasses import dataclass
from typing import Annotated, Any, ClassVar

from pydantic import Field

from harness.faults._base import DirectionWord, SideWord
from harness.faults._packets import PacketDraws
from harness.packet import Fate, Forwarded, Packet
from harness.shape import Shape
from harness.timeline import Draws
from harness.units import YAML_CONFIG, Fraction

DAMAGED = Forwarded(damaged=True)


@dataclass(frozen=True, slots=True, kw_only=True)
class CorruptPacket:
    """Damages a share of the packets on their way, as netem's ``corrupt`` does (tc-netem(8)).

    A damaged packet arrives, its checksum is wrong, and the receiver's kernel throws it away
    without a word (RFC 9293 section 3.1), so the sender's retransmits: the stream arrives late,
    not damaged. Bytes that reach the application altered are ``corrupt``.
    """

    NAME: ClassVar[str] = "corrupt_packet"
    ALIASES: ClassVar[tuple[str, ...]] = ()
    EXAMPLES: ClassVar[tuple[str, ...]] = (
        "{fault: corrupt_packet, rate: 1%}",
        "{fault: corrupt_packet, rate: 20%, direction: downstream, during: rush}",
    )
    SIDE: ClassVar[SideWord] = "client"
    DIRECTION: ClassVar[DirectionWord] = "both"
    __pydantic_config__: ClassVar[Any] = YAML_CONFIG

    rate: Annotated[Fraction, Field(description="this share of the packets")]

    def policy(self, draws: Draws, began: float) -> Damager:  # noqa: ARG002 - the contract's argument
        """Chooses."""
        return Damager(self.rate, PacketDraws(draws))

    def shape(self) -> Shape:
        """The same in netem's words."""
        return Shape(corrupt=self.rate)


@dataclass(frozen=True, slots=True)
class Damager:
    """Chooses who arrives damaged."""

    rate: float
    draws: PacketDraws

    def on_packet(self, packet: Packet, now: float) -> Fate | None:  # noqa: ARG002 - the contract's argument
        """Damaged, if chance says so."""
        return DAMAGED if self.draws.chance(self.rate, packet) else None
