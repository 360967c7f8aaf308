"""A middlebox that ends connections which are not its own."""

from __future__ import annotations

from dataclasses import dataclass
from typing import Any, ClassVar

from harness.faults._base import DirectionWord, SideWord
from harness.packet import Fate, Forged, Packet, PacketKind
from harness.timeline import Draws
from harness.units import YAML_CONFIG

FORGED = Forged()


@dataclass(frozen=True, slots=True, kw_only=True)
class ForgedReset:
    """Ends a connection from between: a RST to each end, in the name of the other.

    Firewalls, intrusion detection and censors do so: they watch, and once data passes that they
    dislike, they forge a RST each way, in window (RFC 5961 section 3). The data itself arrives, so
    a request may be executed whose reply nobody will see. Neither end has sent a RST, and both
    have got one: ``reset`` is the proxy's own, ``partition`` lets nothing through.

    Each packet with data is followed by RST, in case an end did not believe the one before;
    ``direction`` says whose data it reads. Connects pass.
    """

    NAME: ClassVar[str] = "forged_reset"
    ALIASES: ClassVar[tuple[str, ...]] = ("rst_injection", "tcpkill")
    EXAMPLES: ClassVar[tuple[str, ...]] = (
        "{fault: forged_reset, when: {idle: 1s}}",
        "{fault: forged_reset, when: {request: 3, connection: 1}, side: backend}",
        "{fault: forged_reset, direction: downstream, during: censored}",
    )
    SIDE: ClassVar[SideWord] = "client"
    DIRECTION: ClassVar[DirectionWord] = "both"
    __pydantic_config__: ClassVar[Any] = YAML_CONFIG

    def policy(self, draws: Draws, began: float) -> ForgedReset:  # noqa: ARG002 - the contract's arguments
        """Itself: there is nothing to remember."""
        return self

    def on_packet(self, packet: Packet, now: float) -> Fate | None:  # noqa: ARG002 - likewise
        """The end, behind a packet with data."""
        return FORGED if packet.kind is PacketKind.DATA else None
