"""The sending half of one end: which segments leave, when, and what they say.

An acknowledgement is sent for each segment of data, never later. Congestion control and SACK are
left out: what is lost is sent again when its timer rings or after three duplicate
acknowledgements, and then one segment for each answer that says how far it has come (NewReno).

**The short cut.** If no filter and no delay is set and all sent so far is acknowledged, a segment
would arrive at once and so would its answer. ``_push`` has that outcome without the segments.
"""

from __future__ import annotations

from abc import ABC, abstractmethod
from typing import Protocol

from harness.fabric.virtual.alarms import Alarms, Calendar
from harness.fabric.virtual.incoming import Incoming
from harness.fabric.virtual.options import Options
from harness.fabric.virtual.outgoing import Outgoing
from harness.fabric.virtual.segment import Segment
from harness.fabric.virtual.states import RECEIVE, State
from harness.packet import Flow, PacketKind, Refusal
from harness.timeline import Direction

DUPLICATE_ACKS = 3
"""So many mean a loss: fast retransmit, RFC 5681, section 3.2."""
_DATA, _ACK, _FIN, _RST = PacketKind.DATA, PacketKind.ACK, PacketKind.FIN, PacketKind.RST
_ESTABLISHED = State.ESTABLISHED


class Carrier(Calendar, Protocol):
    """Carries segments."""

    plain: bool
    """Neither a filter nor a delay is set."""
    lossy: bool
    """Packets may be lost."""
    mss_bytes: int

    def transmit(self, segment: Segment, sender: Talker | None) -> None:
        """Send a segment; if it arrives at once, its answers come before this returns."""


class Holder(Protocol):
    """Who is told of changes: a socket."""

    def changed(self) -> None:
        """Something may be readable or writable now."""


class Talker(ABC):
    """What one end of a connection knows, and its sending half."""

    __slots__ = (
        "_carrier",
        "_duplicate_acks",
        "_recover",
        "alarms",
        "direction",
        "flow",
        "holder",
        "incoming",
        "options",
        "ordered_until",
        "orphaned",
        "outgoing",
        "peer",
        "shut",
        "state",
        "under_way",
        "under_way_in_order",
    )

    def __init__(self, carrier: Carrier, options: Options) -> None:
        self._carrier = carrier
        self.options = options
        self.state = State.CLOSED
        self.shut = 0
        self.flow: Flow | None = None
        self.direction = Direction.UPSTREAM
        """Where this end sends to."""
        self.holder: Holder | None = None
        self.orphaned = False
        """No program holds it any more."""
        self.peer: Talker | None = None
        """The other end, once both are established and as long as both are."""
        self.incoming = Incoming(options.receive_bytes)
        self.outgoing = Outgoing(options.send_bytes)
        self.alarms = Alarms(carrier, self, options)
        self.ordered_until = 0.0
        """Kept by the carrier: packets of this end arrive in order up to here."""
        self.under_way = 0
        self.under_way_in_order = 0
        self._recover = 0
        self._duplicate_acks = 0

    @abstractmethod
    def give_up(self, code: int, *, politely: bool = False) -> None:
        """End it with this errno: a timer says that it makes no sense any more."""

    @abstractmethod
    def refused(self, segment: Segment, refusal: Refusal) -> None:
        """What was sent did not arrive, and somebody says so."""

    def _push(self, data: bytes | bytearray | memoryview, size_bytes: int) -> int:
        """How many bytes the other end has by the short cut."""
        peer, outgoing = self.peer, self.outgoing
        if peer is None or not self._carrier.plain or self.under_way:
            return 0
        if outgoing.nxt > outgoing.una or (peer.shut & RECEIVE and peer.state is not _ESTABLISHED):
            return 0
        incoming = peer.incoming
        room = incoming.limit_bytes - len(incoming.unread)
        if room < size_bytes:
            if room <= 0:
                return 0
            data, size_bytes = memoryview(data)[:room], room
        incoming.unread += data
        incoming.expected += size_bytes
        outgoing.written += size_bytes
        outgoing.passed(size_bytes)
        outgoing.edge = incoming.open_window()
        self.alarms.heard_at = peer.alarms.heard_at = self._carrier.now
        if peer.holder is not None:
            peer.holder.changed()
        return size_bytes

    def _flush(self) -> None:
        """Send whatever may be sent."""
        outgoing, mss_bytes = self.outgoing, self._carrier.mss_bytes
        while payload := outgoing.next_payload(mss_bytes):
            offset = outgoing.nxt
            outgoing.nxt += len(payload)
            self._transmit(_DATA, offset, payload)
        if outgoing.fin and outgoing.nxt == outgoing.written:
            outgoing.nxt += 1
            self._transmit(_FIN, outgoing.written)
        self.alarms.watch()

    def _open_window(self) -> None:
        """Tell the other end that it may go on, once that is worth it."""
        if not self.incoming.worth_telling(self._carrier.mss_bytes):
            return
        peer = self.peer
        if peer is not None and self._carrier.plain and not peer.outgoing.kept:
            return  # it will see for itself
        if self.flow is not None and self.state is not State.CLOSED:
            self._transmit(_ACK, self.outgoing.nxt)

    def _acknowledge(self, segment: Segment) -> None:
        self._transmit(_ACK, self.outgoing.nxt, echo=segment.sent_at)

    def _send_reset(self) -> None:
        self._transmit(_RST, self.outgoing.nxt)

    @property
    def awaits(self) -> bool:
        """Whether what it sent is unanswered."""
        return self.outgoing.nxt > self.outgoing.una

    @property
    def starved(self) -> bool:
        """Whether it has something to send and the other end no room, as far as it knows."""
        return self._carrier.lossy and self.outgoing.unsent_bytes > 0

    def resend(self, attempt: int) -> None:
        """Send again what is unanswered the longest; the rest follows as answers come."""
        if self.state is State.SYN_SENT:
            self._transmit(PacketKind.SYN, attempt=attempt)
        elif self.state is State.SYN_RECEIVED:
            self._transmit(PacketKind.SYN_ACK, attempt=attempt)
        else:
            self._recover = self.outgoing.nxt
            self._send_head(attempt)

    def _send_head(self, attempt: int) -> None:
        outgoing = self.outgoing
        payload = outgoing.head_payload(self._carrier.mss_bytes)
        self._transmit(_DATA if payload else _FIN, outgoing.una, payload, attempt=attempt)

    def probe(self) -> None:
        """Send what lies before the window, so that an ACK comes back (RFC 1122, 4.2.3.6)."""
        self._transmit(_ACK, self.outgoing.una - 1)

    # --- what answers say -------------------------------------------------------------------

    def _take_edge(self, edge: int) -> bool:
        """Whether the other end has room for more than it had."""
        if edge <= self.outgoing.edge:
            return False
        self.outgoing.edge = edge
        return True

    def _take_progress(self, segment: Segment) -> None:
        """The other end has got something new."""
        self.outgoing.acked(segment.ack)
        self._duplicate_acks = 0
        self._measure(segment)
        self.alarms.answered()
        if self.outgoing.una < self._recover:
            self._send_head(1)  # a partial acknowledgement: RFC 6582, section 3.2

    def _measure(self, segment: Segment) -> None:
        if segment.echo is not None:
            self.alarms.round_trip.sample(self._carrier.now - segment.echo)

    def _count_duplicate(self, segment: Segment) -> None:
        if self.outgoing.outstanding and segment.ack == self.outgoing.una:
            self._duplicate_acks += 1
            if self._duplicate_acks == DUPLICATE_ACKS:
                self.resend(1)

    # --- segments ---------------------------------------------------------------------------

    def _transmit(
        self,
        kind: PacketKind,
        offset: int = 0,
        payload: bytes = b"",
        *,
        attempt: int = 0,
        echo: float | None = None,
    ) -> None:
        assert self.flow is not None, "an end without a flow sends nothing"
        incoming = self.incoming
        segment = Segment(
            kind,
            self.flow,
            self.direction,
            offset=offset,
            payload=payload,
            ack=incoming.expected,
            edge=incoming.open_window(),
            attempt=attempt,
            sent_at=self._carrier.now,
            echo=echo,
        )
        self._carrier.transmit(segment, self)
