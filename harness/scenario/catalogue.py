"""Where scenarios are: the bundled ones, a project's own, and how to name some of them."""

from __future__ import annotations

import re
from collections.abc import Sequence
from pathlib import Path

import harness
from harness.errors import InputError, Problem
from harness.registry import did_you_mean
from harness.scenario.reader import id_of

OWN_FOLDER = "scenarios"
_SUFFIXES = {".yaml", ".yml"}


def bundled_root() -> Path:
    """The scenarios that come with the harness: in the wheel, or beside it in a checkout."""
    package = Path(harness.__file__).parent
    inside = package / "bundled"
    return inside if inside.is_dir() else package.parent / OWN_FOLDER


def default_root(here: Path | None = None) -> Path:
    """``scenarios/`` of the current directory if there is one, else the bundled ones."""
    own = (here or Path.cwd()) / OWN_FOLDER
    return own if own.is_dir() else bundled_root()


def files_below(root: Path) -> list[Path]:
    """Every scenario file below a directory, sorted by id."""
    found = (path for path in root.rglob("*") if path.suffix in _SUFFIXES and path.is_file())
    return sorted(found, key=lambda path: id_of(path, root))


def find(selectors: Sequence[str] = (), root: Path | None = None) -> list[Path]:
    """The files that are meant, sorted and each once; with no selector, all below the root.

    A selector is a path to a file or directory, an id (``idle/fin/race``), a family (``idle``)
    or a glob over ids (``idle/**``, ``*/fin/*``). Raises InputError for those that name nothing.
    """
    home = default_root() if root is None else root
    known = {id_of(path, home): path for path in files_below(home)}
    if not selectors:
        return list(known.values())
    chosen: dict[Path, Path] = {}  # by what it resolves to, so that no file counts twice
    problems: list[Problem] = []
    for selector in selectors:
        paths = _selected(selector, known)
        for path in paths:
            chosen.setdefault(path.resolve(), path)
        if not paths:
            problems.append(_nothing(selector, known))
    if problems:
        raise InputError(*problems)
    return sorted(chosen.values())


def _selected(selector: str, known: dict[str, Path]) -> list[Path]:
    """What an id, a family, a glob or a path names, in this order: an id beats a local file."""
    wanted = selector.rstrip("/")
    if wanted in known:
        return [known[wanted]]
    matching = [path for name, path in known.items() if _matches(name, wanted)]
    return matching or _at_path(Path(selector))


def _at_path(path: Path) -> list[Path]:
    try:
        if path != Path() and path.is_dir():
            return files_below(path)
        return [path] if path.is_file() else []
    except (OSError, ValueError):  # a name that no file can have
        return []


def _matches(name: str, selector: str) -> bool:
    if name.startswith(f"{selector}/"):
        return True
    return re.fullmatch(_glob(selector), name) is not None


def _glob(selector: str) -> str:
    """``**`` crosses slashes, ``*`` and ``?`` don't."""
    rules = {"**": ".*", "*": "[^/]*", "?": "[^/]"}
    parts = re.split(r"(\*\*|\*|\?)", selector)
    return "".join(rules.get(part, re.escape(part)) for part in parts)


def _nothing(selector: str, known: dict[str, Path]) -> Problem:
    if Path(selector).suffix in _SUFFIXES or "*" in selector:
        hint = "see `harness list scenarios` for ids"
    else:
        families = {name.partition("/")[0] for name in known}
        hint = did_you_mean(selector, sorted({*known, *families}))
        if hint.startswith("known are"):
            hint = "see `harness list scenarios` for ids"
    return Problem(f"no scenario is called {selector!r}", hint)
