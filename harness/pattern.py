"""Finding a pattern in a stream of bytes, wherever the stream is cut into chunks.

A match counts as soon as its last byte has arrived, so of all ends it could have the first one
does: ``a+`` is found after one ``a``. What is looked at reaches back to the block before the
present one, and blocks are counted from the beginning of the stream; so neither the end that is
found nor what is forgotten depends on chunks. Anchors and look-arounds speak of what surrounds a
match, which a stream doesn't know yet: they are refused.
"""

from __future__ import annotations

import re

BLOCK_BYTES = 4096
"""Looked at are this many bytes back at least and twice as many at most."""

_PLAIN = re.compile(r"\\[^bBAZ]|\[\^?\]?(?:\\.|[^\]\\])*\]", re.DOTALL)
_SURROUNDINGS = re.compile(r"\\[bBAZ]|[\^$]|\(\?<?[=!]")


def surroundings(pattern: str) -> str:
    """The first anchor or look-around of a regular expression, or empty if it has none."""
    found = _SURROUNDINGS.search(_PLAIN.sub("", pattern))
    return "" if found is None else found[0]


class PatternFinder:
    """Remembers what it needs of the stream so far."""

    __slots__ = ("_begins", "_compiled", "_fresh", "_text")

    def __init__(self, pattern: str) -> None:
        self._compiled = re.compile(pattern.encode(), re.DOTALL)
        self.forget(0)

    def forget(self, position: int) -> None:
        """Look at nothing before this place of the stream."""
        self._text = b""
        self._begins = self._fresh = position

    def find(self, position: int, payload: bytes) -> int | None:
        """How many bytes of ``payload`` complete a match, or None; what follows is looked at anew.

        ``position`` is where the payload stands in the stream. After a gap the past is forgotten.
        """
        if position != self._begins + len(self._text):
            self.forget(position)
        taken = 0
        while taken < len(payload):
            here = position + taken
            self._move_window(here)
            room = BLOCK_BYTES - here % BLOCK_BYTES
            known = len(self._text)
            self._text += payload[taken : taken + room]
            if self._compiled.search(self._text):
                taken += self._first_end(known) - known
                self.forget(position + taken)
                return taken
            taken += len(self._text) - known
        return None

    def _move_window(self, here: int) -> None:
        begins = max(self._fresh, (here // BLOCK_BYTES - 1) * BLOCK_BYTES)
        self._text = self._text[begins - self._begins :]
        self._begins = begins

    def _first_end(self, low: int) -> int:
        """The fewest bytes that hold a match; the first ``low`` bytes hold none."""
        high = len(self._text)
        while high - low > 1:
            middle = (low + high) // 2
            if self._compiled.search(self._text, 0, middle):
                high = middle
            else:
                low = middle
        return high
