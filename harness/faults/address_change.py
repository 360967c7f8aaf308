"""A client that moves to another network."""

from __future__ import annotations

from dataclasses import dataclass
from typing import Any, ClassVar

from harness.faults._base import RUN_TRIGGERS
from harness.faults._packets import NewFlows
from harness.packet import DROPPED, Fate, Packet
from harness.timeline import Draws
from harness.units import YAML_CONFIG


@dataclass(frozen=True, slots=True, kw_only=True)
class AddressChange:
    """Gives the client another address, as roaming does: live connections die in silence.

    Nobody is told: what the client still sends leaves from an address that is no longer its own,
    and what the server sends goes where nobody is. Connections that open afterwards come from
    the new address and work. When it heals, the old address is reached again: whoever still
    waits may go on.
    """

    NAME: ClassVar[str] = "address_change"
    ALIASES: ClassVar[tuple[str, ...]] = ("roaming",)
    EXAMPLES: ClassVar[tuple[str, ...]] = (
        "{fault: address_change, at: 1s}",
        "{fault: address_change, during: moving}",
    )
    TRIGGERS: ClassVar[frozenset[str]] = RUN_TRIGGERS
    CHANGES_ADDRESS: ClassVar[bool] = True
    STRIKES_EXISTING: ClassVar[bool] = True
    __pydantic_config__: ClassVar[Any] = YAML_CONFIG

    def policy(self, draws: Draws, began: float) -> Moved:  # noqa: ARG002 - the contract's arguments
        """Tells old flows from new ones."""
        return Moved()


class Moved:
    """Nothing of an older flow arrives."""

    def __init__(self) -> None:
        # A SYN that is sent again still has the old address.
        self.new = NewFlows(retries=False)

    def on_packet(self, packet: Packet, now: float) -> Fate | None:  # noqa: ARG002 - the contract's argument
        """Gone, unless its flow is new."""
        return None if self.new.has(packet) else DROPPED
