"""The receiving half of one end: bytes in order, what came too early, and the window."""

from __future__ import annotations

from bisect import insort

LATE_MAX = 1_024
"""Segments kept that came before their turn; more are dropped and sent again."""


class Incoming:
    """Puts segments in order; duplicates and what was sent twice change nothing."""

    __slots__ = ("_fin_at", "_late", "edge", "ended", "expected", "limit_bytes", "unread")

    def __init__(self, limit_bytes: int) -> None:
        self.limit_bytes = limit_bytes
        self.unread = bytearray()
        self.expected = 0
        """The offset of the next byte in order; one more once FIN has come."""
        self.edge = limit_bytes
        """The first offset that the other end may not send yet. It never goes back."""
        self.ended = False
        self._late: list[tuple[int, bytes]] = []
        self._fin_at: int | None = None

    def put(self, offset: int, payload: bytes) -> bool:
        """Keep what is new and fits; whether bytes became readable."""
        if self.ended or offset + len(payload) <= self.expected:
            return False
        if offset > self.expected:
            if len(self._late) < LATE_MAX and offset + len(payload) <= self.edge:
                insort(self._late, (offset, payload))
            return False
        self._append(offset, payload)
        while self._late and self._late[0][0] <= self.expected:
            self._append(*self._late.pop(0))
        self._check_fin()
        return True

    def put_fin(self, offset: int) -> None:
        """Note where the stream ends; ``ended`` is true once everything before is there."""
        self._fin_at = offset
        self._check_fin()

    def _append(self, offset: int, payload: bytes) -> None:
        known = self.expected - offset
        self.unread += payload[known:] if known else payload
        self.expected = max(self.expected, offset + len(payload))

    def _check_fin(self) -> None:
        if not self.ended and self._fin_at is not None and self._fin_at <= self.expected:
            self.ended = True
            self.expected += 1
            self._late.clear()

    def peek(self, limit_bytes: int) -> bytes:
        """The first bytes, which stay."""
        with memoryview(self.unread) as view:
            return bytes(view[:limit_bytes])

    def take(self, limit_bytes: int) -> bytes:
        """The first bytes, which are gone then."""
        unread = self.unread
        if limit_bytes >= len(unread):
            taken = bytes(unread)
            unread.clear()
            return taken
        taken = self.peek(limit_bytes)
        del unread[:limit_bytes]
        return taken

    def room(self) -> int:
        """How many bytes fit."""
        return max(self.limit_bytes - len(self.unread), 0)

    def open_window(self) -> int:
        """The edge as it is now, once told."""
        edge = self.expected + self.limit_bytes - len(self.unread)
        if not self.ended and edge > self.edge:
            self.edge = edge
        return self.edge

    def worth_telling(self, mss_bytes: int) -> bool:
        """Whether the window has opened by enough to say so (RFC 9293, section 3.8.6.2.2)."""
        opened = self.expected + self.limit_bytes - len(self.unread) - self.edge
        return not self.ended and opened >= min(self.limit_bytes // 2, mss_bytes)
