"""The sending half of one end: bytes not acknowledged yet, and how much may be sent."""

from __future__ import annotations


class Outgoing:
    """What was written: ``una`` and ``nxt`` are SND.UNA and SND.NXT of RFC 9293, section 3.3.1."""

    __slots__ = ("edge", "fin", "kept", "limit_bytes", "nxt", "una", "written")

    def __init__(self, limit_bytes: int) -> None:
        self.limit_bytes = limit_bytes
        self.kept = bytearray()
        """The bytes from ``una`` to ``written``."""
        self.una = 0
        self.nxt = 0
        self.written = 0
        self.edge = 0
        """The first offset that the other end has no room for."""
        self.fin = False
        """Whether the stream ends at ``written``."""

    @property
    def outstanding(self) -> bool:
        """Whether something is sent and not acknowledged."""
        return self.nxt > self.una

    @property
    def unsent_bytes(self) -> int:
        """Bytes that were written and never sent."""
        return max(self.written - self.nxt, 0)

    @property
    def fin_acked(self) -> bool:
        """Whether the other end has got everything, FIN included."""
        return self.una > self.written

    def room(self) -> int:
        """How many bytes may be written."""
        return self.limit_bytes - len(self.kept)

    def writable(self) -> bool:
        """Whether a third is free: what poll(2) calls writable on Linux."""
        return 3 * len(self.kept) <= 2 * self.limit_bytes

    def write(self, data: bytes | bytearray | memoryview) -> None:
        """Keep these bytes."""
        self.kept += data
        self.written += len(data)

    def next_payload(self, mss_bytes: int) -> bytes:
        """The bytes that may be sent now for the first time; empty if none."""
        size_bytes = min(self.written, self.edge, self.nxt + mss_bytes) - self.nxt
        return self.cut(self.nxt, size_bytes) if size_bytes > 0 else b""

    def head_payload(self, mss_bytes: int) -> bytes:
        """The first bytes that are not acknowledged; empty if that is FIN."""
        return self.cut(self.una, min(self.nxt, self.written, self.una + mss_bytes) - self.una)

    def cut(self, offset: int, size_bytes: int) -> bytes:
        """A piece of what is kept."""
        start = offset - self.una
        with memoryview(self.kept) as view:
            return bytes(view[start : start + size_bytes])

    def acked(self, offset: int) -> None:
        """Everything before ``offset`` has arrived."""
        del self.kept[: min(offset, self.written) - self.una]
        self.una = offset

    def passed(self, size_bytes: int) -> None:
        """So many bytes were handed over, acknowledged at once."""
        self.nxt += size_bytes
        self.una = self.nxt

    def purge(self) -> None:
        """Forget what was written."""
        self.kept.clear()
        self.fin = False
        self.una = self.nxt = self.written
