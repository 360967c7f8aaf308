"""Which times a seed of a campaign tries: drawn from the scenario's own.

What is worth hitting is where the scenario itself has a time: a connection is closed after 2 s
idle, so callers should come back after exactly that, just before and just after. In half of the
seeds all waits are multiples of a coarse grid that divides one of these times, so that callers
and timers meet at the same instant: continuous times all but never do, and virtual time then
hides the races between checkpoints. The other half tries what lies between.
"""

from __future__ import annotations

import math
from collections.abc import Iterator
from dataclasses import fields
from typing import Any

from harness.faults import FaultSpec
from harness.scenario import Perturb, PhaseWords, Scenario
from harness.timeline import Draws
from harness.units import Spread, parse_duration_s

IDLE_SHARE = 0.75
"""So many seeds aim at times after which an unused connection changes, if there are any."""
REACH = 2
"""Callers wait up to so many times the time that a seed aims at."""
DIVISORS = (1, 2, 4, 5, 10, 20)
"""The grid is the time aimed at divided by one of these."""
DELAYS_S = (0.0, 0.0005, 0.001, 0.002, 0.004)
"""How late packets are at most; the seed chooses."""
RUN_S = 20 * 86_400.0
"""Pauses and waits of a run together take no longer than this; a run may take 30 days."""
USUAL_S = 0.01
"""What is aimed at in a scenario that has no time of its own."""


def perturbation(scenario: Scenario, seed: int) -> Perturb:
    """The perturbation that this seed tries; a scenario's own is kept."""
    if scenario.perturb != Perturb():
        return scenario.perturb
    random = Draws(seed, "perturbation").random()
    idle, busy = idle_times_s(scenario), busy_times_s(scenario) or [USUAL_S]
    aim_s = random.choice(idle if idle and random.random() < IDLE_SHARE else busy)
    divisor, delay_s = random.choice(DIVISORS), random.choice(DELAYS_S)
    on_grid, on_time = seed % 2 == 0, random.random() < 0.5
    reach_s = _exact(min(REACH * aim_s, _patience_s(scenario)))
    grid_s = _exact(aim_s / divisor)
    return Perturb(
        think_s=reach_s,
        grid_s=grid_s if on_grid and 0 < grid_s <= reach_s else None,
        delay_s=0.0 if on_grid and on_time else delay_s,
    )


def _patience_s(scenario: Scenario) -> float:
    """How long each call may wait at most, so that a run doesn't take years."""
    chain = sum(math.ceil((phase.calls or 0) / phase.callers) for phase in scenario.workload)
    pauses_s = sum(phase.pause_s or 0.0 for phase in scenario.workload)
    return max(0.0, RUN_S - pauses_s) / max(chain, 1)


def idle_times_s(scenario: Scenario) -> list[float]:
    """The times after which an unused connection changes, in seconds, sorted."""
    pool = scenario.client.pool
    named = [pool.idle_timeout_s, pool.recycle_s, scenario.origin.keep_alive_s]
    for spec in scenario.faults:
        named += (spec.when.idle_s, spec.when.age_s)
    return _sorted(named)


def busy_times_s(scenario: Scenario) -> list[float]:
    """Every other time that the scenario names, in seconds, sorted: calls meet calls there."""
    named: list[float | None] = []
    for phase in scenario.workload:
        named += _of_phase(phase)
    for spec in scenario.faults:
        named += _of_fault(spec)
    return _sorted(named)


def _sorted(named: list[float | None]) -> list[float]:
    return sorted({_exact(time_s) for time_s in named if time_s and _exact(time_s)})


def _of_phase(phase: PhaseWords) -> Iterator[float | None]:
    yield from (phase.pause_s, phase.every_s, phase.slow_s)
    if phase.rate_per_s is not None:
        yield 1 / phase.rate_per_s
    if phase.cancel is not None:
        yield phase.cancel.after_s


def _of_fault(spec: FaultSpec) -> Iterator[float | None]:
    when = spec.when
    yield from (when.at_s, when.for_s)
    for field in fields(spec.fault):  # type: ignore[arg-type]  # every fault is a dataclass
        value: Any = getattr(spec.fault, field.name)
        if isinstance(value, Spread):
            yield value.mean_s
        elif field.name.endswith("_s") and not field.name.endswith("_per_s"):
            yield value if isinstance(value, float) else None


def _exact(time_s: float) -> float:
    """The time to the microsecond, as it is read back from what ``words`` writes."""
    return parse_duration_s(f"{round(time_s * 1e6)}us")


def words(perturb: Perturb) -> dict[str, str]:
    """The perturbation as a scenario says it; only what is not zero."""
    named = {"think": perturb.think_s, "grid": perturb.grid_s, "delay": perturb.delay_s}
    return {name: duration_words(time_s) for name, time_s in named.items() if time_s}


_UNITS_US = (("h", 3_600_000_000), ("min", 60_000_000), ("s", 1_000_000), ("ms", 1000), ("us", 1))


def duration_words(time_s: float) -> str:
    """``2s``, ``1500ms``: a duration to the microsecond, in the largest unit without a point."""
    microseconds = round(time_s * 1e6)
    unit, size = next(pair for pair in _UNITS_US if microseconds % pair[1] == 0)
    return f"{microseconds // size}{unit}"
