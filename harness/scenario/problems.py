"""The mistakes found in one text so far, each with the place it stands at."""

from __future__ import annotations

import re
from typing import TypeAlias

from harness.errors import InputError, Problem
from harness.scenario.nodes import ListNode, MapNode, Mark, Node, ScalarNode

Path: TypeAlias = tuple[str | int, ...]
"""The way to a value: ``("faults", 2, "when", "idle")``."""

SHOWN_LIMIT = 200
"""A message longer than this repeats somebody's text, not what is wrong with it."""

_PLAIN_KEY = re.compile(r"[\w-]{1,60}")


def format_path(path: Path) -> str:
    """``faults[2].when.idle``, as a report shows it."""
    return "".join(map(_step, path)).removeprefix(".")


def _step(step: str | int) -> str:
    if isinstance(step, int):
        return f"[{step}]"
    return f".{step}" if _PLAIN_KEY.fullmatch(step) else f"[{shorten(repr(step), 60)}]"


def shorten(text: str, limit: int = SHOWN_LIMIT) -> str:
    """The text, its middle left out if it is longer than ``limit``."""
    if len(text) <= limit:
        return text
    half = (limit - 1) // 2
    return f"{text[:half]}…{text[-half:]}"


class Report:
    """Collects problems and knows where in the text each path stands."""

    def __init__(self, file: str) -> None:
        self.file = file
        self.root: Node | None = None
        self._problems: list[Problem] = []

    def __bool__(self) -> bool:
        return bool(self._problems)

    @property
    def problems(self) -> list[Problem]:
        """What was noted so far, in the order in which it was."""
        return list(self._problems)

    @property
    def count(self) -> int:
        """How many problems there are so far."""
        return len(self._problems)

    def at(self, mark: Mark, message: str, hint: str, path: Path = ()) -> None:
        """Note a problem at a place in the text."""
        self._problems.append(
            Problem(
                message=shorten(message),
                hint=shorten(hint, 2 * SHOWN_LIMIT),
                path=format_path(path),
                file=self.file,
                line=mark.line,
                column=mark.column,
            )
        )

    def on(self, path: Path, message: str, hint: str, *, key: bool = False) -> None:
        """Note a problem with the value at ``path``, or with its key.

        What isn't in the text (a default, a field that a shorthand sets) is reported at the
        innermost thing around it that is.
        """
        mark, shown = self._locate(path, key=key)
        self.at(mark, message, hint, shown)

    def note(self, path: Path, text: str) -> str:
        """A remark about the value at ``path``, in the form of a problem, that isn't one."""
        mark, shown = self._locate(path, key=False)
        place = f"{self.file}:{mark.line}:{mark.column}"
        return f"{place}: {format_path(shown)}: {text}"

    def keys_of(self, path: Path, value: str) -> list[str]:
        """The keys of the mapping at ``path`` that hold this text."""
        node = self.root
        for step in path:
            if isinstance(node, MapNode):
                node = node.entries[str(step)].value
            elif isinstance(node, ListNode):
                node = node.items[int(step)]
        entries = node.entries.items() if isinstance(node, MapNode) else ()
        wanted = (
            key
            for key, entry in entries
            if isinstance(entry.value, ScalarNode) and entry.value.value == value
        )
        return list(wanted)

    def raise_if_any(self) -> None:
        """Raise InputError with every problem, in the order of the text."""
        if self._problems:
            unique = dict.fromkeys(self._problems)
            raise InputError(*sorted(unique, key=lambda p: (p.line, p.column)))

    def _locate(self, path: Path, *, key: bool) -> tuple[Mark, Path]:
        node, mark = self.root, Mark(1, 1)
        if node is not None:
            mark = node.mark
        for depth, step in enumerate(path):
            if isinstance(node, MapNode) and step in node.entries:
                entry = node.entries[str(step)]
                mark = entry.key if key and depth == len(path) - 1 else entry.value.mark
                node = entry.value
            elif isinstance(node, ListNode) and isinstance(step, int) and step < len(node.items):
                node = node.items[step]
                mark = node.mark
            else:
                return mark, path[:depth]
        return mark, path
