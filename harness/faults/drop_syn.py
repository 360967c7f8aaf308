"""Connects whose first packet gets lost."""

from __future__ import annotations

from dataclasses import dataclass
from typing import Annotated, Any, ClassVar

from pydantic import Field

from harness.faults._base import RUN_TRIGGERS, SideWord
from harness.packet import DROPPED, Fate, Packet, PacketKind
from harness.timeline import Draws
from harness.units import YAML_CONFIG


@dataclass(frozen=True, slots=True, kw_only=True)
class DropSyn:
    """Drops the first ``attempts`` SYNs of each connect, or all of them.

    The kernel sends SYN again after a second and so on, and gives up after some two minutes
    (tcp_syn_retries in tcp(7)): so one lost SYN is a connect that takes a second longer, and all
    lost is a connect that hangs. Live connections are left alone. ``probability`` chooses among
    the connects, and ``times`` counts them.
    """

    NAME: ClassVar[str] = "drop_syn"
    ALIASES: ClassVar[tuple[str, ...]] = ()
    EXAMPLES: ClassVar[tuple[str, ...]] = (
        "{fault: drop_syn, attempts: 1}",
        "{fault: drop_syn, during: outage}",
        "{fault: drop_syn, attempts: 2, when: {probability: 20%}, side: backend}",
    )
    TRIGGERS: ClassVar[frozenset[str]] = RUN_TRIGGERS | {"probability", "times", "once"}
    SIDE: ClassVar[SideWord] = "client"
    __pydantic_config__: ClassVar[Any] = YAML_CONFIG

    attempts: Annotated[
        int | None, Field(ge=1, description="how many of a connect's SYNs; all if left out")
    ] = None

    def policy(self, draws: Draws, began: float) -> DropSyn:  # noqa: ARG002 - the contract's arguments
        """Itself: a SYN knows how many went before it."""
        return self

    def on_packet(self, packet: Packet, now: float) -> Fate | None:  # noqa: ARG002 - likewise
        """Gone, if it is one of the first SYNs."""
        if packet.kind is not PacketKind.SYN:
            return None
        return DROPPED if self.attempts is None or packet.attempt < self.attempts else None
