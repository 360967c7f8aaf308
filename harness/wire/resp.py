"""Redis's RESP2: commands to bytes, bytes to replies.

Redis documentation, "Redis serialization protocol specification": a reply is a line that begins
with its type (``+`` text, ``-`` error, ``:`` integer, ``$`` bytes, ``*`` array) and ends with
CR LF; bytes and arrays say their length there. Commands are arrays of bytes. Replies come in the
order of the commands, and nothing else connects the two: a connection on which one is missing, or
one too many, gives every later caller the reply of another.
"""

from __future__ import annotations

from collections.abc import Iterable, Iterator, Sequence
from dataclasses import dataclass, field
from typing import TypeAlias

from harness.wire.errors import WireError

LINE_LIMIT_BYTES = 64 * 1024
BULK_LIMIT_BYTES = 512 * 2**20
"""Redis's own limit of one string (``proto-max-bulk-len``)."""
ITEMS_LIMIT = 1024 * 1024
DEPTH_LIMIT = 32
"""Arrays within arrays; Redis itself has seven at most."""


@dataclass(frozen=True, slots=True)
class ErrorReply:
    """An error: its text begins with a word in capitals, as ``ERR`` or ``LOADING``."""

    text: str

    @property
    def code(self) -> str:
        """The first word."""
        return self.text.partition(" ")[0]


ReplyValue: TypeAlias = "str | int | bytes | ErrorReply | list[ReplyValue] | None"
"""Text, integer, bytes, nothing, an error, or a list of these."""


def command(words: Sequence[str | bytes]) -> bytes:
    """One command: an array of its words."""
    raw = [word.encode() if isinstance(word, str) else word for word in words]
    parts = b"".join(b"$%d\r\n%b\r\n" % (len(word), word) for word in raw)
    return b"*%d\r\n%b" % (len(raw), parts)


def pipeline(commands: Iterable[Sequence[str | bytes]]) -> bytes:
    """Commands one after the other, sent together."""
    return b"".join(map(command, commands))


@dataclass(slots=True)
class _Open:
    """An array that waits for the rest of its items."""

    wanted: int
    items: list[ReplyValue] = field(default_factory=list)


@dataclass(slots=True)
class Reader:
    """Makes replies of bytes as they come; ``limit_bytes`` bounds one string."""

    limit_bytes: int = BULK_LIMIT_BYTES
    _rest: bytearray = field(default_factory=bytearray)
    _open: list[_Open] = field(default_factory=list)
    _done: list[ReplyValue] = field(default_factory=list)
    _bulk_bytes: int | None = None

    @property
    def has_rest(self) -> bool:
        """Whether a reply has begun that isn't complete."""
        return bool(self._rest or self._open or self._bulk_bytes is not None)

    def feed(self, data: bytes) -> Iterator[ReplyValue]:
        """The replies that are complete with ``data``; raises WireError for what is none."""
        self._rest += data
        while self._take_one():
            while self._open and len(self._open[-1].items) == self._open[-1].wanted:
                self._add(self._open.pop().items)
            yield from self._done
            self._done.clear()

    def _take_one(self) -> bool:
        """Take one value, or the head of one, off the buffer; False if it isn't all there."""
        if self._bulk_bytes is not None:
            return self._take_bulk(self._bulk_bytes)
        line = self._take_line()
        if line is None:
            return False
        kind, text = line[:1], line[1:]
        match kind:
            case b"+":
                self._add(text.decode(errors="replace"))
            case b"-":
                self._add(ErrorReply(text.decode(errors="replace")))
            case b":":
                self._add(_number(text))
            case b"$":
                self._begin_bulk(_number(text))
            case b"*":
                self._begin_array(_number(text))
            case _:
                raise WireError(f"no reply begins with {bytes(line[:20])!r}")
        return True

    def _take_line(self) -> bytes | None:
        end = self._rest.find(b"\r\n", 0, LINE_LIMIT_BYTES + 2)
        if end < 0:
            if len(self._rest) > LINE_LIMIT_BYTES:
                raise WireError(f"a line is longer than {LINE_LIMIT_BYTES} bytes")
            return None
        line = bytes(self._rest[:end])
        del self._rest[: end + 2]
        return line

    def _take_bulk(self, size_bytes: int) -> bool:
        if len(self._rest) < size_bytes + 2:
            return False
        if self._rest[size_bytes : size_bytes + 2] != b"\r\n":
            raise WireError("a string is longer than it says")
        value = bytes(self._rest[:size_bytes])
        del self._rest[: size_bytes + 2]
        self._bulk_bytes = None
        self._add(value)
        return True

    def _begin_bulk(self, size_bytes: int) -> None:
        if size_bytes == -1:
            self._add(None)
        elif not 0 <= size_bytes <= self.limit_bytes:
            raise WireError(f"a string says that it is {size_bytes} bytes long")
        else:
            self._bulk_bytes = size_bytes

    def _begin_array(self, count: int) -> None:
        if count == -1:
            self._add(None)
        elif not 0 <= count <= ITEMS_LIMIT or len(self._open) >= DEPTH_LIMIT:
            raise WireError(f"an array of {count}, {len(self._open)} deep, is too much")
        else:
            self._open.append(_Open(count))

    def _add(self, value: ReplyValue) -> None:
        (self._open[-1].items if self._open else self._done).append(value)


def _number(text: bytes) -> int:
    digits = text[1:] if text[:1] in {b"-", b"+"} else text
    if not digits.isdigit() or len(digits) > 19:
        raise WireError(f"{text[:40]!r} is no number")
    return int(text)
