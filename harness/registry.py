"""Open sets whose members are found by themselves: one file each, plus entry points of others.

A member registers by being a class with a ``NAME`` in a module of the package; files that begin
with an underscore are helpers, not members. Third parties add members through entry points
(``harness.faults``, ``harness.checks``). Clients are found in a way of their own, without being
imported: see ``harness.clients``.
"""

from __future__ import annotations

import importlib
import importlib.metadata
import pkgutil
from collections.abc import Iterator, Mapping
from difflib import get_close_matches
from types import ModuleType
from typing import Any


def members(package: str) -> dict[str, type[Any]]:
    """Every member of a package, by its name, sorted; its own files first, then entry points.

    Raises TypeError if two members claim one name: that is a bug, not a choice.
    """
    found: dict[str, type[Any]] = {}
    for member in (*_own(package), *_foreign(package)):
        name = member.NAME
        if found.setdefault(name, member) is not member:
            raise TypeError(f"{package} has two members named {name!r}: {found[name]} and {member}")
    return dict(sorted(found.items()))


def _own(package: str) -> Iterator[type[Any]]:
    home = importlib.import_module(package)
    for info in pkgutil.iter_modules(home.__path__):
        if not info.name.startswith("_"):
            yield from _classes(importlib.import_module(f"{package}.{info.name}"))


def _classes(module: ModuleType) -> Iterator[type[Any]]:
    for value in vars(module).values():
        if isinstance(value, type) and value.__module__ == module.__name__ and _named(value):
            yield value


def _named(kind: type[Any]) -> bool:
    return isinstance(vars(kind).get("NAME"), str)


def _foreign(package: str) -> Iterator[type[Any]]:
    for entry in importlib.metadata.entry_points(group=package):
        yield entry.load()


def did_you_mean(word: str, known: Mapping[str, Any] | list[str] | tuple[str, ...]) -> str:
    """``did you mean 'x'?`` if something known is close, else the list of what is known."""
    close = get_close_matches(word, list(known), n=1, cutoff=0.6)
    if close:
        return f"did you mean {close[0]!r}?"
    return "known are " + ", ".join(sorted(known)) if known else "none is known"
