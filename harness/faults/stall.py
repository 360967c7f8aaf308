"""Nothing moves, but the kernel still acknowledges."""

from __future__ import annotations

from collections.abc import Iterator
from dataclasses import dataclass, field
from typing import Any, ClassVar

from harness.connection import StageContext
from harness.faults._base import DirectionWord
from harness.timeline import Data, Item, postponed
from harness.units import YAML_CONFIG


@dataclass(frozen=True, slots=True, kw_only=True)
class Stall:
    """Stops relaying: bytes and ends are held until it heals, while kernels still send ACKs.

    Unlike a blackhole it doesn't trip TCP_USER_TIMEOUT or keepalive: the peer's kernel answers.
    When it heals, what was held goes on its way, as after a retransmission. Once begun it lasts
    for the connection, even if it was set off by one request or response.
    """

    NAME: ClassVar[str] = "stall"
    ALIASES: ClassVar[tuple[str, ...]] = ("timeout", "hang")
    EXAMPLES: ClassVar[tuple[str, ...]] = (
        "{fault: stall, when: {idle: 500ms}}",
        "{fault: stall, when: {response: 3, byte: 100}}",
        "{fault: stall, during: outage, direction: downstream}",
    )
    DIRECTION: ClassVar[DirectionWord] = "both"
    WHOLE_CONNECTION: ClassVar[bool] = True
    __pydantic_config__: ClassVar[Any] = YAML_CONFIG

    def stage(self, context: StageContext, shared: object) -> StallStage:  # noqa: ARG002 - the contract's arguments
        """Holds whatever comes."""
        return StallStage()


@dataclass(slots=True)
class StallStage:
    """Keeps items in order; the link's bound stops the sender when too much is held."""

    _held: list[Item] = field(default_factory=list)
    held_bytes: int = 0

    def feed(self, item: Item) -> tuple[Item, ...]:
        """Nothing leaves."""
        self._held.append(item)
        if isinstance(item, Data):
            self.held_bytes += len(item.payload)
        return ()

    def heal(self, now: float) -> Iterator[Item]:
        """Everything leaves at once."""
        held, self._held, self.held_bytes = self._held, [], 0
        return (postponed(item, now) for item in held)
