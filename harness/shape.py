"""What faults ask of a link and of the client's host, in words: nothing here performs anything.

A link that shapes what passes, and a host that loses its network or its ports, are states that
hold while a fault is at work. They are told to a fabric as a whole each time one of them changes,
so that the fabric has only to bring itself from what is to what shall be.
"""

from __future__ import annotations

import math
from dataclasses import dataclass
from statistics import NormalDist
from typing import Literal, TypeAlias

from harness.timeline import Direction, Side

Distribution: TypeAlias = Literal["uniform", "normal", "lognormal", "pareto"]
Means: TypeAlias = Literal["proxy", "router", "netem", "tbf", "htb", "host", "port"]
"""What performs a fault: the proxy itself, the packet router, one of the kernel's queueing
disciplines, the client's host, or the proxy's listening port."""
QUEUE_S = 0.4
"""A link of limited capacity keeps what it can send in this time, and drops what is more."""
QUEUE_LEAST_BYTES = 32 * 1024
"""But never fewer bytes than this, or a slow link would drop every second packet."""

_NORMAL = NormalDist()


@dataclass(frozen=True, slots=True, kw_only=True)
class Bursts:
    """Loss by the Gilbert-Elliott model, in netem's letters; each a probability from 0 to 1."""

    p: float
    r: float
    h: float = 0.0
    k: float = 1.0


@dataclass(frozen=True, slots=True, kw_only=True)
class Shape:
    """What a link does to each packet; the words are netem's (tc-netem(8)), shares from 0 to 1.

    ``correlation`` is the delay's. ``reorder`` is the share that is *late* by ``delay_s``, at most
    one in ``gap``, while the others pass at once; 0 where all are delayed. ``loss_every`` loses
    each packet whose number is a multiple of it. ``rate_bytes_per_s`` counts whole IP packets; it
    is ``shared`` if all links of a side use one capacity, else each has its own.
    """

    delay_s: float = 0.0
    jitter_s: float = 0.0
    distribution: Distribution = "uniform"
    correlation: float = 0.0
    loss: float = 0.0
    loss_every: int = 0
    bursts: Bursts | None = None
    duplicate: float = 0.0
    corrupt: float = 0.0
    reorder: float = 0.0
    gap: int = 1
    rate_bytes_per_s: float | None = None
    burst_bytes: int = 0
    shared: bool = False

    @property
    def queue_bytes(self) -> int:
        """How many bytes may wait for a limited capacity."""
        return max(QUEUE_LEAST_BYTES, int((self.rate_bytes_per_s or 0.0) * QUEUE_S))


def draw_s(gauss: float, mean_s: float, jitter_s: float, distribution: Distribution) -> float:
    """The delay that a standard normal deviate stands for; never negative.

    ``uniform`` stays within mean ± jitter; the others have jitter as their standard deviation.
    """
    if not jitter_s:
        return mean_s
    match distribution:
        case "uniform":
            delay_s = mean_s + jitter_s * (2 * _NORMAL.cdf(gauss) - 1)
        case "normal":
            delay_s = mean_s + jitter_s * gauss
        case "lognormal":
            variance = math.log1p((jitter_s / mean_s) ** 2)
            delay_s = mean_s * math.exp(math.sqrt(variance) * gauss - variance / 2)
        case "pareto":
            shape = 1 + math.sqrt(1 + (mean_s / jitter_s) ** 2)
            least_s = mean_s * (shape - 1) / shape
            delay_s = least_s / _NORMAL.cdf(-gauss) ** (1 / shape)
    return max(0.0, delay_s)


@dataclass(frozen=True, slots=True)
class Shaping:
    """A shape at work: for which fault of the run, by what, on which links, from which seed."""

    index: int
    shape: Shape
    means: Means
    sides: frozenset[Side]
    directions: tuple[Direction, ...]
    seed: int = 0


@dataclass(frozen=True, slots=True, kw_only=True)
class HostState:
    """How the client's host is held: its link up or down, and how many ports it may dial from."""

    link_up: bool = True
    ports: int | None = None


UNTOUCHED_HOST = HostState()
