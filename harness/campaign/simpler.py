"""What is simpler than a document: proposals, the boldest first.

Each function yields documents that differ from the given one in one respect. They may be wrong
(a fault that names a phase which is gone): whoever tries them finds out by reading them.
"""

from __future__ import annotations

import re
from collections.abc import Iterator, Sequence
from typing import Any, TypeAlias

from harness.campaign.perturbation import duration_words
from harness.scenario import Document
from harness.units import parse_duration_s

Path: TypeAlias = tuple[str | int, ...]

KEPT = ("scenario", "about", "seed", "recovery", "expect", "workload", "faults")
"""Top-level keys that are not simply dropped: others have passes of their own."""
_DURATION = re.compile(r"(\d+(?:\.\d+)?)(us|µs|ms|s|min|h|d)")


def expecting_only(document: Document, check: str) -> Iterator[Document]:
    """The same with one check: as it was, or with its defaults if it is one that is always on."""
    asked = document.get("expect")
    words = asked.get(check, True) if isinstance(asked, dict) else True
    if asked != {check: words}:
        yield document | {"expect": {check: words}}


def with_fewer_items(document: Document, key: str) -> Iterator[Document]:
    """The same with items of this list left out: all, halves, quarters, single ones."""
    items = document.get(key)
    if not isinstance(items, list):
        return
    if key != "workload":
        yield {name: value for name, value in document.items() if name != key}
    size = len(items)
    while size > 1:
        size = (size + 1) // 2
        for start in range(0, len(items), size):
            rest = [*items[:start], *items[start + size :]]
            if rest:
                yield document | {key: rest}


def without_recovery(document: Document) -> Iterator[Document]:
    """The same without a measurement of recovery at the end."""
    if document.get("recovery") is not False:
        yield document | {"recovery": False}


def with_less_said(document: Document) -> Iterator[Document]:
    """The same with one word less: whole sections first, then what is within them."""
    for path in sorted(_keys(document), key=len):
        if len(path) > 1 or path[0] not in KEPT:
            yield _without(document, path)


def with_smaller_numbers(document: Document) -> Iterator[Document]:
    """The same with a count at its least, halved, or one less; shares become all or nothing."""
    for path, value in _values(document):
        if isinstance(value, bool):
            continue
        if isinstance(value, int) and value > 0:
            for number in dict.fromkeys((1, value // 4, value // 2, value * 3 // 4, value - 1)):
                if 0 < number < value:
                    yield _with(document, path, number)
        elif isinstance(value, str) and value.endswith("%") and value != "100%":
            yield _with(document, path, "100%")
        elif isinstance(value, list) and len(value) > 1 and path[0] == "origin":
            yield _with(document, path, value[:-1])


def with_rounder_times(document: Document) -> Iterator[Document]:
    """The same with a rounder duration: 1, 2 or 5 of a decade, then one digit, then two."""
    for path, value in _values(document):
        match = _DURATION.fullmatch(value) if isinstance(value, str) else None
        if match is not None:
            for number in _rounder(float(match[1])):
                time_s = parse_duration_s(f"{number:.12f}{match[2]}")
                yield _with(document, path, duration_words(time_s))


def _rounder(number: float) -> Iterator[float]:
    """Numbers near this one that are simpler to say, the simplest first."""
    if number <= 0:
        return
    said = _roughness(number)
    decade = 10.0 ** int(f"{number:e}".partition("e")[2])
    near = [*(step * decade for step in (1, 10, 2, 5)), _digits(number, 1), _digits(number, 2)]
    small = (other for other in dict.fromkeys(near) if other <= 2 * number)
    yield from (other for other in small if _roughness(other) < said)


def _digits(number: float, count: int) -> float:
    return float(f"{number:.{count}g}")


def _roughness(number: float) -> int:
    """How much there is to say: 0 for a power of ten, 1 for 2 or 5 of one, else 1 + digits."""
    digits = f"{number:.12g}".replace(".", "").partition("e")[0].strip("0")
    return {"1": 0, "2": 1, "5": 1}.get(digits, 1 + len(digits))


# --- paths ----------------------------------------------------------------------------------


def _values(document: Document) -> Iterator[tuple[Path, Any]]:
    """Every value that may be changed, with the way to it; lists of scalars as a whole."""
    for key, value in document.items():
        if key not in {"scenario", "about", "seed", "expect"}:
            yield from _below((key,), value)


def _below(path: Path, value: Any) -> Iterator[tuple[Path, Any]]:
    if isinstance(value, dict):
        for key, inner in value.items():
            yield from _below((*path, key), inner)
    elif isinstance(value, list) and any(isinstance(item, dict) for item in value):
        for place, inner in enumerate(value):
            yield from _below((*path, place), inner)
    else:
        yield path, value


def _keys(document: Document) -> Iterator[Path]:
    """The way to every key that could be left out; never into what is expected."""
    for key, value in document.items():
        yield (key,)
        if key != "expect":
            yield from _keys_below((key,), value)


def _keys_below(path: Path, value: Any) -> Iterator[Path]:
    inner: Sequence[tuple[str | int, Any]] = ()
    if isinstance(value, dict):
        inner = list(value.items())
        yield from ((*path, key) for key, _ in inner)
    elif isinstance(value, list):
        inner = list(enumerate(value))
    for step, part in inner:
        yield from _keys_below((*path, step), part)


def _with(tree: Any, path: Path, value: Any) -> Any:
    """A copy with another value at the path; what isn't on the way is shared."""
    if not path:
        return value
    copy = tree.copy()
    copy[path[0]] = _with(tree[path[0]], path[1:], value)
    return copy


def _without(tree: Any, path: Path) -> Any:
    copy = tree.copy()
    if len(path) == 1:
        del copy[path[0]]
    else:
        copy[path[0]] = _without(tree[path[0]], path[1:])
    return copy
