"""What the reader's terminal can show, and how things are printed on it."""

from __future__ import annotations

import os
import sys
from collections.abc import Mapping
from dataclasses import dataclass
from typing import TextIO

import click
from rich.console import Console, RenderableType

from harness.report.drawing import Look, draw

NARROWEST = 40
"""Less than this nobody reads tables on; lines are broken by the terminal then."""


@dataclass(frozen=True, slots=True)
class Screen:
    """A stream people read: its look, and whether lines on it can be drawn anew."""

    stream: TextIO
    look: Look
    live: bool = False

    def show(self, text: str) -> None:
        """Print text that is drawn already."""
        click.echo(text, file=self.stream, nl=False, color=self.look.colour)

    def print(self, *parts: RenderableType) -> None:
        """Draw and print these parts, one below the other."""
        self.show(draw(parts, self.look))

    def console(self) -> Console:
        """A console for live progress on this stream."""
        return Console(
            file=self.stream,
            force_terminal=True,
            color_system="standard" if self.look.colour else None,
            highlight=False,
            markup=False,
            emoji=False,
        )


def screen(*, err: bool = False, environ: Mapping[str, str] | None = None) -> Screen:
    """Standard output, or standard error where output goes to a program."""
    return screen_of(sys.stderr if err else sys.stdout, os.environ if environ is None else environ)


def screen_of(stream: TextIO, environ: Mapping[str, str]) -> Screen:
    """What can be shown on a stream: colours and live lines only on a terminal.

    ``NO_COLOR`` (no-color.org) and ``TERM=dumb`` turn colours off, ``COLUMNS`` sets the width.
    """
    unicode = "utf" in (stream.encoding or "").lower()
    if not stream.isatty():
        return Screen(stream, Look(unicode=unicode))
    smart = environ.get("TERM") != "dumb"
    colour = smart and not environ.get("NO_COLOR")
    width = max(_width(stream, environ), NARROWEST)
    return Screen(stream, Look(width=width, colour=colour, unicode=unicode), live=smart)


def _width(stream: TextIO, environ: Mapping[str, str]) -> int:
    told = environ.get("COLUMNS", "")
    if told.isdecimal() and int(told):
        return int(told)
    try:
        return os.get_terminal_size(stream.fileno()).columns or 80
    except (OSError, ValueError):
        return 80
