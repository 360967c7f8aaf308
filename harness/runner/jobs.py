"""Many runs: one after the other in this process, or side by side wherever an executor has room.

A run in a process of its own shares no event loop with others, so what they do can't disturb its
verdict beyond the time they take.
"""

from __future__ import annotations

from collections.abc import Callable, Generator, Sequence
from contextlib import closing
from dataclasses import dataclass
from functools import partial
from pathlib import Path
from typing import TypeAlias, TypeVar

from harness.choice import ClientChoice, as_choice
from harness.clients import card_for
from harness.result import Progress, RunResult
from harness.runner import kept
from harness.runner.executors import PROCESS, completed, open_executor, tell_progress
from harness.runner.run import must_be_confined, run_scenario
from harness.scenario import Scenario

T = TypeVar("T")
R = TypeVar("R")

Task: TypeAlias = tuple[Scenario, int]
"""A scenario and the ordinal of its repetition."""


@dataclass(frozen=True, slots=True, kw_only=True)
class RunOptions:
    """How scenarios are run: by which client, on what, with which seed, how often, where.

    With no ``fabric`` each scenario runs where it belongs. Repetitions have the same seed: where
    they differ, it is not by the harness's decisions.
    """

    client: str | ClientChoice = "reference"
    fabric: str | None = None
    seed: int | None = None
    repeat: int = 1
    jobs: int = 1
    keep: Path | None = None
    capture: Path | None = None
    executor: str = PROCESS


def run_all(
    scenarios: Sequence[Scenario],
    options: RunOptions,
    on_progress: Callable[[Progress], None] = lambda _: None,
    on_result: Callable[[RunResult], None] = lambda _: None,
) -> list[RunResult]:
    """Every scenario, ``repeat`` times each, in the order of the scenarios.

    ``on_result`` is called as each run ends; with ``jobs`` that is not in order. Raises
    InputError if there is no such client, Interrupted on SIGINT or SIGTERM, after cleaning up.
    """
    card_for(as_choice(options.client))  # its mistakes are told before anything runs
    tasks = [(s, n) for n in range(1, options.repeat + 1) for s in scenarios]
    results = []
    told = spread(
        options.executor,
        options.jobs,
        partial(run_task, options),
        tasks,
        lambda task: must_be_confined(options.fabric or task[0].home),
        on_progress,
    )
    with closing(told):  # also if what is done with a result raises
        for _, result in told:
            if options.keep is not None:
                kept.keep(result, options.keep)
            on_result(result)
            results.append(result)
    places = {scenario.id: place for place, scenario in enumerate(scenarios)}
    return sorted(results, key=lambda result: (places[result.scenario.id], result.round))


def run_task(options: RunOptions, task: Task) -> RunResult:
    """One run; executors carry it out, wherever they are."""
    scenario, ordinal = task
    return run_scenario(
        scenario,
        options.client,
        fabric=options.fabric,
        seed=options.seed,
        ordinal=ordinal,
        capture=options.capture,
        on_progress=tell_progress,
    )


def spread(
    spec: str,
    jobs: int,
    work: Callable[[T], R],
    items: Sequence[T],
    must_be_confined: Callable[[T], bool],
    on_progress: Callable[[Progress], None] = lambda _: None,
) -> Generator[tuple[T, R], None, None]:
    """Each item with what ``work`` makes of it, as it ends, by the executor that ``spec`` names.

    Items that must be confined come last, by an executor of their own: who has entered a user
    namespace has left the machine's network, in which others may want to be. Raises what
    ``open_executor`` and ``completed`` raise.
    """
    groups: dict[bool, list[T]] = {False: [], True: []}
    for item in items:
        groups[must_be_confined(item)].append(item)
    for confined, group in groups.items():
        if group:
            at_once = min(jobs, len(group))
            with open_executor(spec, at_once, on_progress, confined=confined) as executor:
                yield from completed(executor, work, group, at_once)
