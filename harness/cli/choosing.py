"""The scenarios a command line means, read; or every mistake in all of them at once."""

from __future__ import annotations

from collections.abc import Callable, Iterable, Sequence
from dataclasses import replace
from pathlib import Path
from typing import TypeVar

from harness.errors import InputError, Problem
from harness.scenario import Scenario, at_value, default_root, find, read_file, variants

T = TypeVar("T")
R = TypeVar("R")


def each(things: Iterable[T], make: Callable[[T], R], problems: list[Problem]) -> list[R]:
    """What ``make`` makes of each thing; the problems of those it refuses are collected."""
    made: list[R] = []
    for thing in things:
        try:
            made.append(make(thing))
        except InputError as error:
            problems += error.problems
    return made


def chosen_files(selectors: Sequence[str], problems: list[Problem]) -> list[Path]:
    """The files that these selectors name, each once; with none, all there are."""
    wanted: list[list[str]] = [[selector] for selector in selectors] or [[]]
    named = each(wanted, find, problems)
    files = {path.resolve(): path for paths in named for path in paths}
    if not files and not problems:
        hint = "write one, or name a folder that has some"
        problems.append(Problem("there is no scenario", hint, file=str(default_root())))
    return list(files.values())


def chosen_scenarios(selectors: Sequence[str], problems: list[Problem]) -> list[Scenario]:
    """The scenarios that are right; what is wrong with the others is collected."""
    root = default_root()
    return each(chosen_files(selectors, problems), lambda path: _read(path, root), problems)


def expanded(
    scenarios: Sequence[Scenario], value: str | None, problems: list[Problem]
) -> list[Scenario]:
    """A scenario for each value that is swept; with a value, the one that has it."""
    if value is None:
        return [variant for scenario in scenarios for variant in variants(scenario)]
    return each(scenarios, lambda scenario: at_value(scenario, value), problems)


def _read(path: Path, root: Path) -> Scenario:
    """A scenario of the root is named by its id, any other by its file."""
    shown = short(path)
    if not path.resolve().is_relative_to(root.resolve()):
        return read_file(shown)
    return replace(read_file(shown, root), file="")


def short(path: Path) -> Path:
    """The path as seen from here, if it lies below."""
    here = Path.cwd()
    return path.relative_to(here) if path.is_relative_to(here) else path


def settle(problems: Sequence[Problem]) -> None:
    """Raise all problems as one error, if there are any."""
    if problems:
        raise InputError(*problems)
