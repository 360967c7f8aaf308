"""What a fate is in bytes: which packets leave, when, and behind which others.

A refused acknowledgement is only lost, as on the virtual network: it may have been on its way
since before, and whoever is idle is to hear nothing until it sends. A probe asks to be answered.
"""

from __future__ import annotations

from typing import NamedTuple

from harness.fabric.netns.ip import (
    ACK,
    HOST_UNREACHABLE,
    NET_UNREACHABLE,
    RST,
    Segment,
    build,
    damaged,
    reset_for,
    unreachable,
)
from harness.fabric.netns.tracking import Half
from harness.packet import Fate, Forged, Forwarded, Packet, PacketKind, Refusal


class Departure(NamedTuple):
    """A packet that leaves after a while; not before the others of ``half``, if that is set."""

    raw: bytes
    delay_s: float = 0.0
    half: Half | None = None


def departures(
    segment: Segment, packet: Packet, half: Half, fate: Fate, router: str
) -> list[Departure]:
    """What becomes of a segment; ``router`` is the address from which ICMP comes.

    A router can't say what a host says that has no route. Its ICMP "net unreachable" has the same
    errno, ENETUNREACH.
    """
    match fate:
        case Forwarded():
            raw = damaged(segment) if fate.damaged else segment.raw
            order = half if fate.in_order else None
            return [Departure(raw, delay_s, order) for delay_s in fate.delays_s]
        case Forged():
            return [Departure(segment.raw, 0.0, half), *_forged(half), *_forged(half.other)]
        case Refusal():
            return [Departure(raw) for raw in _refusal(segment, packet, half, fate, router)]


def _refusal(
    segment: Segment, packet: Packet, half: Half, refusal: Refusal, router: str
) -> list[bytes]:
    """At most one answer; a RST has none (RFC 9293 section 3.5.2)."""
    if packet.kind is PacketKind.RST:
        return []
    if refusal is Refusal.RESET:
        only_acks = packet.kind is PacketKind.ACK and not half.is_before_next(segment.seq)
        return [] if only_acks else [reset_for(segment)]
    code = HOST_UNREACHABLE if refusal is Refusal.UNREACHABLE else NET_UNREACHABLE
    return [unreachable(segment.raw, router, code)]


def _forged(half: Half) -> list[Departure]:
    """RST in the name of who sends this way, for where its receiver is, as far as can be known.

    Linux believes a RST only at the very next number (RFC 5961 section 3.2) or behind the last
    block that it has acknowledged selectively: behind all that was seen. If that got lost, the
    receiver is where it said last.
    """
    ack = half.other.next or 0
    places = dict.fromkeys(seq for seq in (half.next, half.acked) if seq is not None) or (0,)
    return [Departure(build(half.key, RST | ACK, seq=seq, ack=ack), 0.0, half) for seq in places]
