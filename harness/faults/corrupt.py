"""Bytes that change on the way."""

from __future__ import annotations

from dataclasses import dataclass, replace
from typing import Annotated, Any, ClassVar

from pydantic import Field

from harness.connection import StageContext
from harness.faults._base import DirectionWord
from harness.timeline import Data, Draws, Item
from harness.units import YAML_CONFIG, SizeBytes


@dataclass(frozen=True, slots=True, kw_only=True)
class Corrupt:
    """Flips one bit in each of the next ``bytes`` bytes; their number stays the same.

    TCP's checksum doesn't notice, as after a faulty middlebox. Under ``tls: passthrough`` the
    record's authentication must fail (RFC 8446 section 5.2).
    """

    NAME: ClassVar[str] = "corrupt"
    ALIASES: ClassVar[tuple[str, ...]] = ()
    EXAMPLES: ClassVar[tuple[str, ...]] = (
        "{fault: corrupt, when: {response: every 4}}",
        "{fault: corrupt, bytes: 16, when: {response: 1, byte: 9}}",
    )
    DIRECTION: ClassVar[DirectionWord] = "downstream"
    ALTERS: ClassVar[bool] = True
    __pydantic_config__: ClassVar[Any] = YAML_CONFIG

    count_bytes: Annotated[
        SizeBytes, Field(alias="bytes", ge=1, description="how many bytes are changed")
    ] = 1

    def stage(self, context: StageContext, shared: object) -> CorruptStage:  # noqa: ARG002 - the contract's arguments
        """Flips bits."""
        return CorruptStage(context.draws, self.count_bytes)


@dataclass(slots=True)
class CorruptStage:
    """Flips a bit in each of the first ``left_bytes`` bytes; which bit depends on the byte."""

    draws: Draws
    left_bytes: int

    def feed(self, item: Item) -> tuple[Item, ...]:
        """The item, changed."""
        if not isinstance(item, Data) or not self.left_bytes:
            return (item,)
        payload = bytearray(item.payload)
        count = min(self.left_bytes, len(payload))
        for offset in range(count):
            bit = self.draws.random(item.place.stream_byte + offset).randrange(8)
            payload[offset] ^= 1 << bit
        self.left_bytes -= count
        return (replace(item, payload=bytes(payload)),)

    def heal(self, now: float) -> tuple[Item, ...]:  # noqa: ARG002 - the contract's argument
        """Nothing was held."""
        return ()
