"""Text of a given look: how wide, how colourful, with which characters.

A line's width is counted in terminal cells, not characters: ``漢`` takes two. What comes from
outside (error messages, names) may hold anything, so it passes ``printable`` first: an escape
sequence in a server's reply must not move the reader's cursor.
"""

from __future__ import annotations

import io
from collections.abc import Iterable
from dataclasses import dataclass

from rich.cells import cell_len
from rich.console import Console, RenderableType
from rich.text import Text

from harness.checks import Verdict

NEVER_BROKEN = 10_000
"""A width that no line reaches."""

STYLES = {Verdict.PASS: "green", Verdict.FAIL: "bold red", Verdict.UNKNOWN: "yellow"}
WORDS = {Verdict.PASS: "pass", Verdict.FAIL: "FAIL", Verdict.UNKNOWN: "unknown"}
_MARKS = {Verdict.PASS: "✓", Verdict.FAIL: "✗", Verdict.UNKNOWN: "?"}
_ASCII_MARKS = {Verdict.PASS: "+", Verdict.FAIL: "x", Verdict.UNKNOWN: "?"}


@dataclass(frozen=True, slots=True)
class Look:
    """How text is to look; with no width its lines are never broken, as pipes want them."""

    width: int | None = None
    colour: bool = False
    unicode: bool = True

    @property
    def cells(self) -> int:
        """The width that is to be kept."""
        return self.width or NEVER_BROKEN

    def mark(self, verdict: Verdict) -> str:
        """One character for a verdict; it stands beside the word, never instead of it."""
        return (_MARKS if self.unicode else _ASCII_MARKS)[verdict]

    def sign(self, unicode: str, plain: str) -> str:
        """The first if the reader's terminal can show it, else the second."""
        return unicode if self.unicode else plain


def draw(parts: Iterable[RenderableType], look: Look) -> str:
    """The parts one below the other, with a line end after each and no blanks before it."""
    console = Console(
        file=io.StringIO(),
        width=look.cells,
        height=100,
        force_terminal=look.colour,
        color_system="standard" if look.colour else None,
        markup=False,
        emoji=False,
        highlight=False,
        soft_wrap=False,
        legacy_windows=False,
        _environ={},
    )
    with console.capture() as captured:
        for part in parts:
            console.print(part)
    lines = captured.get().splitlines()
    return "".join(line.rstrip() + "\n" for line in lines)


def printable(text: str) -> str:
    """The text on one line, with what a terminal would obey or hide written out."""
    return "".join(_shown(character) for character in text)


def _shown(character: str) -> str:
    if character in "\n\r\t":
        return " "
    if character == " " or character.isprintable():
        return character
    return character.encode("unicode_escape", "backslashreplace").decode("ascii")


def padded(text: str, cells: int, *, right: bool = False) -> str:
    """The text with blanks up to so many cells; longer text stays as it is."""
    blanks = " " * max(0, cells - cell_len(text))
    return blanks + text if right else text + blanks


def verdict_text(verdict: Verdict) -> Text:
    """The word for a verdict, in its colour."""
    return Text(WORDS[verdict], style=STYLES[verdict])


def lasting(seconds: float) -> str:
    """``0.3 s``, ``31 s``, ``2 min 5 s``: how long a whole run took."""
    if seconds < 10:
        return f"{seconds:.1f} s"
    whole = round(seconds)
    return f"{whole} s" if whole < 120 else f"{whole // 60} min {whole % 60} s"


def many(number: int, noun: str) -> str:
    """``1 call``, ``2 calls``: a number of things whose plural is regular."""
    return f"{number} {noun}" if number == 1 else f"{number} {noun}s"
