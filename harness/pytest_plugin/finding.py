"""Which scenarios a mark names: a project's own, the bundled ones, or files and folders."""

from __future__ import annotations

from collections.abc import Iterator, Sequence
from dataclasses import replace
from pathlib import Path

from harness.errors import InputError, Problem
from harness.registry import did_you_mean
from harness.scenario import (
    Scenario,
    bundled_root,
    default_root,
    files_below,
    find,
    id_of,
    read_file,
    variants,
)
from harness.scenario.catalogue import OWN_FOLDER


def scenarios_for(selectors: Sequence[str], root: Path, near: Path) -> list[Scenario]:
    """The scenarios that these selectors name, each once; with none, all there are.

    Ids and patterns are looked up in ``scenarios/`` beside the test, or below the tests' root if
    there is none, then among the bundled ones. Paths are seen from the test's own folder, then
    from the root. Raises InputError with every mistake in selectors and scenarios.
    """
    own = default_root(near if (near / OWN_FOLDER).is_dir() else root)
    problems: list[Problem] = []
    files: dict[Path, Path] = {}  # the root each belongs to
    for selector in selectors or [""]:
        found = _found(str(selector), own, near, root)
        if not found:
            problems.append(_nothing(str(selector), own))
        files |= {path: home for path, home in found.items() if path not in files}
    scenarios = list(_read(files, problems))
    if problems:
        raise InputError(*problems)
    return scenarios


def _read(files: dict[Path, Path], problems: list[Problem]) -> Iterator[Scenario]:
    for path, home in files.items():
        try:
            scenario = read_file(short(path), home)
        except InputError as error:
            problems += error.problems
            continue
        if home.resolve() == default_root().resolve():  # then its id is enough to run it again
            scenario = replace(scenario, file="")
        yield from variants(scenario)


def _found(selector: str, own: Path, near: Path, root: Path) -> dict[Path, Path]:
    if not selector:
        return dict.fromkeys(files_below(own), own)
    for home in dict.fromkeys([own, bundled_root()]):
        known = {id_of(path, home): path for path in files_below(home)}
        if "*" in selector or selector.rstrip("/") in _prefixes(known):
            found = _looked_up(selector, home)
            if found:
                return dict.fromkeys(found, home)
    for place in (near / selector, root / selector):
        if place.exists():
            homes = [home for home in (own, bundled_root()) if place.is_relative_to(home)]
            home = next(iter(homes), place if place.is_dir() else place.parent)
            return dict.fromkeys(_looked_up(str(place), home), home)
    return {}


def _looked_up(selector: str, home: Path) -> list[Path]:
    try:
        return find([selector], home)
    except InputError:
        return []


def _nothing(selector: str, own: Path) -> Problem:
    """No scenario is meant; the nearest family or id may have been."""
    homes = dict.fromkeys([own, bundled_root()])
    known = _prefixes(id_of(path, home) for home in homes for path in files_below(home))
    families = sorted(name for name in known if "/" not in name)
    head = selector.partition("*")[0].rstrip("/")
    hint = did_you_mean(head, sorted(known))
    if hint.startswith("known are"):
        hint = did_you_mean(head.partition("/")[0], families)
    return Problem(f"no scenario is called {selector!r}", hint)


def _prefixes(ids: Iterator[str] | dict[str, Path]) -> set[str]:
    """Every id and every folder of ids."""
    names = set[str]()
    for name in ids:
        parts = name.split("/")
        names |= {"/".join(parts[: depth + 1]) for depth in range(len(parts))}
    return names


def short(path: Path) -> Path:
    """The path as seen from here, if it lies below."""
    here = Path.cwd()
    return path.relative_to(here) if path.is_relative_to(here) else path
