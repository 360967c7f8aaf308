"""A host without a network."""

from __future__ import annotations

from dataclasses import dataclass
from typing import Any, ClassVar

from harness.faults._base import RUN_TRIGGERS
from harness.packet import DROPPED, Fate, Packet, PacketKind, Refusal
from harness.shape import HostState
from harness.timeline import Draws
from harness.units import YAML_CONFIG


@dataclass(frozen=True, slots=True, kw_only=True)
class LinkDown:
    """Takes the client's link down: connects fail at once, live connections fall silent.

    A host without its link has no route any more, so connect() fails with ENETUNREACH
    (connect(2)) and nothing is sent. What live connections send is retransmitted and gets
    through if the link comes back in time. Where hosts have a kernel, the interface really goes
    down (``ip link set down``), and it has fired once the host had no way for a packet.
    """

    NAME: ClassVar[str] = "link_down"
    ALIASES: ClassVar[tuple[str, ...]] = ()
    EXAMPLES: ClassVar[tuple[str, ...]] = (
        "{fault: link_down, during: outage}",
        "{fault: link_down, at: 1s, for: 500ms}",
    )
    TRIGGERS: ClassVar[frozenset[str]] = RUN_TRIGGERS
    __pydantic_config__: ClassVar[Any] = YAML_CONFIG

    def on_host(self) -> HostState:
        """No link."""
        return HostState(link_up=False)

    def policy(self, draws: Draws, began: float) -> LinkDown:  # noqa: ARG002 - the contract's arguments
        """Itself: there is nothing to remember."""
        return self

    def on_packet(self, packet: Packet, now: float) -> Fate | None:  # noqa: ARG002 - likewise
        """No route for a connect, silence for the rest."""
        return Refusal.NO_ROUTE if packet.kind is PacketKind.SYN else DROPPED
