"""How fast virtual time is here: what a campaign can expect of this machine."""

from __future__ import annotations

import time
from collections.abc import Callable, Mapping
from dataclasses import dataclass
from statistics import median
from typing import Any

from harness.runner import run_scenario
from harness.runner.executors import PROCESS, completed, open_executor
from harness.scenario import Scenario, read_text

JOBS = 2
BATCH_RUNS = 10
ENOUGH_BATCHES = 400

_IDLE = """
scenario: idle-for-a-week
about: A pool that is called once an hour for a week.
client: {pool: {size: 4, idle_timeout: 600s, recycle: 1h}}
workload:
  - {phase: week, callers: 1, calls: 168, every: 1h}
faults:
  - {fault: close, when: {idle: 300s}}
expect: {errors: 0, no_leaks: true}
fabric: virtual
"""

_SMALL = """
scenario: small-race
about: Two callers, and a server that closes idle connections just as they are used again.
client: {pool: {size: 2}}
recovery: false
workload:
  - {phase: warm, callers: 2, calls: 2}
  - {phase: quiet, pause: 2s}
  - {phase: again, callers: 2, calls: 2}
faults:
  - {fault: close, when: {idle: 2s}}
expect: {at_most_once: true, no_crosstalk: true, no_leaks: true}
fabric: virtual
"""


@dataclass(frozen=True, slots=True, kw_only=True)
class Target:
    """One figure: its key, what it says, how it is written, and what is aimed at."""

    key: str
    title: str
    unit: str
    at_least: float
    digits: int = 0


TARGETS = (
    Target(
        key="virtual_s_per_s",
        title="simulated time, a week of idling",
        unit="s/s",
        at_least=3_600,
    ),
    Target(key="runs_per_s", title="small runs on one core", unit="seeds/s", at_least=100),
    Target(key="speed_up", title=f"the same on {JOBS} jobs", unit="x", at_least=1.6, digits=2),
)

Pace = Mapping[str, float]
"""A median for each target's key."""


def measure_pace(
    *, rounds: int = 3, seconds: float = 2.0, on_progress: Callable[[str], None] = lambda _: None
) -> Pace:
    """The medians of so many rounds; what is compared takes turns within a round.

    Raises SetupError if processes can't be had.
    """
    idle, small = read_text(_IDLE, file="idle"), read_text(_SMALL, file="small")
    samples: dict[str, list[float]] = {target.key: [] for target in TARGETS}
    run_batch((small, 0))  # imports and keys are made once
    with open_executor(PROCESS, JOBS) as executor:
        list(completed(executor, run_batch, [(small, 0)] * JOBS, JOBS))
        for number in range(1, rounds + 1):
            on_progress(f"round {number} of {rounds}")
            samples["virtual_s_per_s"].append(_virtual_s_per_s(idle))
            alone = _runs_per_s(small, seconds)
            samples["runs_per_s"].append(alone)
            began = time.perf_counter()
            batches = max(JOBS, min(ENOUGH_BATCHES, round(JOBS * alone * seconds / BATCH_RUNS)))
            work = [(small, seed) for seed in range(batches)]
            done = sum(runs for _, runs in completed(executor, run_batch, work, JOBS))
            samples["speed_up"].append(done / (time.perf_counter() - began) / alone)
    return {key: median(values) for key, values in samples.items()}


def run_batch(task: tuple[Scenario, int]) -> int:
    """So many runs of a scenario, with seeds of their own; how many they were."""
    scenario, batch = task
    for seed in range(batch * BATCH_RUNS, (batch + 1) * BATCH_RUNS):
        run_scenario(scenario, seed=seed)
    return BATCH_RUNS


def _virtual_s_per_s(scenario: Scenario) -> float:
    began = time.perf_counter()
    result = run_scenario(scenario)
    return result.history.events[-1].at_s / (time.perf_counter() - began)


def _runs_per_s(scenario: Scenario, seconds: float) -> float:
    began, runs, number = time.perf_counter(), 0, 0
    while time.perf_counter() < began + seconds:
        runs += run_batch((scenario, number))
        number += 1
    return runs / (time.perf_counter() - began)


def pace_lines(pace: Pace) -> list[str]:
    """A line for each figure: what it is, how much, and what is aimed at."""
    rows = [
        (t.title, f"{pace[t.key]:,.{t.digits}f} {t.unit}", f"aim {t.at_least:,g} {t.unit}")
        for t in TARGETS
    ]
    widths = [max(len(row[column]) for row in rows) for column in range(2)]
    return [f"{title:<{widths[0]}}  {value:>{widths[1]}}   {aim}" for title, value, aim in rows]


def pace_to_json(pace: Pace) -> dict[str, Any]:
    """The figures as values that ``json`` can write."""
    return {
        target.key: {"median": pace[target.key], "at_least": target.at_least} for target in TARGETS
    }
