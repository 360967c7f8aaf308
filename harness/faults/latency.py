"""Bytes that take longer."""

from __future__ import annotations

import math
from collections.abc import Iterator
from dataclasses import dataclass, field, replace
from typing import Annotated, Any, ClassVar

from pydantic import Field

from harness.connection import StageContext
from harness.faults._base import DirectionWord, PacketPolicy
from harness.faults._packets import Flows, PacketDraws
from harness.packet import Fate, Forwarded, Packet
from harness.shape import Distribution, Shape, draw_s
from harness.timeline import Data, Direction, Draws, Item
from harness.units import YAML_CONFIG, DurationS, Fraction, Spread, SpreadS

BLOCK_BYTES = 64 * 1024
"""A message gets one delay, a long one a new delay every so many bytes."""


@dataclass(frozen=True, slots=True, kw_only=True)
class Latency:
    """Delays bytes by ``delay``, varied by ``jitter`` as ``distribution`` says.

    ``uniform`` stays within delay ± jitter; ``normal``, ``lognormal`` and ``pareto`` have delay
    as their mean and jitter as their standard deviation; no delay is negative. ``correlation``
    makes one delay resemble the one before, as in netem (tc-netem(8)). The stream keeps its
    order, so a byte waits for those before it. Ends (FIN, RST) are delayed like bytes.

    On the netns fabric, without a condition about single connections, it delays every packet of
    the client's link (a sidecar's: the backend's), connects and acknowledgements too. Packets stay
    in order there as well: jitter alone makes none overtake another, as it would with a bare
    ``tc netem``; say ``reorder`` for that. Where the kernel's netem does it, correlation mixes
    uniform draws, which narrows the spread; the packet router's keeps it.
    """

    NAME: ClassVar[str] = "latency"
    ALIASES: ClassVar[tuple[str, ...]] = ("delay", "fixedDelay")
    EXAMPLES: ClassVar[tuple[str, ...]] = (
        "{fault: latency, delay: 20ms}",
        "{fault: latency, delay: 20ms ± 5ms, distribution: normal, during: rush}",
        "{fault: latency, delay: 30ms, jitter: 10ms, distribution: pareto, correlation: 25%}",
    )
    DIRECTION: ClassVar[DirectionWord] = "downstream"
    __pydantic_config__: ClassVar[Any] = YAML_CONFIG

    delay_s: Annotated[SpreadS, Field(description="how much longer, on average")]
    jitter_s: Annotated[DurationS, Field(description="how much that varies")] = 0.0
    distribution: Annotated[Distribution, Field(description="in what shape")] = "uniform"
    correlation: Annotated[
        Fraction, Field(description="how much a delay resembles the one before")
    ] = 0.0

    def __post_init__(self) -> None:
        if self.delay_s.jitter_s and self.jitter_s:
            raise ValueError("the jitter is given twice; write delay: 20ms ± 5ms or jitter: 5ms")
        if self._jitter_s and not self.delay_s.mean_s and self.distribution in _SKEWED:
            raise ValueError(f"{self.distribution} needs a delay above 0s; write delay: 20ms")

    @property
    def _jitter_s(self) -> float:
        return self.jitter_s or self.delay_s.jitter_s

    def draw_s(self, gauss: float) -> float:
        """The delay that a standard normal deviate stands for."""
        return draw_s(gauss, self.delay_s.mean_s, self._jitter_s, self.distribution)

    def stage(self, context: StageContext, shared: object) -> LatencyStage:  # noqa: ARG002 - the contract's arguments
        """Delays."""
        return LatencyStage(self, context.draws)

    def shape(self) -> Shape:
        """The same in netem's words."""
        return Shape(
            delay_s=self.delay_s.mean_s,
            jitter_s=self._jitter_s,
            distribution=self.distribution,
            correlation=self.correlation,
        )

    def link_policy(self, draws: Draws, began: float) -> PacketPolicy:  # noqa: ARG002 - the contract's argument
        """Delays packets, each by itself, and keeps them in order."""
        return Lateness(self, PacketDraws(draws))


_SKEWED = {"lognormal", "pareto"}


@dataclass(slots=True)
class LatencyStage:
    """Draws a delay for each block of a message, keyed by the block, chained by correlation."""

    fault: Latency
    draws: Draws
    _block: tuple[int, int] | None = None
    _gauss: float = 0.0
    _delay_s: float | None = None

    def feed(self, item: Item) -> Iterator[Item]:
        """The item, later; bytes of different blocks apart."""
        while isinstance(item, Data):
            block, within = divmod(item.place.message_byte, BLOCK_BYTES)
            head, item_rest = item.split(BLOCK_BYTES - within)
            delay_s = self._delay_of((item.place.exchange, block))
            yield replace(head, due=head.due + delay_s)
            if not item_rest.payload:
                return
            item = item_rest
        yield replace(item, due=item.due + self._present_s())

    def _delay_of(self, block: tuple[int, int]) -> float:
        if block != self._block:
            fresh = self.draws.random(*block).gauss(0.0, 1.0)
            rho = self.fault.correlation if self._block is not None else 0.0
            self._gauss = _chained(rho, self._gauss, fresh)
            self._block = block
            self._delay_s = self.fault.draw_s(self._gauss)
        return self._present_s()

    def _present_s(self) -> float:
        return self.fault.delay_s.mean_s if self._delay_s is None else self._delay_s

    def heal(self, now: float) -> tuple[Item, ...]:  # noqa: ARG002 - the contract's argument
        """Nothing was held: what is on its way keeps its time."""
        return ()


@dataclass(slots=True)
class _Before:
    """The deviate that was drawn last, in each direction of a flow."""

    gauss: dict[Direction, float] = field(default_factory=dict)


@dataclass(frozen=True, slots=True)
class Lateness:
    """Draws a delay for each packet of a link, chained by correlation within a direction."""

    fault: Latency
    draws: PacketDraws
    before: Flows[_Before] = field(default_factory=lambda: Flows(_Before))

    def on_packet(self, packet: Packet, now: float) -> Fate | None:  # noqa: ARG002 - the contract's argument
        """Late, and no earlier than those before it."""
        fresh = self.draws.random(packet).gauss(0.0, 1.0)
        gauss, way = self.before.of(packet).gauss, packet.direction
        if way in gauss:
            fresh = _chained(self.fault.correlation, gauss[way], fresh)
        gauss[way] = fresh
        return Forwarded((self.fault.draw_s(fresh),))


def _chained(correlation: float, before: float, fresh: float) -> float:
    """A deviate that resembles the one before it."""
    return correlation * before + math.sqrt(1 - correlation * correlation) * fresh


def fixed(delay_s: float) -> Latency:
    """Latency without variation, for benchmarks and tests."""
    return Latency(delay_s=Spread(delay_s))
