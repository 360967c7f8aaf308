"""A TCP segment: what a packet carries from one end of a connection to the other.

Sequence numbers are offsets in the stream: they begin at 0, don't wrap, and SYN doesn't count; FIN
counts as one byte behind the last (RFC 9293, section 3.4).
"""

from __future__ import annotations

from harness.packet import Flow, Packet, PacketKind
from harness.timeline import Direction


class Segment:
    """One segment on its way.

    ``ack`` is the next offset that its sender expects, ``edge`` the first that it has no room for.
    ``sent_at`` and ``echo`` are the timestamps of RFC 7323: when it left, and when that left which
    it answers.
    """

    __slots__ = (
        "ack",
        "attempt",
        "direction",
        "echo",
        "edge",
        "flow",
        "kind",
        "offset",
        "payload",
        "sent_at",
    )

    def __init__(
        self,
        kind: PacketKind,
        flow: Flow,
        direction: Direction,
        *,
        offset: int = 0,
        payload: bytes = b"",
        ack: int = 0,
        edge: int = 0,
        attempt: int = 0,
        sent_at: float = 0.0,
        echo: float | None = None,
    ) -> None:
        self.kind = kind
        self.flow = flow
        self.direction = direction
        self.offset = offset
        self.payload = payload
        self.ack = ack
        self.edge = edge
        self.attempt = attempt
        self.sent_at = sent_at
        self.echo = echo

    def packet(self) -> Packet:
        """What a filter gets to see of it."""
        return Packet(
            self.kind,
            self.flow,
            self.direction,
            max(self.offset, 0),
            len(self.payload),
            self.attempt,
        )
