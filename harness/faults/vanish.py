"""Connections that the other end has forgotten."""

from __future__ import annotations

from dataclasses import dataclass
from typing import Any, ClassVar

from harness.faults._base import SideWord
from harness.faults._packets import NewFlows
from harness.packet import DROPPED, Fate, Packet, PacketKind, Refusal
from harness.timeline import Draws
from harness.units import YAML_CONFIG


@dataclass(frozen=True, slots=True, kw_only=True)
class Vanish:
    """Forgets connections: silence, until RST answers the next packet of either end.

    A load balancer that was replaced and a server that lost its power do so: an established
    connection is unknown to them (RFC 9293 section 3.5.1), so an idle client notices nothing
    until it sends. Connections that open afterwards work. The RST itself comes from what has
    forgotten, so the other end is told only when it sends, too.
    """

    NAME: ClassVar[str] = "vanish"
    ALIASES: ClassVar[tuple[str, ...]] = ()
    EXAMPLES: ClassVar[tuple[str, ...]] = (
        "{fault: vanish, when: {idle: 2s}}",
        "{fault: vanish, at: 1s}",
        "{fault: vanish, when: {request: 3}, side: backend}",
    )
    SIDE: ClassVar[SideWord] = "client"
    STRIKES_EXISTING: ClassVar[bool] = True
    __pydantic_config__: ClassVar[Any] = YAML_CONFIG

    def policy(self, draws: Draws, began: float) -> Forgotten:  # noqa: ARG002 - the contract's arguments
        """Tells old flows from new ones."""
        return Forgotten()


class Forgotten:
    """Answers for flows older than itself."""

    def __init__(self) -> None:
        self.new = NewFlows(retries=True)

    def on_packet(self, packet: Packet, now: float) -> Fate | None:  # noqa: ARG002 - the contract's argument
        """RST, and silence for a RST: nothing answers that (RFC 9293 section 3.5.2)."""
        if self.new.has(packet):
            return None
        return DROPPED if packet.kind is PacketKind.RST else Refusal.RESET
