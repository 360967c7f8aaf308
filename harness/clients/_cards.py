"""What is known of each client without importing it: its name, what it speaks, what it can do.

A client's file imports its library at the top, as any program does, and that library may be
missing here, or be slow to import. So the class is read from the file's text: the names below are
written there as literals.
"""

from __future__ import annotations

import ast
import importlib.metadata
import pkgutil
from collections.abc import Iterator
from dataclasses import dataclass
from functools import cache
from pathlib import Path
from typing import Any

from harness.worker.contract import FEATURES

GROUP = "harness.clients"


@dataclass(frozen=True, slots=True, kw_only=True)
class Card:
    """A client as its class presents itself.

    ``supports`` is None if it doesn't say: then it is judged by everything. ``serves`` is empty
    likewise. ``requires`` names the distributions it needs, whose versions a report shows.
    """

    name: str
    file: str
    class_name: str
    runs_on: str = "trio"
    serves: tuple[str, ...] = ()
    supports: frozenset[str] | None = None
    requires: tuple[str, ...] = ()
    doc: str = ""

    @property
    def summary(self) -> str:
        """The first line of its docstring."""
        return self.doc.partition("\n")[0]

    def lacks(self, features: tuple[str, ...], serve: str) -> tuple[str, ...]:
        """What a scenario needs and this client hasn't got, in the words of the contract."""
        spoken = () if not self.serves or serve in self.serves else (serve,)
        if self.supports is None:
            return spoken
        return (*spoken, *(word for word in features if word not in self.supports))


def card_of(client: type[Any], name: str = "", file: str = "") -> Card:
    """The card of a class that is imported."""
    supports = getattr(client, "SUPPORTS", None)
    return Card(
        name=name or getattr(client, "NAME", client.__name__),
        file=file,
        class_name=client.__name__,
        runs_on=str(getattr(client, "RUNS_ON", "trio")),
        serves=tuple(getattr(client, "SERVES", ())),
        supports=None if supports is None else frozenset(supports),
        requires=tuple(getattr(client, "REQUIRES", ())),
        doc=client.__doc__ or "",
    )


@cache
def all_clients() -> dict[str, Card]:
    """Every client by its name, third parties' (by entry point) included.

    Raises TypeError if two claim one name, or one claims a feature that there isn't.
    """
    found: dict[str, Card] = {}
    for card in (*_own(), *_foreign()):
        if found.setdefault(card.name, card) is not card:
            raise TypeError(f"two clients are named {card.name!r}: {found[card.name]} and {card}")
        if strange := (card.supports or frozenset()) - FEATURES.keys():
            raise TypeError(f"{card.name} supports {sorted(strange)}, which are no features")
    return dict(sorted(found.items()))


def _own() -> Iterator[Card]:
    home = Path(__file__).parent
    for info in pkgutil.iter_modules([str(home)]):
        if not info.name.startswith("_"):
            yield from cards_in(home / f"{info.name}.py")


def _foreign() -> Iterator[Card]:
    for entry in importlib.metadata.entry_points(group=GROUP):
        client = entry.load()
        yield card_of(client, file=getattr(__import__(client.__module__), "__file__", "") or "")


def cards_in(path: Path) -> Iterator[Card]:
    """The cards of all classes with a ``NAME`` in a file, read and not run."""
    tree = ast.parse(path.read_text(encoding="utf-8"), str(path))
    for node in tree.body:
        if isinstance(node, ast.ClassDef):
            words = _literals(node)
            if isinstance(words.get("NAME"), str):
                yield _card(node, words, path)


def _card(node: ast.ClassDef, words: dict[str, Any], path: Path) -> Card:
    supports = words.get("SUPPORTS")
    return Card(
        name=words["NAME"],
        file=str(path),
        class_name=node.name,
        runs_on=words.get("RUNS_ON", "trio"),
        serves=tuple(words.get("SERVES", ())),
        supports=None if supports is None else frozenset(supports),
        requires=tuple(words.get("REQUIRES", ())),
        doc=ast.get_docstring(node) or "",
    )


def _literals(node: ast.ClassDef) -> dict[str, Any]:
    """The class's assignments of literals to names in capitals."""
    found = {}
    for line in node.body:
        if isinstance(line, ast.Assign):
            targets, value = line.targets, line.value
        elif isinstance(line, ast.AnnAssign) and line.value is not None:
            targets, value = [line.target], line.value
        else:
            continue
        for target in targets:
            if isinstance(target, ast.Name) and target.id.isupper():
                found[target.id] = ast.literal_eval(value)
    return found
