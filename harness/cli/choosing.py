"""The scenarios a command line means, read; or every mistake in all of them at once."""

from __future__ import annotations

from collections.abc import Callable, Iterable, Sequence
from dataclasses import replace
from pathlib import Path
from typing import TypeVar

from harness.errors import InputError, Problem, SetupError
from harness.origin import find_programs
from harness.scenario import (
    KERNEL_FABRIC,
    Scenario,
    at_value,
    default_root,
    find,
    read_file,
    variants,
)

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


LONG_S = 20.0
"""Whoever asks for all there are doesn't wait longer than this for one of them."""


def that_can_run(
    scenarios: Sequence[Scenario], fabric: str | None = None
) -> tuple[list[Scenario], str]:
    """The scenarios that can run here, and lines that say which are left out, and why.

    For who asks for all there are; a scenario that is named, or if there is no other, is refused
    or fails to be set up instead.
    """
    whys: dict[str, list[Scenario]] = {}
    for scenario in scenarios:
        whys.setdefault(_lacking(scenario, fabric), []).append(scenario)
    fit = whys.pop("", [])
    if not fit:
        return list(scenarios), ""
    lines = [f"left out: {_counted(len(lacking))}; {why}\n" for why, lacking in whys.items()]
    return fit, "".join(lines)


def _lacking(scenario: Scenario, fabric: str | None) -> str:
    """Why a scenario can't run; empty if it can."""
    home = fabric or scenario.home
    for need in scenario.needs:
        if home not in need.fabrics:
            return f"what they need runs on {' and '.join(need.fabrics)} alone, not on {home}"
    if home != "virtual" and scenario.least_s > LONG_S:
        return f"they last for more than {LONG_S:g} s, which on {home} takes as long; name them"
    return (_no_namespaces() if home == KERNEL_FABRIC else "") or _no_server(scenario)


def check_networks(scenarios: Sequence[Scenario], fabric: str | None) -> None:
    """Raise SetupError, once for all, if every scenario needs networks and none can be made."""
    if scenarios and all((fabric or s.home) == KERNEL_FABRIC for s in scenarios):
        why = _no_namespaces()
        if why:
            raise SetupError(f"--on {KERNEL_FABRIC}: {why}; `harness doctor` says more")


def _no_namespaces() -> str:
    from harness.fabric.netns.access import probe  # noqa: PLC0415 - only who needs it pays for it

    access = probe()
    return "" if access.way else f"{access.reason}; {access.advice}"


def _no_server(scenario: Scenario) -> str:
    origin = scenario.origin
    if origin.is_built_in or origin.own is not None:
        return ""
    try:
        find_programs(origin.protocol, tls=origin.tls)
    except SetupError as error:
        return str(error)
    return ""


def _counted(number: int) -> str:
    return "1 scenario" if number == 1 else f"{number} scenarios"


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
