"""TCP connections as a router sees them: which is which, how far each end has come.

Segments become ``Packet``s whose words mean what they mean on the virtual network: offsets begin at
0 with the first byte of a direction, SYN and the ACK that follows it have 0, FIN has the number of
bytes before it and counts as one. ``attempt`` counts how often the place was sent before.

Who stands on the way sees each end's packets in the order in which they left, so whatever begins
before the furthest byte seen is sent again. That is a fact for data and FIN; for a pure
acknowledgement it is the mark of a probe (keepalive's or a zero window's, RFC 9293 sections 3.8.4
and 3.8.6.1), which has the number before the next and carries nothing, or a byte without meaning.

A connection that was there before anybody looked is known from its first packet on: its offsets
count from there, and who dialed is found from who can have listened.
"""

from __future__ import annotations

from collections.abc import Callable

from harness.fabric.netns.ip import ACK, FIN, RST, SYN, WRAP, Segment, ends_of, turned
from harness.packet import Flow, Packet, PacketKind
from harness.timeline import Direction, Side

FLOWS_LIMIT = 65_536
"""So many connections are known; those that began first are forgotten first."""
PLACES_LIMIT = 1_024
"""So many places of a direction that were sent again are counted; the oldest are forgotten."""
_MASK = WRAP - 1
_AHEAD = WRAP // 2
_UPSTREAM, _DOWNSTREAM = Direction.UPSTREAM, Direction.DOWNSTREAM
_KIND_SYN, _KIND_SYN_ACK, _KIND_RST = PacketKind.SYN, PacketKind.SYN_ACK, PacketKind.RST
_KIND_DATA, _KIND_FIN, _KIND_ACK = PacketKind.DATA, PacketKind.FIN, PacketKind.ACK


class Half:
    """One direction of a connection: ``next`` is the sequence number behind all that was seen.

    ``acked`` is how far the receiver says it has come; both are None until something told.
    """

    __slots__ = (
        "_again",
        "_latest",
        "_offset",
        "_opened",
        "_opening",
        "acked",
        "direction",
        "flow",
        "key",
        "next",
        "ordered_until",
        "other",
    )

    other: Half

    def __init__(self, flow: Flow, direction: Direction, key: bytes) -> None:
        self.flow = flow
        self.direction = direction
        self.key = key
        self.next: int | None = None
        self.acked: int | None = None
        self.ordered_until = 0.0
        """Kept by the router: packets of this direction leave in order up to here."""
        self._offset = 0
        self._latest = -1
        self._opening = -1
        self._opened = 0
        self._again: dict[int, int] = {}

    def opens_anew(self, seq: int) -> bool:
        """Whether a SYN with this number is another one than that which was seen before."""
        return self._opening != seq

    def begin(self, segment: Segment, kind: PacketKind) -> Packet:
        """A SYN or SYN-ACK: the stream begins behind it."""
        if self.opens_anew(segment.seq):
            self._opening, self._opened = segment.seq, 0
            self.next = (segment.seq + segment.length) & _MASK
            self._offset = segment.size_bytes
        self._opened += 1
        return Packet(
            kind, self.flow, self.direction, 0, segment.size_bytes, attempt=self._opened - 1
        )

    def join(self, seq: int) -> None:
        """Count from here if nothing is known yet."""
        if self.next is None:
            self.next = seq

    def see(self, segment: Segment) -> Packet:
        """Any segment but SYN."""
        seq, flags, size_bytes = segment.seq, segment.flags, segment.size_bytes
        if flags & RST:
            return Packet(_KIND_RST, self.flow, self.direction, self._place(seq))
        if self.next is None:
            self.next = seq
        if not size_bytes and not flags & FIN:
            return Packet(_KIND_ACK, self.flow, self.direction, self._place(seq))
        kind = _KIND_DATA if size_bytes else _KIND_FIN
        behind = (self.next - seq) & _MASK
        length = size_bytes + (flags & FIN)
        attempt = 0
        if 0 < behind < _AHEAD:
            if self._is_probe(seq, behind, length):
                return Packet(_KIND_ACK, self.flow, self.direction, self._place(seq))
            attempt = self._count(seq)
            offset = self._offset - behind
            length -= behind
            if length <= 0:
                offset = max(offset, 0)
                return Packet(kind, self.flow, self.direction, offset, size_bytes, attempt)
        else:
            offset = self._offset + ((-behind) & _MASK)
        self._latest = seq
        self.next = (seq + size_bytes + (flags & FIN)) & _MASK
        self._offset = offset + size_bytes + (flags & FIN)
        return Packet(kind, self.flow, self.direction, max(offset, 0), size_bytes, attempt)

    def is_before_next(self, seq: int) -> bool:
        """Whether this number was passed already."""
        return self.next is not None and 0 < (self.next - seq) & _MASK < _AHEAD

    def _is_probe(self, seq: int, behind: int, length: int) -> bool:
        """One byte that the other end has acknowledged, and that was no segment of its own."""
        return length == behind == 1 and self.acked == self.next and seq != self._latest

    def _place(self, seq: int) -> int:
        """The offset of a sequence number; 0 if it can't be told."""
        if self.next is None:
            return 0
        behind = (self.next - seq) & _MASK
        return max(self._offset - behind if behind < _AHEAD else self._offset + WRAP - behind, 0)

    def _count(self, seq: int) -> int:
        """How often what begins here was sent before."""
        times = self._again[seq] = self._again.pop(seq, 0) + 1
        if len(self._again) > PLACES_LIMIT:
            del self._again[next(iter(self._again))]
        return times


class Tracker:
    """Knows connections by ``key``; ``side_of(client, server)`` tells where one runs, if at all."""

    def __init__(self, side_of: Callable[[str, str], Side | None]) -> None:
        self._side_of = side_of
        self._halves: dict[bytes, Half] = {}

    def __len__(self) -> int:
        return len(self._halves) // 2

    def track(self, segment: Segment) -> tuple[Half, Packet] | None:
        """The direction it belongs to and what it is; None if it runs on no side of the proxy."""
        half = self._halves.get(segment.key)
        if segment.flags & SYN:
            return self._track_opening(segment, half)
        if half is None:
            half = self._found(segment)
            if half is None:
                return None
        if segment.flags & ACK:
            half.other.acked = segment.ack
        return half, half.see(segment)

    def _track_opening(self, segment: Segment, half: Half | None) -> tuple[Half, Packet] | None:
        if segment.flags & ACK:
            if half is None or half.direction is not _DOWNSTREAM:
                half = self._opened(segment, _DOWNSTREAM)
            if half is None:
                return None
            half.other.join(segment.ack)
            half.other.acked = segment.ack
            return half, half.begin(segment, _KIND_SYN_ACK)
        is_known = half is not None and half.direction is _UPSTREAM
        if half is None or not is_known or half.opens_anew(segment.seq):
            half = self._opened(segment, _UPSTREAM)
        return None if half is None else (half, half.begin(segment, _KIND_SYN))

    def _found(self, segment: Segment) -> Half | None:
        """A connection that was there before."""
        half = self._opened(segment, _UPSTREAM) or self._opened(segment, _DOWNSTREAM)
        if half is not None and segment.flags & ACK:
            half.other.join(segment.ack)
        return half

    def _opened(self, segment: Segment, direction: Direction) -> Half | None:
        """A connection of which this segment goes that way."""
        source, target = ends_of(segment.key)
        client, server = (source, target) if direction is _UPSTREAM else (target, source)
        side = self._side_of(client[0], server[0])
        if side is None:
            return None
        flow = Flow(client, server, side)
        half = Half(flow, direction, segment.key)
        other = Half(flow, direction.opposite, turned(segment.key))
        half.other, other.other = other, half
        self._remember(half)
        self._remember(other)
        return half

    def _remember(self, half: Half) -> None:
        self._halves.pop(half.key, None)
        self._halves[half.key] = half
        if len(self._halves) > 2 * FLOWS_LIMIT:
            del self._halves[next(iter(self._halves))]
