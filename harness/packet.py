"""What travels below a byte stream: packets, the flow they belong to, and what becomes of them.

Faults on packets are decided here in words and nowhere near a socket: a fabric that has packets
asks for each one, ``PacketFilter`` answers with a fate, and the fabric performs it.
"""

from __future__ import annotations

from collections.abc import Callable
from dataclasses import dataclass
from enum import Enum, StrEnum
from typing import NamedTuple, TypeAlias

from harness.timeline import Direction, Side

Address: TypeAlias = tuple[str, int]
"""Host and port."""

HEADER_BYTES = 40
"""An IPv4 and a TCP header without options: what a packet weighs besides its payload."""


class PacketKind(StrEnum):
    """What a TCP segment is there for."""

    SYN = "syn"
    SYN_ACK = "syn_ack"
    DATA = "data"
    ACK = "ack"
    FIN = "fin"
    RST = "rst"


class Flow(NamedTuple):
    """One TCP connection as seen on the wire; ``client`` is who dialed.

    ``side`` tells on which side of the proxy it runs: between client and proxy, or between proxy
    and backend.
    """

    client: Address
    server: Address
    side: Side


class Packet(NamedTuple):
    """One packet on its way.

    ``direction`` is upstream from who dialed to who listened; ``offset`` counts the bytes of the
    stream in this direction before its first; ``attempt`` is 0 at first and n for the n-th
    retransmission.
    """

    kind: PacketKind
    flow: Flow
    direction: Direction
    offset: int = 0
    size_bytes: int = 0
    attempt: int = 0


@dataclass(frozen=True, slots=True)
class Forwarded:
    """It arrives once for each delay: not at all for ``()``, twice for two of them.

    Packets of a direction overtake each other only if one that is late says so by ``in_order``.
    A ``damaged`` one arrives with bits turned over, so that its checksum tells (RFC 9293 3.1).
    """

    delays_s: tuple[float, ...] = (0.0,)
    in_order: bool = True
    damaged: bool = False


@dataclass(frozen=True, slots=True)
class Forged:
    """It arrives, and right behind it a RST to each end, in the other's name and in its window.

    That is how a middlebox ends a connection which it only watches.
    """


class Refusal(Enum):
    """It does not arrive, and its sender is told so."""

    RESET = "reset"
    """A RST comes back, as from a firewall or from a host that knows no such connection."""
    UNREACHABLE = "unreachable"
    """ICMP host unreachable comes back (RFC 792): EHOSTUNREACH."""
    NO_ROUTE = "no_route"
    """The sender's own host has no way there: ENETUNREACH."""


Fate: TypeAlias = Forwarded | Refusal | Forged
DROPPED = Forwarded(())

PacketFilter: TypeAlias = Callable[[Packet, float], Fate | None]
"""Asked for each packet with the present instant; None lets it be."""
