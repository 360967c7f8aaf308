"""A page of help on a terminal: prose filled to its width, examples as they were written."""

from __future__ import annotations

from collections.abc import Iterator

from rich.console import RenderableType
from rich.markdown import Markdown
from rich.text import Text

_FENCE = "```"


def page(markdown: str) -> Iterator[RenderableType]:
    """The parts of a page, to be drawn one below the other."""
    for number, part in enumerate(markdown.split(_FENCE)):
        if number % 2:
            yield Text()
            yield from _example(part)
        else:
            yield from _prose(part)


def _example(part: str) -> Iterator[Text]:
    """The lines of an example; they are to be copied, so none is broken."""
    _language, _, code = part.partition("\n")
    for line in code.rstrip("\n").splitlines():
        yield Text(f"  {line}", style="cyan", no_wrap=True, overflow="ignore")


def _prose(part: str) -> Iterator[RenderableType]:
    """Titles on lines of their own, and what stands between them as markdown."""
    between: list[str] = []
    for line in [*part.splitlines(), "# "]:
        if not line.startswith("# "):
            between.append(line)
            continue
        if "".join(between).strip():
            yield Text()
            yield Markdown("\n".join(between).strip())
        between = []
        if line != "# ":
            yield Text()
            yield Text(line.removeprefix("# "), style="bold")
