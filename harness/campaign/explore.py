"""Running one scenario with many seeds until one fails.

Each seed decides everything that is left to chance, and how the run's times are perturbed. Seeds
go to workers in batches, and batches are taken back in their order: so the first failure is the
lowest seed that fails, however many workers there are and whichever was fastest.
"""

from __future__ import annotations

from collections.abc import Callable, Generator, Iterator
from concurrent.futures import Executor
from dataclasses import dataclass, replace
from functools import partial
from typing import NamedTuple

from harness.campaign.fair import CONTROL, fair, without_shared
from harness.campaign.perturbation import perturbation
from harness.checks import Verdict
from harness.result import RunResult
from harness.runner import run_scenario
from harness.runner.executors import Here, completed
from harness.scenario import Perturb, Scenario

BATCH_LIMIT = 32
"""Seeds a worker gets at once; the first batches are smaller, so that news come soon."""
AHEAD = 2
"""Batches that each worker has: one in work, and one waiting so that it never does."""
FAILURES_LIMIT = 1_000
"""So many failures are remembered; all are counted."""


class Batch(NamedTuple):
    """Some seeds for a worker, and the place of the batch among all."""

    number: int
    seeds: range


@dataclass(frozen=True, slots=True)
class Outcome:
    """What a seed came to: the verdict, and the names of the checks that failed."""

    seed: int
    verdict: Verdict
    checks: tuple[str, ...] = ()
    setup_error: str = ""


@dataclass(frozen=True, slots=True)
class Exploration:
    """How far a campaign has come, or what it came to.

    ``failures`` are in the order of the seeds, at most ``FAILURES_LIMIT``; ``failed`` counts all.
    """

    scenario: Scenario
    client: str
    seeds: range
    fabric: str = "virtual"
    done: int = 0
    failed: int = 0
    unknown: int = 0
    failures: tuple[Outcome, ...] = ()
    setup_error: str = ""

    @property
    def first(self) -> Outcome | None:
        """The lowest seed that failed, or None."""
        return self.failures[0] if self.failures else None

    def with_outcomes(self, outcomes: list[Outcome]) -> Exploration:
        """The same with these added."""
        failures = [outcome for outcome in outcomes if outcome.verdict is Verdict.FAIL]
        room = FAILURES_LIMIT - len(self.failures)
        errors = (outcome.setup_error for outcome in outcomes if outcome.setup_error)
        return replace(
            self,
            done=self.done + len(outcomes),
            failed=self.failed + len(failures),
            unknown=self.unknown + sum(o.verdict is Verdict.UNKNOWN for o in outcomes),
            failures=(*self.failures, *failures[:room]),
            setup_error=self.setup_error or next(errors, ""),
        )


def explore(
    scenario: Scenario,
    client: str = "reference",
    *,
    seeds: range,
    fabric: str = "virtual",
    executor: Executor | None = None,
    jobs: int = 1,
    keep_going: bool = False,
    on_progress: Callable[[Exploration], None] = lambda _: None,
) -> Exploration:
    """Run the scenario with each seed, up to the first that fails; with ``keep_going`` with all.

    ``executor`` makes ``jobs`` runs at once; without one they are made here, one after the other.
    ``on_progress`` is told after each batch. Raises InputError if there is no such client or the
    fabric lacks what the scenario needs, SetupError if a worker dies.
    """
    found = Exploration(scenario, client, seeds, fabric)
    work = partial(run_batch, scenario, client, fabric, keep_going)
    ended = _in_order(executor or Here(), work, _batches(seeds), jobs)
    for outcomes in ended:
        found = found.with_outcomes(outcomes)
        on_progress(found)
        if found.failures and not keep_going:
            break
    ended.close()  # what waits is not begun any more
    return found


def _batches(seeds: range) -> Iterator[Batch]:
    """The seeds in order, in batches that double up to the limit."""
    size, start, number = 1, 0, 0
    while start < len(seeds):
        yield Batch(number, seeds[start : start + size])
        start, size, number = start + size, min(2 * size, BATCH_LIMIT), number + 1


def _in_order(
    executor: Executor, work: Callable[[Batch], list[Outcome]], batches: Iterator[Batch], jobs: int
) -> Generator[list[Outcome], None, None]:
    """The outcomes of each batch, in the order of the batches; early ones wait for their turn."""
    early: dict[int, list[Outcome]] = {}
    turn = 0
    ended = completed(executor, work, batches, jobs)
    try:
        for batch, outcomes in ended:
            early[batch.number] = outcomes
            while turn in early:
                yield early.pop(turn)
                turn += 1
    except GeneratorExit:
        ended.close()
        raise


def run_batch(
    scenario: Scenario, client: str, fabric: str, keep_going: bool, batch: Batch
) -> list[Outcome]:
    """The outcome of each seed, up to the first that fails unless told to keep going.

    A worker's whole task: what comes back is small, because a result and its history are not.
    """
    outcomes: list[Outcome] = []
    for seed in batch.seeds:
        result = run_seed(scenario, client, seed, fabric)
        outcomes.append(outcome_of(result))
        if result.verdict is Verdict.FAIL and not keep_going:
            break
    return outcomes


def run_seed(scenario: Scenario, client: str, seed: int, fabric: str = "virtual") -> RunResult:
    """The whole run of one seed, with the perturbation that it stands for.

    Unless the scenario says how it is perturbed, only what is fair is judged (see ``fair``), and
    what the reference client fails in the same run is unknown.
    """
    tried = perturbed(fair(scenario, client), seed)
    result = run_scenario(tried, client, fabric=fabric, seed=seed)
    if result.verdict is not Verdict.FAIL or client == CONTROL or scenario.perturb != Perturb():
        return result
    return without_shared(result, run_scenario(tried, CONTROL, fabric=fabric, seed=seed))


def perturbed(scenario: Scenario, seed: int) -> Scenario:
    """The scenario with this seed and its perturbation."""
    return replace(scenario, seed=seed, perturb=perturbation(scenario, seed))


def outcome_of(result: RunResult) -> Outcome:
    """What is kept of a run."""
    failed = (f.check for f in result.failures if f.verdict is Verdict.FAIL)
    return Outcome(result.seed, result.verdict, tuple(failed), result.setup_error)
