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
``ShapingFault``   does to a whole link what the kernel could do as well
``HostFault``      holds the client's host in a state: no link, few ports
``SocketFault``    destroys the client's own socket
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

from harness.connection import Ending, StageContext
from harness.packet import Fate, Packet
from harness.remembering import Remembering
from harness.shape import HostState, Shape
from harness.timeline import Draws, Stage

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
    """While it is at work nobody new gets in.

    ``False``: the port is bound but does not listen, so connects are refused. ``"full"``: the
    queue of those who wait to be accepted is full, so the kernel drops what connects.
    """

    LISTENS: ClassVar[Literal[False, "full"]]


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


# --- links and hosts ------------------------------------------------------------------------


@runtime_checkable
class ShapingFault(Fault, Protocol, metaclass=Remembering):
    """Does to a whole link what a queueing discipline of the kernel can do as well."""

    def shape(self) -> Shape:
        """What the link does, in the kernel's words."""


@runtime_checkable
class LinkStreamFault(ShapingFault, Protocol, metaclass=Remembering):
    """Works on bytes at the proxy, and on the packets of a link where the fabric has links."""

    def link_policy(self, draws: Draws, began: float) -> PacketPolicy:
        """The fault at work on a link's packets since the instant ``began``."""


@runtime_checkable
class HostFault(Fault, Protocol, metaclass=Remembering):
    """Holds the client's host in a state while it is at work."""

    def on_host(self) -> HostState:
        """The state."""


@runtime_checkable
class SocketFault(Fault, Protocol, metaclass=Remembering):
    """Strikes the client's own socket of a live connection, as an administrator may."""

    DESTROYS: ClassVar[Literal[True]]
