"""Finding where HTTP/1.1 replies begin and end in a stream, and putting a header into each.

Only what RFC 9112 section 6 needs for that is read: the status, the framing headers, the sizes of
chunks. What isn't HTTP passes as it is.
"""

from __future__ import annotations

import re
from dataclasses import dataclass
from enum import Enum, auto

HEAD_LIMIT_BYTES = 64 * 1024
"""A reply whose head is longer is passed on as it is."""

_LENGTH = re.compile(rb"content-length:\s*(\d+)\s*", re.IGNORECASE)
_CHUNKED = re.compile(rb"transfer-encoding:.*\bchunked\s*", re.IGNORECASE)
_SIZE = re.compile(rb"[0-9A-Fa-f]{1,15}")
_START = b"HTTP/1."


class _Part(Enum):
    """What the next byte belongs to."""

    HEAD = auto()
    BODY = auto()
    CHUNK_SIZE = auto()
    CHUNK = auto()
    TRAILER = auto()
    OPAQUE = auto()


@dataclass(slots=True)
class Replies:
    """Passes replies on, with the header ``name: value`` in each head instead of its own such."""

    name: bytes
    value: bytes
    _part: _Part = _Part.HEAD
    _left_bytes: int = 0
    _begun: bytes = b""

    @property
    def held_bytes(self) -> int:
        """How much of a head waits for its end."""
        return len(self._begun) if self._part is _Part.HEAD else 0

    def restart(self) -> bytes:
        """Expect a head next; what was held of one."""
        held = self._begun if self._part is _Part.HEAD else b""
        self._part, self._begun = _Part.HEAD, b""
        return held

    def take(self, payload: bytes) -> tuple[bytes, bytes, bool]:
        """What passes of ``payload``, what is still to be taken, whether a reply is complete."""
        match self._part:
            case _Part.HEAD:
                return self._take_head(payload)
            case _Part.CHUNK_SIZE | _Part.TRAILER:
                return self._take_line(payload)
            case _Part.OPAQUE:
                return payload, b"", False
            case _Part.BODY | _Part.CHUNK:
                return self._take_counted(payload)

    def _take_head(self, payload: bytes) -> tuple[bytes, bytes, bool]:
        self._begun += payload
        head, blank, rest = self._begun.partition(b"\r\n\r\n")
        if not self._begun.startswith(_START[: len(self._begun)]) or (
            not blank and len(self._begun) > HEAD_LIMIT_BYTES
        ):
            self._part, begun = _Part.OPAQUE, self._begun
            self._begun = b""
            return begun, b"", False
        if not blank:
            return b"", b"", False
        self._begun = b""
        status_line, *headers = head.split(b"\r\n")
        status = status_line[9:12]
        if status.startswith(b"1"):  # interim: the reply is still to come (RFC 9110 15.2)
            return head + blank, rest, False
        self._part, self._left_bytes = _framing(status, headers)
        ends = self._part is _Part.BODY and not self._left_bytes
        if ends:
            self._part = _Part.HEAD
        return self._rewritten(status_line, headers), rest, ends

    def _rewritten(self, status_line: bytes, headers: list[bytes]) -> bytes:
        own = self.name.lower() + b":"
        kept = [line for line in headers if not line.lower().startswith(own)]
        said = self.name + b": " + self.value
        return b"\r\n".join((status_line, said, *kept)) + b"\r\n\r\n"

    def _take_counted(self, payload: bytes) -> tuple[bytes, bytes, bool]:
        passing, rest = payload[: self._left_bytes], payload[self._left_bytes :]
        self._left_bytes -= len(passing)
        if self._left_bytes:
            return passing, rest, False
        ends = self._part is _Part.BODY
        self._part = _Part.HEAD if ends else _Part.CHUNK_SIZE
        return passing, rest, ends

    def _take_line(self, payload: bytes) -> tuple[bytes, bytes, bool]:
        """A line passes as it comes; what it says is known at its end."""
        end = payload.find(b"\n") + 1
        passing, rest = (payload[:end], payload[end:]) if end else (payload, b"")
        self._begun = (self._begun + passing)[:HEAD_LIMIT_BYTES]
        if not end:
            return passing, rest, False
        line, self._begun = self._begun.strip(), b""
        if self._part is _Part.TRAILER:
            if not line:
                self._part = _Part.HEAD
            return passing, rest, not line
        size = _SIZE.match(line)
        if size is None:
            self._part = _Part.OPAQUE
        elif int(size[0], 16) == 0:
            self._part = _Part.TRAILER
        else:
            self._part, self._left_bytes = _Part.CHUNK, int(size[0], 16) + len(b"\r\n")
        return passing, rest, False


def _framing(status: bytes, headers: list[bytes]) -> tuple[_Part, int]:
    """What follows a head, and how much of it (RFC 9112 section 6.3)."""
    if status in (b"204", b"304"):
        return _Part.BODY, 0
    if any(_CHUNKED.fullmatch(line) for line in headers):
        return _Part.CHUNK_SIZE, 0
    lengths = [match for line in headers if (match := _LENGTH.fullmatch(line))]
    if lengths:
        return _Part.BODY, int(lengths[0][1])
    return _Part.OPAQUE, 0  # it ends with the connection
