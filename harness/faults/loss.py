"""Packets that get lost now and then."""

from __future__ import annotations

from dataclasses import dataclass, field
from typing import Annotated, Any, ClassVar

from pydantic import Field

from harness.faults._base import DirectionWord, PacketPolicy, SideWord
from harness.faults._packets import Flows, PacketDraws, Ways
from harness.packet import DROPPED, Fate, Packet
from harness.shape import Bursts, Shape
from harness.timeline import Direction, Draws
from harness.units import YAML_CONFIG, Fraction


@dataclass(frozen=True, slots=True, kw_only=True)
class Loss:
    """Loses a share of the packets: each by itself with ``rate``, in bursts, or ``every`` n-th.

    Bursts are the Gilbert-Elliott model in netem's letters (tc-netem(8), ``loss gemodel``). Each
    direction of a flow is in a good or a bad state, at first good; after each packet it turns bad
    with ``p`` and good again with ``r``, so a bad state lasts 1/r packets on average. ``h`` is the
    share that survives the bad state and ``k`` the share that survives the good one. The kernel
    retransmits what is lost, so the stream arrives late, not damaged.

    ``every: 10`` loses the tenth packet, the twentieth and so on, exactly, of all that go one way
    to a host; striking a single connection, it counts that one's. Where the kernel's netem does it,
    the chain of bursts is the link's and not a flow's.
    """

    NAME: ClassVar[str] = "loss"
    ALIASES: ClassVar[tuple[str, ...]] = ("gemodel",)
    EXAMPLES: ClassVar[tuple[str, ...]] = (
        "{fault: loss, rate: 5%}",
        "{fault: loss, p: 2%, r: 25%, during: rush}",
        "{fault: loss, p: 1%, r: 10%, h: 20%, k: 99.9%, direction: downstream}",
        "{fault: loss, every: 10, during: rush}",
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

    every: Annotated[
        int | None, Field(ge=1, description="exactly each packet whose number it divides")
    ] = None

    def __post_init__(self) -> None:
        bursts = [name for name in "prhk" if getattr(self, name) is not None]
        given = [name for name in ("rate", "every") if getattr(self, name) is not None]
        models = given + bursts[:1]
        if len(models) > 1:
            raise ValueError(f"{models[0]} and {models[1]} are two models of loss; keep one")
        if bursts and self.p is None:
            raise ValueError(f"{bursts[0]} speaks of bursts, and p of how they begin; add p: 1%")
        if not models:
            raise ValueError(
                "how much is lost is not clear; give rate: 5%, or p: 1% and r: 10%, or every: 10"
            )

    def policy(self, draws: Draws, began: float) -> PacketPolicy:  # noqa: ARG002 - the contract's argument
        """The model at work."""
        if self.every is not None:
            return CountedLoss(self.every)
        if self.rate is not None:
            return EvenLoss(self.rate, PacketDraws(draws))
        bursts = self._bursts()
        return BurstLoss(
            turns=(bursts.p, bursts.r),
            loses=(1 - bursts.k, 1 - bursts.h),
            draws=PacketDraws(draws),
        )

    def shape(self) -> Shape:
        """The same in netem's words."""
        if self.every is not None:
            return Shape(loss_every=self.every)
        return Shape(bursts=self._bursts()) if self.rate is None else Shape(loss=self.rate)

    def _bursts(self) -> Bursts:
        assert self.p is not None
        return Bursts(
            p=self.p,
            r=1 - self.p if self.r is None else self.r,
            h=self.h or 0.0,
            k=1.0 if self.k is None else self.k,
        )


@dataclass(slots=True)
class _Tally:
    """How many packets have gone a way."""

    passed: int = 0


@dataclass(frozen=True, slots=True)
class CountedLoss:
    """Each n-th packet of a way."""

    every: int
    tallies: Ways[_Tally] = field(default_factory=lambda: Ways(_Tally))

    def on_packet(self, packet: Packet, now: float) -> Fate | None:  # noqa: ARG002 - the contract's argument
        """Gone, if it is its turn."""
        tally = self.tallies.of(packet)
        tally.passed += 1
        return None if tally.passed % self.every else DROPPED


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
