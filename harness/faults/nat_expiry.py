"""A middlebox that forgets who is silent."""

from __future__ import annotations

from collections.abc import Callable
from dataclasses import dataclass
from typing import Annotated, Any, ClassVar, Literal

from pydantic import Field

from harness.faults._base import SideWord
from harness.faults._packets import Flows
from harness.packet import DROPPED, Fate, Packet, PacketKind, Refusal
from harness.timeline import Draws
from harness.units import YAML_CONFIG, DurationS


@dataclass(frozen=True, slots=True, kw_only=True)
class NatExpiry:
    """Forgets a connection once no packet of it has passed for ``after``.

    NATs and load balancers do so to the idle (RFC 5382 section 5 asks for two hours and four
    minutes at least; 350 s is usual in clouds). Nobody is told: the next packet of either end is
    answered by RST, or dropped with ``answer: drop``, and so are all that follow. Packets of any
    kind keep a connection known, keepalive's too.
    """

    NAME: ClassVar[str] = "nat_expiry"
    ALIASES: ClassVar[tuple[str, ...]] = ()
    EXAMPLES: ClassVar[tuple[str, ...]] = (
        "{fault: nat_expiry, after: 350s}",
        "{fault: nat_expiry, after: 30s, answer: drop}",
        "{fault: nat_expiry, after: 1h, side: backend, during: night}",
    )
    SIDE: ClassVar[SideWord] = "client"
    __pydantic_config__: ClassVar[Any] = YAML_CONFIG

    after_s: Annotated[DurationS, Field(gt=0, description="silent for this long")]
    answer: Annotated[Literal["reset", "drop"], Field(description="what the next packet meets")] = (
        "reset"
    )

    def policy(self, draws: Draws, began: float) -> Table:  # noqa: ARG002 - the contract's argument
        """The table of connections, which counts from ``began`` for those that were there."""
        return Table(self, began)


@dataclass(slots=True)
class _Row:
    """A connection of the table: when its last packet passed, and whether it is forgotten."""

    last: float
    gone: bool = False


class Table:
    """Knows the connections that speak."""

    def __init__(self, fault: NatExpiry, began: float) -> None:
        self.fault = fault
        make: Callable[[], _Row] = lambda: _Row(began)  # noqa: E731 - typed for Flows
        self.rows = Flows(make)

    def on_packet(self, packet: Packet, now: float) -> Fate | None:
        """The answer for a connection that was silent too long; a SYN makes it known."""
        row = self.rows.of(packet)
        if packet.kind is PacketKind.SYN:
            row.last, row.gone = now, False
        row.gone = row.gone or now - row.last >= self.fault.after_s
        row.last = now
        if not row.gone:
            return None
        drops = self.fault.answer == "drop" or packet.kind is PacketKind.RST
        return DROPPED if drops else Refusal.RESET
