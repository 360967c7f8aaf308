"""Two halves of a network that don't reach each other."""

from __future__ import annotations

from dataclasses import dataclass
from typing import Annotated, Any, ClassVar, Literal

from pydantic import Field

from harness.faults._base import DirectionWord, SideWord
from harness.packet import DROPPED, Fate, Packet, PacketKind, Refusal
from harness.timeline import Draws
from harness.units import YAML_CONFIG, DurationS


@dataclass(frozen=True, slots=True, kw_only=True)
class Partition:
    """Lets no packet through, and says so or not: ``drop``, ``reset`` or ``unreachable``.

    ``reset`` answers by RST as a firewall's reject does, so live connections break at their next
    packet and connects are refused; ``unreachable`` answers by ICMP (RFC 792), so connects fail
    with EHOSTUNREACH while live connections retransmit and wait. With ``down`` and ``up`` it
    flaps: so long gone, so long there, counted from the instant it begins. One way only by
    ``direction``.
    """

    NAME: ClassVar[str] = "partition"
    ALIASES: ClassVar[tuple[str, ...]] = ()
    EXAMPLES: ClassVar[tuple[str, ...]] = (
        "{fault: partition, during: outage}",
        "{fault: partition, how: reset, at: 1s, for: 3s}",
        "{fault: partition, how: unreachable, down: 2s, up: 3s}",
        "{fault: partition, direction: downstream, during: outage}",
    )
    SIDE: ClassVar[SideWord] = "client"
    DIRECTION: ClassVar[DirectionWord] = "both"
    __pydantic_config__: ClassVar[Any] = YAML_CONFIG

    how: Annotated[
        Literal["drop", "reset", "unreachable"], Field(description="what the sender is told")
    ] = "drop"
    down_s: Annotated[
        Annotated[DurationS, Field(gt=0)] | None,
        Field(description="nothing passes for this long, again and again"),
    ] = None
    up_s: Annotated[
        Annotated[DurationS, Field(gt=0)] | None,
        Field(description="everything passes for this long in between"),
    ] = None

    def __post_init__(self) -> None:
        if (self.down_s is None) != (self.up_s is None):
            given, other = ("up", "down: 2s") if self.down_s is None else ("down", "up: 3s")
            raise ValueError(f"{given} is only half of how it flaps; add {other}")

    def policy(self, draws: Draws, began: float) -> Wall:  # noqa: ARG002 - the contract's argument
        """The wall, which knows when it was put up."""
        return Wall(self, began)


@dataclass(frozen=True, slots=True)
class Wall:
    """Stands, or stands and falls by turns."""

    fault: Partition
    began: float

    def on_packet(self, packet: Packet, now: float) -> Fate | None:
        """What the wall answers while it stands; nothing answers a RST (RFC 9293 3.5.2)."""
        if not self.stands(now):
            return None
        if self.fault.how == "drop" or packet.kind is PacketKind.RST:
            return DROPPED
        return Refusal.RESET if self.fault.how == "reset" else Refusal.UNREACHABLE

    def stands(self, now: float) -> bool:
        """Whether nothing passes now."""
        down_s, up_s = self.fault.down_s, self.fault.up_s
        if down_s is None or up_s is None:
            return True
        return (now - self.began) % (down_s + up_s) < down_s
