"""One fault of the run, and whether the run's own conditions let it strike now."""

from __future__ import annotations

import math
from dataclasses import dataclass
from typing import Literal

from harness.connection import Armed
from harness.faults import (
    BackendFault,
    CallerFault,
    FaultSpec,
    HostFault,
    ListenFault,
    PacketFault,
    ShapingFault,
)
from harness.shape import Means
from harness.timeline import Draws, Side
from harness.trigger import Scene, window_closes, window_opens, window_ready


@dataclass(slots=True, eq=False)
class Charge:
    """One fault of the run, ready to strike at its site."""

    index: int
    spec: FaultSpec
    draws: Draws
    armed_at: float
    armed: Armed | None = None
    means: Means | Literal[""] = ""
    sides: frozenset[Side] = frozenset()  # where it strikes links
    fired: int = 0
    healed: bool = False
    asked: int = 0  # calls it was asked about
    occasion: int = -1
    victim: str = ""  # the backend it has killed

    @property
    def changes_address(self) -> bool:
        """Whether the client's host gets another address as it fires."""
        return getattr(self.spec.fault, "CHANGES_ADDRESS", False)

    @property
    def on_link(self) -> bool:
        """Whether it strikes whole links: the proxy has no part in it."""
        elsewhere = self.means not in {"", "proxy"} and isinstance(self.spec.fault, ShapingFault)
        return self.spec.on_link or (elsewhere and not isinstance(self.spec.fault, PacketFault))

    def is_open(self, scene: Scene, now: float) -> bool:
        """Whether the run's own conditions hold now."""
        if self.healed or self.fired >= self.spec.when.limit:
            return False
        return self.in_window(scene, now)

    def in_window(self, scene: Scene, now: float) -> bool:
        """Whether ``at``, ``during`` and ``for`` hold now."""
        ready = window_ready(self.spec.when, scene, now)
        return ready is not None and ready <= now < self.closes(scene)

    def closes(self, scene: Scene) -> float:
        """When its window closes; infinity if it doesn't."""
        when = self.spec.when
        if when.for_s is None or when.at_s is not None or when.during is not None:
            return window_closes(when, scene)
        runs = isinstance(self.spec.fault, ListenFault | BackendFault | CallerFault | HostFault)
        if runs or self.on_link:  # its instants are the run's
            return max(self.armed_at, scene.zero or self.armed_at) + when.for_s
        return math.inf

    def opened(self, scene: Scene) -> float:
        """Since when its window is open; since it was armed, if the run has no say in it."""
        opens = window_opens(self.spec.when, scene)
        return self.armed_at if opens is None or opens == -math.inf else opens

    def lets_go(self, scene: Scene, begun: float) -> float:
        """When it lets go by itself of a connection it has held since ``begun``."""
        when = self.spec.when
        if when.at_s is not None or when.during is not None:
            return window_closes(when, scene)
        return math.inf if when.for_s is None else begun + when.for_s

    def chooses(self, ordinal: int, backend: str) -> bool:
        """Whether it speaks of this connection."""
        when = self.spec.when
        if when.connection is not None and ordinal not in when.connection:
            return False
        if when.backend is not None and when.backend != backend:
            return False
        return self.lucky(ordinal)

    def lucky(self, *key: object) -> bool:
        """Whether chance lets it strike this occasion."""
        probability = self.spec.when.probability
        return probability is None or self.draws.chance(probability, *key)
