"""Packets that are too large, and nobody is told."""

from __future__ import annotations

from dataclasses import dataclass
from typing import Annotated, Any, ClassVar

from pydantic import Field

from harness.faults._base import DirectionWord, SideWord
from harness.packet import DROPPED, HEADER_BYTES, Fate, Packet
from harness.timeline import Draws
from harness.units import YAML_CONFIG, SizeBytes


@dataclass(frozen=True, slots=True, kw_only=True)
class Mtu:
    """Drops packets larger than ``limit`` in silence: a path MTU black hole (RFC 2923).

    A tunnel whose firewall filters ICMP does so: connects, pings and short calls work, and the
    first long message hangs, because its retransmissions are as long. A packet weighs 40 bytes
    (IPv4 and TCP headers) more than what it carries. No IPv4 link carries less than 68 bytes
    (RFC 791).
    """

    NAME: ClassVar[str] = "mtu"
    ALIASES: ClassVar[tuple[str, ...]] = ()
    EXAMPLES: ClassVar[tuple[str, ...]] = (
        "{fault: mtu, limit: 1400}",
        "{fault: mtu, limit: 576B, when: {connection: first 2}, direction: downstream}",
    )
    SIDE: ClassVar[SideWord] = "client"
    DIRECTION: ClassVar[DirectionWord] = "both"
    __pydantic_config__: ClassVar[Any] = YAML_CONFIG

    limit_bytes: Annotated[SizeBytes, Field(ge=68, description="the largest packet that passes")]

    def policy(self, draws: Draws, began: float) -> Mtu:  # noqa: ARG002 - the contract's arguments
        """Itself: there is nothing to remember."""
        return self

    def on_packet(self, packet: Packet, now: float) -> Fate | None:  # noqa: ARG002 - likewise
        """Gone, if it is too large."""
        return DROPPED if packet.size_bytes + HEADER_BYTES > self.limit_bytes else None
