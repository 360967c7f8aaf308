"""Help that keeps examples and tables as they were written."""

from __future__ import annotations

from inspect import cleandoc
from typing import Any

import click

_AS_WRITTEN = "\b\n"
"""What tells click not to fill a paragraph."""


class Taught(click.Command):
    """A command whose help keeps the lines of every paragraph that has indented ones."""

    def __init__(self, *args: Any, **settings: Any) -> None:
        super().__init__(*args, **settings)
        self.help = as_written(cleandoc(self.help or ""))


def as_written(text: str) -> str:
    """The help text, with paragraphs marked that have indented lines."""
    paragraphs = text.split("\n\n")
    return "\n\n".join(_AS_WRITTEN + p if "\n  " in f"\n{p}" else p for p in paragraphs)
