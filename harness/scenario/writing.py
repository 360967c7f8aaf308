"""Scenarios as plain documents, and documents as the YAML that people like to read.

A *document* is what stands in the text: mappings, lists and scalars, quantities with their units.
Programs that change scenarios (shrinking, sweeping) work on it, because the model has lost how
things were said. Reading what is written gives the document back.
"""

from __future__ import annotations

import json
import re
from collections.abc import Iterator, Mapping
from textwrap import wrap
from typing import Any, TypeAlias

from harness.errors import InputError, Problem
from harness.scenario.compose import compose
from harness.scenario.nodes import MapNode, plain, resolve
from harness.scenario.problems import Report

Document: TypeAlias = dict[str, Any]
"""A scenario's text as mappings, lists and scalars."""

ORDER = (
    "scenario",
    "about",
    "level",
    "seed",
    "fabric",
    "recovery",
    "origin",
    "proxy",
    "client",
    "workload",
    "perturb",
    "faults",
    "expect",
)
"""The order of the top level; what isn't named here stands before ``expect``."""

WIDTH = 100
_INDENT = "  "


def document_of(text: str, file: str = "scenario.yaml") -> Document:
    """What stands in a scenario's text; raises InputError if it is no mapping."""
    report = Report(file)
    root = compose(text.removeprefix("\ufeff"), report)
    report.raise_if_any()
    if not isinstance(root, MapNode):
        raise InputError(Problem("this is not a scenario", "begin with scenario: NAME", file=file))
    document: Document = plain(root)
    return document


def written(document: Document) -> str:
    """The document as YAML text, in the order and the manner of the bundled scenarios."""
    return "".join(f"{line}\n" for key in _ordered(document) for line in _section(key, document))


def _ordered(document: Document) -> list[str]:
    places = {key: place for place, key in enumerate(ORDER)}
    return sorted(document, key=lambda key: places.get(key, len(ORDER) - 1.5))


def _section(key: str, document: Document) -> Iterator[str]:
    value = document[key]
    if key == "about" and isinstance(value, str) and _folds(value):
        yield "about: >"
        yield from wrap(
            " ".join(value.split()), WIDTH, initial_indent=_INDENT, subsequent_indent=_INDENT,
            break_long_words=False, break_on_hyphens=False,
        )  # fmt: skip
    elif isinstance(value, list) and value and any(isinstance(item, dict) for item in value):
        yield f"{_key(key)}:"
        for item in value:
            yield from _filled(f"{_INDENT}- ", item)
    elif isinstance(value, dict) and value and (key == "expect" or _is_deep(value)):
        yield f"{_key(key)}:"
        for name, inner in value.items():
            yield from _filled(f"{_INDENT}{_key(name)}: ", inner)
    else:
        yield from _filled(f"{_key(key)}: ", value)


def _is_deep(value: Mapping[str, Any]) -> bool:
    return any(isinstance(inner, dict) for inner in value.values())


def _folds(text: str) -> bool:
    """Whether a folded block can hold its words; the space between them is nobody's."""
    return not text.isspace() and bool(text) and all(map(str.isprintable, text.split()))


def _filled(lead: str, value: Any) -> Iterator[str]:
    """A value in flow style after ``lead``, broken after commas where a line gets too long."""
    line = lead
    parts = list(_pieces(value))
    for place, part in enumerate(parts):
        # What is no piece of its own any more must not be torn off: a comma stays with its word.
        if place and len(line) + len(part.rstrip()) > WIDTH:
            yield line.rstrip()
            line = " " * (len(lead) - len(lead.lstrip()) + 4)
        line += part
    yield line.rstrip()


def _pieces(value: Any) -> Iterator[str]:
    """A value in flow style, cut where a line may be broken."""
    if isinstance(value, dict):
        yield from _enclosed("{", [_entry(key, inner) for key, inner in value.items()], "}")
    elif isinstance(value, list):
        yield from _enclosed("[", [_flow(item) for item in value], "]")
    else:
        yield _scalar(value)


def _enclosed(start: str, items: list[str], end: str) -> Iterator[str]:
    if not items:
        yield start + end
    for place, item in enumerate(items):
        first, last = place == 0, place == len(items) - 1
        yield (start if first else "") + item + (end if last else ", ")


def _entry(key: str, value: Any) -> str:
    return f"{_key(key)}: {_flow(value)}"


def _flow(value: Any) -> str:
    return "".join(_pieces(value))


def _key(key: str) -> str:
    return _scalar(key)


_PLAIN = re.compile(r"[\w<./%µ±+*$^()~-][\w ./%µ±+*$^()<>=:;~-]*")
"""Texts that need no quotes anywhere, not even in flow style."""


def _scalar(value: Any) -> str:
    if value is None:
        return "null"
    if isinstance(value, bool):
        return "true" if value else "false"
    if isinstance(value, str):
        return value if _needs_no_quotes(value) else _quoted(value)
    return repr(value)


def _quoted(text: str) -> str:
    """Double-quoted; JSON's escapes are YAML's too, but for its pairs of surrogates."""
    quoted = json.dumps(text, ensure_ascii=False)
    return "".join(c if c.isprintable() else f"\\U{ord(c):08x}" for c in quoted)


def _needs_no_quotes(text: str) -> bool:
    if not _PLAIN.fullmatch(text) or text != text.strip() or text.endswith(":"):
        return False
    if ": " in text or text.startswith(("- ", "*", "-", "<<", "%", "~", "=")):
        return False
    try:
        return resolve(text) == text
    except ValueError:
        return False
