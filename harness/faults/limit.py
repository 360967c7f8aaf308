"""So many bytes and no more."""

from __future__ import annotations

from collections.abc import Iterator
from dataclasses import dataclass
from typing import Annotated, Any, ClassVar

from pydantic import Field

from harness.connection import StageContext
from harness.faults._base import DirectionWord
from harness.timeline import Data, Fin, Item
from harness.units import YAML_CONFIG, SizeBytes


@dataclass(frozen=True, slots=True, kw_only=True)
class Limit:
    """Closes the connection with FIN once so many bytes have passed since it fired."""

    NAME: ClassVar[str] = "limit"
    ALIASES: ClassVar[tuple[str, ...]] = ("limit_data",)
    EXAMPLES: ClassVar[tuple[str, ...]] = (
        "{fault: limit, bytes: 4KiB}",
        "{fault: limit, bytes: 100, when: {response: every 5}}",
    )
    DIRECTION: ClassVar[DirectionWord] = "downstream"
    __pydantic_config__: ClassVar[Any] = YAML_CONFIG

    limit_bytes: Annotated[
        SizeBytes, Field(alias="bytes", ge=1, description="how many bytes pass before the end")
    ]

    def stage(self, context: StageContext, shared: object) -> LimitStage:  # noqa: ARG002 - the contract's arguments
        """Counts down."""
        return LimitStage(self.limit_bytes)


@dataclass(slots=True)
class LimitStage:
    """Lets ``left_bytes`` pass, then ends the connection."""

    left_bytes: int

    def feed(self, item: Item) -> Iterator[Item]:
        """The item, or what of it is within the limit and then the end."""
        if not isinstance(item, Data) or len(item.payload) < self.left_bytes:
            if isinstance(item, Data):
                self.left_bytes -= len(item.payload)
            yield item
            return
        head, _ = item.split(self.left_bytes)
        self.left_bytes = 0
        yield head
        yield Fin(item.due, full=True)

    def heal(self, now: float) -> tuple[Item, ...]:  # noqa: ARG002 - the contract's argument
        """Nothing was held."""
        return ()
