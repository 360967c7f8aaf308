"""Packets that get lost now and then."""

from __future__ import annotations

from dataclasses import dataclass, field
from typing import Annotated, Any, ClassVar

from pydantic import Field

from harness.faults._base import DirectionWord, PacketPolicy, SideWord
from harness.faults._packets import Flows, PacketDraws
from harness.packet import DROPPED, Fate, Packet
from harness.timeline import Direction, Draws
from harness.units import YAML_CONFIG, Fraction


@dataclass(frozen=True, slots=True, kw_only=True)
class Loss:
    """Loses a share of the packets: each by itself with ``rate``, or in bursts.

    Bursts are the Gilbert-Elliott model in netem's letters (tc-netem(8), ``loss gemodel``). Each
    direction of a flow is in a good or a bad state, at first good; after each packet it turns bad
    with ``p`` and good again with ``r``, so a bad state lasts 1/r packets on average. ``h`` is the
    share that survives the bad state and ``k`` the share that survives the good one. The kernel
    retransmits what is lost, so the stream arrives late, not damaged.
    """

    NAME: ClassVar[str] = "loss"
    ALIASES: ClassVar[tuple[str, ...]] = ("gemodel",)
    EXAMPLES: ClassVar[tuple[str, ...]] = (
        "{fault: loss, rate: 5%}",
        "{fault: loss, p: 2%, r: 25%, during: rush}",
        "{fault: loss, p: 1%, r: 10%, h: 20%, k: 99.9%, direction: downstream}",
    )
    SIDE: ClassVar[SideWord] = "client"
    DIRECTION: ClassVar[DirectionWord] = "both"
    __pydantic_config__: ClassVar[Any] = YAML_CONFIG

    rate: Annotated[
        Fraction | None, Field(description="this share of the packets, each by itself")
    ] = None
    p: Annotated[Fraction | None, Field(description="how likely the good state turns bad")] = None
    r: Annotated[
        Fraction | None, Field(description="how likely the bad state turns good; else 1 - p")
    ] = None
    h: Annotated[
        Fraction | None, Field(description="survives the bad state; else nothing does")
    ] = None
    k: Annotated[
        Fraction | None, Field(description="survives the good state; else everything does")
    ] = None

    def __post_init__(self) -> None:
        bursts = [name for name in "prhk" if getattr(self, name) is not None]
        if self.rate is not None and bursts:
            raise ValueError(f"rate and {bursts[0]} are two models of loss; keep one of them")
        if bursts and self.p is None:
            raise ValueError(f"{bursts[0]} speaks of bursts, and p of how they begin; add p: 1%")
        if self.rate is None and not bursts:
            raise ValueError("how much is lost is not clear; give rate: 5%, or p: 1% and r: 10%")

    def policy(self, draws: Draws, began: float) -> PacketPolicy:  # noqa: ARG002 - the contract's argument
        """The model at work."""
        if self.rate is not None:
            return EvenLoss(self.rate, PacketDraws(draws))
        assert self.p is not None
        recovers = 1 - self.p if self.r is None else self.r
        return BurstLoss(
            turns=(self.p, recovers),
            loses=(1 - (1.0 if self.k is None else self.k), 1 - (self.h or 0.0)),
            draws=PacketDraws(draws),
        )


@dataclass(frozen=True, slots=True)
class EvenLoss:
    """Each packet by itself."""

    rate: float
    draws: PacketDraws

    def on_packet(self, packet: Packet, now: float) -> Fate | None:  # noqa: ARG002 - the contract's argument
        """Gone, if chance says so."""
        return DROPPED if self.draws.chance(self.rate, packet) else None


@dataclass(slots=True)
class _Weather:
    """Which directions of a flow are in the bad state."""

    bad: set[Direction] = field(default_factory=set)


@dataclass(frozen=True, slots=True)
class BurstLoss:
    """Gilbert-Elliott: a chain of two states; pairs are (good, bad)."""

    turns: tuple[float, float]
    loses: tuple[float, float]
    draws: PacketDraws
    weather: Flows[_Weather] = field(default_factory=lambda: Flows(_Weather))

    def on_packet(self, packet: Packet, now: float) -> Fate | None:  # noqa: ARG002 - the contract's argument
        """Gone with the present state's chance; then the state may turn."""
        bad, random = self.weather.of(packet).bad, self.draws.random(packet)
        state = packet.direction in bad
        lost = random.random() < self.loses[state]
        if random.random() < self.turns[state]:
            bad ^= {packet.direction}
        return DROPPED if lost else None
