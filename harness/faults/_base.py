"""What a fault is: a frozen dataclass that says what it does, and at which site it strikes.

A fault never loops, sleeps, owns a timer, draws from a global generator or touches a socket. It
decides; the shells ask and act. The sites are the optional protocols below, and a shell asks for
them with ``isinstance``:

=================  ==================================================================
``StreamFault``    shapes the bytes of one direction from now on (latency, stall, …)
``StrikeFault``    ends a connection (close, reset, half_close, truncate, …)
``AcceptFault``    decides what becomes of a connection as it is accepted
``ListenFault``    decides whether the port listens at all
``HandshakeFault`` decides what becomes of a TLS handshake
``BackendFault``   changes where new connections go
``CallerFault``    cancels a caller
``PacketFault``    decides what becomes of packets, on a fabric that has them
=================  ==================================================================

Every member has a ``NAME``, an ``ALIASES`` mapping of other tools' words to what they became,
``EXAMPLES`` in YAML, a docstring that becomes its help page, and may restrict its triggers.
"""

from __future__ import annotations

from collections.abc import Iterable
from dataclasses import dataclass
from enum import Enum
from random import Random
from typing import ClassVar, Literal, Protocol, TypeAlias, runtime_checkable

from harness.connection import Armed, Ending, StageContext
from harness.packet import Fate, Packet
from harness.remembering import Remembering
from harness.timeline import Direction, Draws, Side, Stage
from harness.trigger import Trigger

DirectionWord: TypeAlias = Literal["upstream", "downstream", "both"]
SideWord: TypeAlias = Literal["client", "backend", "both"]

RUN_TRIGGERS = frozenset({"at", "during", "for"})
CALL_TRIGGERS = RUN_TRIGGERS | {"probability", "times", "once"}
CONNECTION_TRIGGERS = RUN_TRIGGERS | {"connection", "backend", "probability", "times", "once"}
STREAM_TRIGGERS = CONNECTION_TRIGGERS | {
    "idle",
    "age",
    "request",
    "response",
    "byte",
    "match",
    "event",
}
PACKET_TRIGGERS = STREAM_TRIGGERS - {"byte", "match"}
"""Packets are not cut to the byte: where one ends is up to the sender's kernel."""


class Fault(Protocol):
    """What every fault has."""

    NAME: ClassVar[str]
    EXAMPLES: ClassVar[tuple[str, ...]]


@runtime_checkable
class StreamFault(Fault, Protocol, metaclass=Remembering):
    """Shapes one direction of a connection, from the moment it fires until it heals."""

    DIRECTION: ClassVar[DirectionWord]
    """The direction it works on unless the scenario says otherwise."""

    def stage(self, context: StageContext, shared: object) -> Stage:
        """The fault at work on one direction; ``shared`` is the same for all connections."""


@runtime_checkable
class SharingFault(Fault, Protocol, metaclass=Remembering):
    """A stream fault with something that all connections share, such as one link's capacity."""

    def share(self) -> object:
        """What is shared: made once a run, handed to every stage."""


@runtime_checkable
class StrikeFault(Fault, Protocol, metaclass=Remembering):
    """Ends a connection, or one direction of it, the moment it fires."""

    ENDING: ClassVar[Ending]


# --- accept ---------------------------------------------------------------------------------


class Admission(Enum):
    """What becomes of a connection that was just accepted."""

    RESET = "reset"
    CLOSE = "close"
    HANG = "hang"


@dataclass(frozen=True, slots=True)
class Delay:
    """Serve the connection only after ``delay_s``."""

    delay_s: float


AcceptDecision: TypeAlias = Admission | Delay | None


@runtime_checkable
class AcceptFault(Fault, Protocol, metaclass=Remembering):
    """Decides what becomes of a connection as it is accepted."""

    def on_accept(self, open_connections: int, random: Random) -> AcceptDecision:
        """What to do with it, or None to let it be; ``open_connections`` counts the others."""


@runtime_checkable
class ListenFault(Fault, Protocol, metaclass=Remembering):
    """While it is at work the port is bound but does not listen: connects are refused."""

    LISTENS: ClassVar[Literal[False]]


# --- TLS ------------------------------------------------------------------------------------


class HandshakeEnding(Enum):
    """What becomes of a TLS handshake."""

    RESET = "reset"
    HANG_AFTER_CLIENT_HELLO = "client_hello"
    HANG_AFTER_SERVER_HELLO = "server_hello"


CertificateProblem: TypeAlias = Literal["expired", "not_yet_valid", "wrong_host", "untrusted"]


@dataclass(frozen=True, slots=True)
class PresentCertificate:
    """Show a certificate with something wrong about it."""

    problem: CertificateProblem


HandshakeDecision: TypeAlias = HandshakeEnding | PresentCertificate


@runtime_checkable
class HandshakeFault(Fault, Protocol, metaclass=Remembering):
    """Decides what becomes of a TLS handshake between client and proxy."""

    NEEDS_TERMINATION: ClassVar[bool]
    """True if only a proxy that terminates TLS can do it; False if passthrough can, too."""

    def on_handshake(self) -> HandshakeDecision:
        """What becomes of it."""


# --- backends -------------------------------------------------------------------------------


class LiveConnections(Enum):
    """What becomes of live connections to a backend that is taken out."""

    KEEP = "keep"
    DRAIN = "drain"
    RESET = "reset"


@dataclass(frozen=True, slots=True)
class BackendChange:
    """Where new connections go, and what becomes of live ones.

    ``retire`` names the backend that is taken out (None: the one in use); ``to`` its successor
    (None: the next in the scenario's list). With ``dead`` the backend itself stops: it refuses.
    """

    live: LiveConnections
    to: str | None = None
    retire: str | None = None
    dead: bool = False


@runtime_checkable
class BackendFault(Fault, Protocol, metaclass=Remembering):
    """Changes where new connections go."""

    def change(self) -> BackendChange:
        """What changes when it fires."""

    def backends(self) -> Iterable[str]:
        """The backends it names, which the scenario must have."""


# --- callers --------------------------------------------------------------------------------


@dataclass(frozen=True, slots=True)
class Cancellation:
    """Cancel the caller: ``after_s`` into the call, or at its ``step``-th checkpoint (from 1)."""

    after_s: float | None = None
    step: int | None = None


@runtime_checkable
class CallerFault(Fault, Protocol, metaclass=Remembering):
    """Strikes callers instead of connections."""

    def on_call(self, random: Random) -> Cancellation:
        """How this call is cancelled."""


# --- packets --------------------------------------------------------------------------------


class PacketPolicy(Protocol):
    """A packet fault at work, on one link or one flow."""

    def on_packet(self, packet: Packet, now: float) -> Fate | None:
        """What becomes of a packet, or None to let it be.

        It is asked for every packet, also for those that another fault takes away, so that what
        it remembers of a flow doesn't hang on its neighbours. Memory is bounded and chance is
        keyed by the packet (``_packets``).
        """


@runtime_checkable
class PacketFault(Fault, Protocol, metaclass=Remembering):
    """Decides what becomes of packets, from the moment it fires until it heals.

    Optional, each a ``ClassVar``: ``SIDE`` and ``DIRECTION`` are where it works unless the
    scenario says otherwise; a fault without them takes no such word and works on the client's
    side, in both directions. ``CHANGES_ADDRESS`` asks the fabric to give the client's host
    another address as it fires. ``STRIKES_EXISTING`` tells that only flows older than the fault
    are struck.
    """

    def policy(self, draws: Draws, began: float) -> PacketPolicy:
        """The fault at work since the instant ``began``."""


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
        return strikes and self.side != "backend"

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
                isinstance(fault, PacketFault) or getattr(fault, "WHOLE_CONNECTION", False)
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
    if _strikes_at(fault, "policy"):
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
}


def _strikes_at(fault: object, attribute: str) -> bool:
    return hasattr(fault, attribute)
