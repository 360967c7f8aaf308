"""Packets that arrive twice."""

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

TWICE = Forwarded((0.0, 0.0))


@dataclass(frozen=True, slots=True, kw_only=True)
class Duplicate:
    """Delivers a share of the packets twice, as netem's ``duplicate`` does (tc-netem(8)).

    TCP throws the copy away and acknowledges again (RFC 9293 section 3.10.7.4), so applications
    see nothing of it: a fault that must do no harm.
    """

    NAME: ClassVar[str] = "duplicate"
    ALIASES: ClassVar[tuple[str, ...]] = ()
    EXAMPLES: ClassVar[tuple[str, ...]] = (
        "{fault: duplicate, rate: 10%}",
        "{fault: duplicate, rate: 100%, direction: upstream, during: rush}",
    )
    SIDE: ClassVar[SideWord] = "client"
    DIRECTION: ClassVar[DirectionWord] = "both"
    __pydantic_config__: ClassVar[Any] = YAML_CONFIG

    rate: Annotated[Fraction, Field(description="this share of the packets")]

    def policy(self, draws: Draws, began: float) -> Copier:  # noqa: ARG002 - the contract's argument
        """Chooses."""
        return Copier(self.rate, PacketDraws(draws))

    def shape(self) -> Shape:
        """The same in netem's words."""
        return Shape(duplicate=self.rate)


@dataclass(frozen=True, slots=True)
class Copier:
    """Chooses who arrives twice."""

    rate: float
    draws: PacketDraws

    def on_packet(self, packet: Packet, now: float) -> Fate | None:  # noqa: ARG002 - the contract's argument
        """Twice, if chance says so."""
        return TWICE if self.draws.chance(self.rate, packet) else None
