"""Striking at every possible point, one run each, and what came of it."""

from __future__ import annotations

from collections.abc import Callable, Iterator, Sequence
from concurrent.futures import Executor
from contextlib import closing
from dataclasses import dataclass, replace
from functools import partial

from harness.campaign.instants import fairly_judged
from harness.campaign.points import Point, Series, What, tortured_by
from harness.campaign.rehearsal import rehearsals
from harness.campaign.victims import cancel_series
from harness.checks import Verdict, worst
from harness.errors import InputError, Problem, SetupError
from harness.history import FaultFired
from harness.result import RunResult
from harness.runner import completed, run_scenario
from harness.scenario import Scenario

CALLS_LIMIT = 100
"""No more victims than this with ``calls``."""


@dataclass(frozen=True, slots=True)
class Torment:
    """What a run at one point came to; the whole run unless it passed.

    ``fired`` tells whether the fault struck: past the end of a call there is no such step.
    """

    series: str
    number: int
    label: str
    verdict: Verdict
    fired: bool
    checks: tuple[str, ...] = ()
    result: RunResult | None = None

    @property
    def name(self) -> str:
        """``waiting:21``."""
        return f"{self.series}:{self.number}"


@dataclass(frozen=True, slots=True)
class Ordeal:
    """A series and what its points came to, in order."""

    series: Series
    points: tuple[Torment, ...]

    @property
    def verdict(self) -> Verdict:
        """The worst of its points; without any it is unknown."""
        if not self.points:
            return Verdict.UNKNOWN
        return worst(point.verdict for point in self.points)

    @property
    def bad(self) -> tuple[Torment, ...]:
        """The points that didn't pass, failed ones first."""
        rest = [point for point in self.points if point.verdict is not Verdict.PASS]
        return tuple(sorted(rest, key=lambda point: point.verdict is not Verdict.FAIL))


def find_series(
    scenario: Scenario,
    client: str,
    *,
    fabric: str = "virtual",
    seed: int | None = None,
    what: Sequence[What] = (),
    calls: int | None = None,
) -> list[Series]:
    """The series of points of a scenario, found by dry runs in this process where they are needed.

    Raises InputError if what was asked for can't be placed in this scenario, SetupError if a dry
    run couldn't be set up.
    """
    seed = scenario.seed if seed is None else seed
    found: list[Series] = []
    for kind in what or tortured_by(scenario):
        if kind == "cancel":
            found += cancel_series(scenario, seed, calls)
            continue
        for rehearsal in rehearsals(scenario, seed):
            dry = run_scenario(rehearsal.dry, client, fabric=fabric)
            if dry.setup_error:
                raise SetupError(dry.setup_error)
            found += [*rehearsal.series(), *rehearsal.instants(dry.history)]
    if not found:
        hint = "close, reset, half_close, truncate and stall can; or torture with --what cancel"
        told = "no fault of this scenario can be placed at a byte, or nothing was ever said"
        raise InputError(Problem(told, hint, file=scenario.file or scenario.id))
    return found


def undergo(
    series: Series,
    client: str,
    *,
    fabric: str = "virtual",
    executor: Executor,
    jobs: int = 1,
    on_point: Callable[[Torment], None] = lambda _: None,
) -> Ordeal:
    """Strike at every point of a series.

    Steps end with the first at which nothing could be cancelled any more. ``on_point`` is told of
    each point as its run ends, which is in no order; it may hear of one past the end.
    """
    told: dict[int, Torment] = {}
    past_end: set[int] = set()

    def points() -> Iterator[Point]:
        for number in series.numbers():
            if past_end and number >= min(past_end):
                return
            yield series.point(number)

    work = partial(run_point, client, fabric)
    with closing(completed(executor, work, points(), jobs)) as runs:
        for _, torment in runs:
            if series.places is None and not torment.fired:
                past_end.add(torment.number)
            told[torment.number] = torment
            if torment.fired or not series.may_miss:
                on_point(torment)
    end = min(past_end, default=None)
    kept = [
        torment
        for number, torment in sorted(told.items())
        if (end is None or number < end) and (torment.fired or not series.may_miss)
    ]
    return Ordeal(series, tuple(kept))


def run_point(client: str, fabric: str, point: Point) -> Torment:
    """The run at one point: a worker's whole task; a run that passed is not carried back."""
    result = run_scenario(point.scenario, client, fabric=fabric)
    if result.setup_error:
        raise SetupError(result.setup_error)
    index = len(point.scenario.faults) - 1
    result = fairly_judged(result, index, point.forgives)
    fired = any(event.index == index for _, event in result.history.of(FaultFired))
    checks = tuple(f.check for f in result.failures if f.verdict is result.verdict)
    told = None if result.verdict is Verdict.PASS or not fired else result
    verdict = result.verdict if fired else worst((result.verdict, Verdict.UNKNOWN))
    return Torment(point.series, point.number, point.label, verdict, fired, checks, told)


def with_repeat(torment: Torment, command: str) -> Torment:
    """The same, its run repeated by ``command`` and its point."""
    if torment.result is None:
        return torment
    repeat = f"{command} --point {torment.name}"
    return replace(torment, result=replace(torment.result, repeat=repeat))
