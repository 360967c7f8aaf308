"""Packets that are dropped in silence."""

from __future__ import annotations

from dataclasses import dataclass
from typing import Any, ClassVar

from harness.faults._base import DirectionWord, SideWord
from harness.packet import DROPPED, Fate, Packet
from harness.timeline import Draws
from harness.units import YAML_CONFIG


@dataclass(frozen=True, slots=True, kw_only=True)
class Blackhole:
    """Drops every packet in silence: nobody is told, and no kernel answers.

    Unlike a stall it trips what waits for acknowledgements: keepalive, TCP_USER_TIMEOUT and
    retransmission (some 924 s with Linux's default of tcp_retries2). Without a condition about one
    connection it takes the whole link, new connections included. When it heals, what the
    kernels retransmit gets through.
    """

    NAME: ClassVar[str] = "blackhole"
    ALIASES: ClassVar[tuple[str, ...]] = ()
    EXAMPLES: ClassVar[tuple[str, ...]] = (
        "{fault: blackhole, when: {idle: 500ms}}",
        "{fault: blackhole, during: outage}",
        "{fault: blackhole, when: {response: 3}, direction: downstream}",
    )
    SIDE: ClassVar[SideWord] = "client"
    DIRECTION: ClassVar[DirectionWord] = "both"
    __pydantic_config__: ClassVar[Any] = YAML_CONFIG

    def policy(self, draws: Draws, began: float) -> Blackhole:  # noqa: ARG002 - the contract's arguments
        """Itself: there is nothing to remember."""
        return self

    def on_packet(self, packet: Packet, now: float) -> Fate | None:  # noqa: ARG002 - likewise
        """Gone."""
        return DROPPED
