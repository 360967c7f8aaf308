"""The protocol's own farewell, then the end."""

from __future__ import annotations

import re
from collections.abc import Iterator
from dataclasses import dataclass, field
from typing import Annotated, Any, ClassVar

from pydantic import Field

from harness.connection import StageContext
from harness.faults._base import YAML_CONFIG, DirectionWord
from harness.timeline import Data, Fin, Item, Place
from harness.trigger import Life
from harness.units import DurationS

HEAD_LIMIT_BYTES = 64 * 1024
"""A reply whose head is longer is passed on as it is."""


@dataclass(frozen=True, slots=True, kw_only=True)
class Goodbye:
    """Says farewell in HTTP's own words, then closes as it said.

    Without ``timeout`` a reply gets ``Connection: close`` and FIN follows its last byte
    (RFC 9112 section 9.6). With it, replies get ``Keep-Alive: timeout=N`` and the connection is
    closed once it was idle that long (RFC 2068 section 19.7.1.1; N is in whole seconds).
    """

    NAME: ClassVar[str] = "goodbye"
    ALIASES: ClassVar[tuple[str, ...]] = ()
    EXAMPLES: ClassVar[tuple[str, ...]] = (
        "{fault: goodbye, when: {response: every 5}}",
        "{fault: goodbye, timeout: 1s}",
    )
    DIRECTION: ClassVar[DirectionWord] = "downstream"
    ALTERS: ClassVar[bool] = True
    PROTOCOL: ClassVar[str] = "http"
    __pydantic_config__: ClassVar[Any] = YAML_CONFIG

    timeout_s: Annotated[
        DurationS | None, Field(description="announced, and kept: closed when idle this long")
    ] = None

    def __post_init__(self) -> None:
        if self.timeout_s is not None and (self.timeout_s < 1 or self.timeout_s % 1):
            raise ValueError("HTTP counts this timeout in whole seconds; write 1s or 5s")

    def stage(self, context: StageContext, shared: object) -> GoodbyeStage:  # noqa: ARG002 - the contract's arguments
        """Rewrites heads of replies."""
        return GoodbyeStage(self.timeout_s, context.life)

    def farewell(self) -> bytes:
        """The header it adds."""
        return _farewell(self.timeout_s)


def _farewell(timeout_s: float | None) -> bytes:
    if timeout_s is None:
        return b"Connection: close\r\n"
    return b"Keep-Alive: timeout=%d\r\n" % timeout_s


_LENGTH = re.compile(rb"^content-length:\s*(\d+)\s*$", re.IGNORECASE | re.MULTILINE)
_CHUNKED = re.compile(rb"^transfer-encoding:.*\bchunked\s*$", re.IGNORECASE | re.MULTILINE)
_CHUNK = re.compile(rb"([0-9A-Fa-f]+)[^\r\n]*\r\n")


@dataclass(slots=True)
class GoodbyeStage:
    """Finds each reply's head and end; speaks in the head, closes at the end or when idle."""

    timeout_s: float | None
    life: Life
    _head: bytes = b""
    _body: _Body | None = None
    _place: Place = field(default_factory=Place)
    _replied: bool = False

    def feed(self, item: Item) -> Iterator[Item]:
        """The item, its reply's head rewritten; after a last reply, the end."""
        if not isinstance(item, Data):
            yield from self.heal(item.due)
            yield item
            return
        if self._body is None:
            if not self._head:
                self._place = item.place
            self._head += item.payload
            payload = self._take_head()
        else:
            self._place = item.place
            self._body.pass_bytes(item.payload)
            payload = item.payload
        if not payload:
            return
        yield Data(item.due, payload, self._place)
        if self._body is not None and self._body.ends:
            self._body, self._replied = None, True
            if self.timeout_s is None:
                yield Fin(item.due, full=True)

    def _take_head(self) -> bytes:
        """What may leave of a reply that begins; empty until its head is complete."""
        head, blank, rest = self._head.partition(b"\r\n\r\n")
        if not blank:
            if len(self._head) < HEAD_LIMIT_BYTES:
                return b""
            self._body = _Body(None, chunked=False)
            payload, self._head = self._head, b""
            return payload
        status_line, _, headers = head.partition(b"\r\n")
        length = _LENGTH.search(headers)
        self._body = _Body(
            0 if _is_bodiless(status_line) else int(length[1]) if length else None,
            chunked=_CHUNKED.search(headers) is not None,
        )
        self._body.pass_bytes(rest)
        self._head = b""
        parts = (status_line, b"\r\n", _farewell(self.timeout_s), headers, b"\r\n\r\n", rest)
        return b"".join(parts)

    def deadline(self) -> float | None:
        """When the announced time is over."""
        idle_since = self.life.idle_since()
        if self.timeout_s is None or not self._replied or idle_since is None:
            return None
        return idle_since + self.timeout_s

    def expire(self, now: float) -> tuple[Item, ...]:
        """The end that was announced."""
        self._replied = False
        return (Fin(now, full=True),)

    def heal(self, now: float) -> tuple[Item, ...]:
        """The part of a head that was held."""
        head, self._head = self._head, b""
        return (Data(now, head, self._place),) if head else ()

    @property
    def held_bytes(self) -> int:
        """The part of a head that is held."""
        return len(self._head)


def _is_bodiless(status_line: bytes) -> bool:
    status = status_line.split(b" ", 2)[1:2]
    return bool(status) and (status[0].startswith(b"1") or status[0] in (b"204", b"304"))


@dataclass(slots=True)
class _Body:
    """Counts a body to its end: by length, by chunks, or never (it ends with the connection)."""

    left_bytes: int | None
    chunked: bool
    ends: bool = False
    _text: bytes = b""

    def pass_bytes(self, payload: bytes) -> None:
        """Note what passes; ``ends`` tells whether the body is complete."""
        if self.chunked:
            self._text += payload
            self._pass_chunks()
        elif self.left_bytes is not None:
            self.left_bytes -= len(payload)
            self.ends = self.left_bytes <= 0

    def _pass_chunks(self) -> None:
        """Skip whole chunks; the one of size zero, with its trailers, is the end."""
        while match := _CHUNK.match(self._text):
            size = int(match[1], 16)
            end = match.end() + size + 2
            if size == 0:
                self.ends = self._text[match.end() - 2 :].find(b"\r\n\r\n") >= 0
                return
            if len(self._text) < end:
                return
            self._text = self._text[end:]
