"""A fault as a scenario asks for it, and what the sites it strikes at make of it."""

from __future__ import annotations

from dataclasses import dataclass

from harness.connection import Armed, Ending
from harness.faults._base import (
    CALL_TRIGGERS,
    CONNECTION_TRIGGERS,
    PACKET_TRIGGERS,
    RUN_TRIGGERS,
    STREAM_TRIGGERS,
    DirectionWord,
    Fault,
    PacketFault,
    SharingFault,
    SideWord,
    SocketFault,
    StreamFault,
    StrikeFault,
)
from harness.timeline import Direction, Draws, Side
from harness.trigger import Trigger


@dataclass(frozen=True, slots=True)
class FaultSpec:
    """A fault as a scenario asks for it: what, when, in which direction, to which side.

    Without a side it strikes where its kind does: packet faults the client's, others both.
    """

    fault: Fault
    when: Trigger = Trigger()
    direction: DirectionWord | None = None
    side: SideWord | None = None

    @property
    def name(self) -> str:
        """The fault's word."""
        return self.fault.NAME

    @property
    def ends_client(self) -> bool:
        """Whether it ends the client's end of a connection, whole."""
        fault = self.fault
        strikes = isinstance(fault, StrikeFault) and fault.ENDING is not Ending.HALF
        return isinstance(fault, SocketFault) or (strikes and self.side != "backend")

    @property
    def sides(self) -> frozenset[Side]:
        """The sides of the proxy on which it works."""
        word = self.side or own_side(self.fault)
        return frozenset(Side) if word == "both" else frozenset({Side(word)})

    @property
    def on_link(self) -> bool:
        """Whether it strikes the packets of a whole link: no condition speaks of a connection."""
        return isinstance(self.fault, PacketFault) and (
            strikes_links_only(self.fault) or self.when.given() <= RUN_TRIGGERS
        )

    def arm(self, index: int, seed: int) -> Armed:
        """The fault ready for the connections of one run; it shapes, strikes, or marks flows."""
        fault = self.fault
        draws = Draws(seed, index)
        shared = fault.share() if isinstance(fault, SharingFault) else None
        shapes = fault if isinstance(fault, StreamFault) else None
        return Armed(
            index=index,
            name=self.name,
            trigger=self.when,
            draws=draws,
            directions=self.effect_directions(),
            watches=self.watched_direction(),
            maker=None if shapes is None else lambda context: shapes.stage(context, shared),
            ending=fault.ENDING if isinstance(fault, StrikeFault) else None,
            sides=self.sides,
            whole_connection=(
                isinstance(fault, PacketFault | SocketFault)
                or getattr(fault, "WHOLE_CONNECTION", False)
            ),
        )

    def effect_directions(self) -> tuple[Direction, ...]:
        """The directions in which a stream fault or a packet fault works."""
        own: DirectionWord = getattr(self.fault, "DIRECTION", "both")
        word = self.direction or own
        if word == "both":
            return (Direction.UPSTREAM, Direction.DOWNSTREAM)
        return (Direction(word),)

    def watched_direction(self) -> Direction:
        """The direction whose bytes its trigger counts."""
        if self.when.request is not None:
            return Direction.UPSTREAM
        if self.when.response is not None:
            return Direction.DOWNSTREAM
        directions = self.effect_directions()
        return directions[0] if len(directions) == 1 else Direction.DOWNSTREAM


def allowed_triggers(fault: type[Fault] | Fault) -> frozenset[str]:
    """The conditions that make sense for a fault, by the site at which it strikes."""
    own = getattr(fault, "TRIGGERS", None)
    if own is not None:
        return frozenset(own)
    if _strikes_at(fault, "policy") or _strikes_at(fault, "DESTROYS"):
        return PACKET_TRIGGERS
    if _strikes_at(fault, "stage") or _strikes_at(fault, "ENDING"):
        return STREAM_TRIGGERS
    if _strikes_at(fault, "on_accept") or _strikes_at(fault, "on_handshake"):
        return CONNECTION_TRIGGERS
    if _strikes_at(fault, "on_call"):
        return CALL_TRIGGERS
    return RUN_TRIGGERS


def own_side(fault: type[Fault] | Fault) -> SideWord:
    """The side on which a fault works unless the scenario says otherwise."""
    word: SideWord = getattr(fault, "SIDE", "client" if _strikes_at(fault, "policy") else "both")
    return word


def strikes_links_only(fault: type[Fault] | Fault) -> bool:
    """Whether it is a packet fault that no single connection can be chosen for."""
    return _strikes_at(fault, "policy") and "connection" not in allowed_triggers(fault)


def site(fault: type[Fault] | Fault) -> str:
    """Where in a connection's life a fault strikes, in words for a help page."""
    if strikes_links_only(fault):
        return "a whole link"
    for attribute, words in _SITES.items():
        if _strikes_at(fault, attribute):
            return words
    return "the run"


_SITES = {
    "ENDING": "a live connection",
    "stage": "the bytes of a connection",
    "on_accept": "a connection as it is accepted",
    "on_handshake": "a TLS handshake",
    "LISTENS": "the listening port",
    "change": "the backends",
    "on_call": "a caller",
    "policy": "packets",
    "on_host": "the client's host",
    "DESTROYS": "the client's own socket",
}


def _strikes_at(fault: object, attribute: str) -> bool:
    return hasattr(fault, attribute)
