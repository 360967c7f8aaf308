"""``harness torture``."""

from __future__ import annotations

import time
from collections import Counter
from collections.abc import Iterator, Sequence
from dataclasses import dataclass
from pathlib import Path
from typing import Any

import click
from rich.console import Group, RenderableType
from rich.live import Live
from rich.padding import Padding
from rich.text import Text

from harness.campaign.points import STEPS_LIMIT, Series, series_named
from harness.campaign.torture import (
    CALLS_LIMIT,
    Ordeal,
    Torment,
    find_series,
    undergo,
    with_repeat,
)
from harness.checks import Verdict, worst
from harness.cli.choosing import chosen_scenarios, each, settle
from harness.cli.exits import leave
from harness.cli.options import (
    check_client,
    client_option,
    cores,
    executor_option,
    jobs_option,
    json_option,
    no_process_options,
    seed_option,
)
from harness.cli.output import STDOUT, json_problems, write_json
from harness.cli.screen import Screen, screen
from harness.cli.teaching import Taught
from harness.errors import InputError, Problem
from harness.report import Mark, Outcome, boundary, failure, lasting, many, ranges, strip
from harness.report.drawing import STYLES, printable
from harness.runner import check_executor, kept, open_executor
from harness.scenario import FABRICS, Scenario

VERSION = 1
REDRAW_EVERY_S = 0.1
SHOWN = 3
"""So many different failures are shown in full; the strips show where the others are."""
_CODES = {Verdict.PASS: 0, Verdict.FAIL: 1, Verdict.UNKNOWN: 2}


@click.command("torture", cls=Taught)
@click.argument("selector", metavar="PATH|ID")
@client_option
@no_process_options
@click.option(
    "--what",
    type=click.Choice(["cancel", "fault"]),
    multiple=True,
    help="What strikes at every point.  [default: what the scenario has]",
)
@click.option(
    "--calls",
    type=click.IntRange(1, CALLS_LIMIT),
    metavar="N",
    help="Cancel each of the first N calls of the last phase, as the scenario has it.",
)
@click.option(
    "--point",
    metavar="SERIES:K",
    help="Run this point alone, and say all about it; K alone is one of the first series.",
)
@seed_option
@click.option(
    "--on",
    "fabric",
    type=click.Choice(FABRICS),
    default="virtual",
    show_default=True,
    help="What runs are made on; only virtual time puts every point where it was before.",
)
@jobs_option
@executor_option
@click.option(
    "--keep",
    type=click.Path(path_type=Path, file_okay=False),
    metavar="DIR",
    help="Keep each run that didn't pass there, as a scenario of its own with its history.",
)
@json_option
def torture_command(
    selector: str, jobs: int | None, json_file: str | None, keep: Path | None, **options: Any
) -> None:
    """The fault, or a caller's cancellation, at every possible point: one run each.

    A fault that ends or halts a connection (close, reset, half_close, truncate, stall) is put
    before every byte of one request and its response: the second exchange of a connection, so
    that it is a used one. In a long message it is every byte of its head and at its borders, and
    a stride between. Under TLS it is put at, and within, each record of the handshake and of the
    first exchange, too. And it strikes all connections at each instant at which something happens
    in the run, and between any two of them; a scenario that allows no errors allows none there,
    unless a call was under way.

    A caller is cancelled at each step of its call, that is each time its task gives way to
    others, until the call ends before. There are three victims in the last phase that calls: a
    caller who is alone with the pool (alone), the first of more callers than it has room for
    (first), and the first of those who have to wait (waiting). With --calls they are the first N
    calls of that phase, as it stands.

    By default the scenario's own faults strike, and its callers are cancelled if it cancels any,
    or if it has no fault that can be placed. At each point the run is judged by what holds
    anywhere: no crosstalk, no leaks, no slot lost, no unsafe call made twice, no truncated reply
    taken for whole, every call ends, and the pool recovers.

    Examples:
      harness torture response/reset/head
      harness torture idle/fin/race --what cancel --client my.py:MyClient
      harness torture idle/fin/race --what cancel --point waiting:21
      harness torture pool/size/spike --jobs 2 --keep runs

    Exit codes:
      0  it passed at every point
      1  it failed at some
      2  it failed at none, but some are unknown: a fault never fired, say
      3  a mistake in the scenario, an option or the client's file
      4  set-up failed
    """
    problems = json_problems(json_file)
    each([options["client"]], lambda name: check_client(name, options["fabric"]), problems)
    each([options["executor"]], check_executor, problems)
    scenario = _one(chosen_scenarios([selector], problems), selector, problems)
    settle(problems)
    assert scenario is not None
    job = Job(scenario, jobs=jobs or cores(), keep=keep, **options)
    shown = screen(err=json_file == STDOUT)
    telling = Telling(shown, job)
    ordeals = telling.run()
    write_json(to_json(job, ordeals, telling.took_s), json_file)
    leave(_CODES[worst(ordeal.verdict for ordeal in ordeals)])


def _one(found: Sequence[Scenario], selector: str, problems: list[Problem]) -> Scenario | None:
    if len(found) > 1:
        hint = "name one of them: " + ", ".join(scenario.id for scenario in found[:5])
        problems.append(Problem(f"{selector!r} is {len(found)} scenarios", hint))
    return found[0] if found else None


@dataclass(frozen=True, slots=True, kw_only=True)
class _Options:
    client: str
    what: tuple[Any, ...]
    calls: int | None
    point: str | None
    seed: int | None
    fabric: str
    executor: str
    jobs: int
    keep: Path | None


class Job:
    """What is to be done, and the command that says so."""

    def __init__(self, scenario: Scenario, **options: Any) -> None:
        self.scenario = scenario
        self.options = _Options(**options)
        self.seed = scenario.seed if self.options.seed is None else self.options.seed

    @property
    def command(self) -> str:
        """What repeats it, without the point."""
        options = self.options
        parts = ["harness torture", self.scenario.file or self.scenario.base_id]
        parts += [f"--client {options.client}"] if options.client != "reference" else []
        parts += [f"--what {what}" for what in options.what]
        parts += [f"--calls {options.calls}"] if options.calls else []
        parts += [f"--on {options.fabric}"] if options.fabric != "virtual" else []
        return " ".join([*parts, f"--seed {self.seed}"])

    def series(self) -> list[Series]:
        """The series there are."""
        options = self.options
        return find_series(
            self.scenario,
            options.client,
            fabric=options.fabric,
            seed=self.seed,
            what=options.what,
            calls=options.calls,
        )


class Telling:
    """Carries a job out, and says meanwhile and at the end what came of it."""

    def __init__(self, shown: Screen, job: Job) -> None:
        self._shown = shown
        self._job = job
        self._began = time.perf_counter()
        self._drawn_at = 0.0
        self._live: Live | None = None
        self._marks: dict[int, Torment] = {}

    @property
    def took_s(self) -> float:
        """Since this was made."""
        return time.perf_counter() - self._began

    def run(self) -> list[Ordeal]:
        """What came of each series."""
        job, options = self._job, self._job.options
        told = f"client {options.client}, seed {job.seed}, on {options.fabric}"
        headline = Text(f"torture {printable(job.scenario.base_id)}", style="bold")
        headline.append(f"  ({printable(told)})", style="dim")
        self._shown.print(headline)
        ordeals = []
        with open_executor(options.executor, options.jobs) as executor:
            for series in self._chosen(job.series()):
                ordeal = self._undergo(series, executor)
                self._shown.print(Text(), *self._strip(ordeal))
                ordeals.append(ordeal)
        self._shown.print(*self._ending(ordeals))
        return ordeals

    def _chosen(self, found: list[Series]) -> Iterator[Series]:
        point = self._job.options.point
        if point is None:
            yield from found
            return
        name, _, number = point.rpartition(":")
        if not number.isdecimal():
            raise InputError(Problem(f"--point: {point!r} is no point", "write SERIES:K"))
        yield series_named(found, name).only(int(number))

    def _undergo(self, series: Series, executor: Any) -> Ordeal:
        options = self._job.options
        self._marks = {}
        if self._shown.live:
            console = self._shown.console()
            self._live = Live(console=console, auto_refresh=False, transient=True)
            self._live.start()
        try:
            ordeal = undergo(
                series,
                options.client,
                fabric=options.fabric,
                executor=executor,
                jobs=options.jobs,
                on_point=lambda torment: self._on_point(series, torment),
            )
        finally:
            if self._live is not None:
                self._live.stop()
        points = [with_repeat(torment, self._job.command) for torment in ordeal.points]
        for torment in points:
            if options.keep is not None and torment.result is not None:
                kept.keep(torment.result, options.keep, torment.name)
        return Ordeal(series, tuple(points))

    def _on_point(self, series: Series, torment: Torment) -> None:
        self._marks[torment.number] = torment
        now = time.monotonic()
        if self._live is not None and now - self._drawn_at >= REDRAW_EVERY_S:
            self._drawn_at = now
            seen = tuple(self._marks[n] for n in sorted(self._marks) if self._marks[n].fired)
            self._live.update(Group(*self._strip(Ordeal(series, seen))), refresh=True)

    # --- drawing ----------------------------------------------------------------------------

    def _strip(self, ordeal: Ordeal) -> Iterator[RenderableType]:
        look, series, marks = self._shown.look, ordeal.series, marks_of(ordeal)
        title = Text(f"  {series.name}", style="bold")
        title.append(f"  {many(len(marks), 'point')}: {printable(series.about)}", style="dim")
        yield title
        yield from strip(marks, look)
        for line in boundary(marks, series.noun, "point"):
            yield Padding(line, (0, 0, 0, 4), expand=False)

    def _ending(self, ordeals: Sequence[Ordeal]) -> Iterator[RenderableType]:
        for torment in worst_of(ordeals):
            assert torment.result is not None
            yield Text()
            yield from failure(Outcome((torment.result,)), self._shown.look, strict=True)
        yield Text()
        yield self._summary(ordeals)

    def _summary(self, ordeals: Sequence[Ordeal]) -> Text:
        points = [torment for ordeal in ordeals for torment in ordeal.points]
        counted = Counter(torment.verdict for torment in points)
        text = Text(f"{many(len(points), 'point')}: ")
        words = {Verdict.PASS: "passed", Verdict.FAIL: "failed", Verdict.UNKNOWN: "unknown"}
        told = [
            Text(f"{counted[verdict]} {word}", style=STYLES[verdict])
            for verdict, word in words.items()
            if counted[verdict]
        ]
        text.append_text(Text(", ").join(told) if told else Text("nothing could be struck"))
        text.append(f" in {lasting(self.took_s)}", style="none")
        if any(len(ordeal.points) >= STEPS_LIMIT for ordeal in ordeals):
            text.append(f"; only the first {STEPS_LIMIT} steps of a call were tried", style="none")
        return text


def marks_of(ordeal: Ordeal) -> list[Mark]:
    """The points for a strip."""
    return [Mark(str(torment.number), torment.verdict) for torment in ordeal.points]


def worst_of(ordeals: Sequence[Ordeal]) -> list[Torment]:
    """One point for each way to fail (or to be unknown if none failed), at most ``SHOWN``."""
    bad = [torment for ordeal in ordeals for torment in ordeal.bad if torment.result is not None]
    bad.sort(key=lambda torment: torment.verdict is not Verdict.FAIL)
    ways: dict[tuple[str, ...], Torment] = {}
    for torment in bad:
        if torment.verdict is bad[0].verdict:
            ways.setdefault(torment.checks, torment)
    return list(ways.values())[:SHOWN]


def to_json(job: Job, ordeals: Sequence[Ordeal], took_s: float) -> dict[str, Any]:
    """Everything that is known, for programs.

    ::

        version, scenario, client, seed, fabric
        series     a list, each with name, about, verdict, points (how many), marks (one character
                   a point: . passed, x failed, ? unknown), fails and unknown (ranges)
        failures   a list of the points that didn't pass, each with point, where, verdict, checks
                   and the command that repeats it
        totals     points, failed, unknown, verdict, took_s
    """
    points = [torment for ordeal in ordeals for torment in ordeal.points]
    verdict = worst(ordeal.verdict for ordeal in ordeals)
    return {
        "version": VERSION,
        "scenario": job.scenario.base_id,
        "client": job.options.client,
        "seed": job.seed,
        "fabric": job.options.fabric,
        "series": [_series_json(ordeal) for ordeal in ordeals],
        "failures": [_failure_json(torment, job) for torment in points if _is_bad(torment)],
        "totals": {
            "points": len(points),
            "failed": sum(torment.verdict is Verdict.FAIL for torment in points),
            "unknown": sum(torment.verdict is Verdict.UNKNOWN for torment in points),
            "verdict": verdict.value,
            "took_s": took_s,
            "exit_code": _CODES[verdict],
        },
    }


_SIGNS = {Verdict.PASS: ".", Verdict.FAIL: "x", Verdict.UNKNOWN: "?"}


def _is_bad(torment: Torment) -> bool:
    return torment.verdict is not Verdict.PASS


def _series_json(ordeal: Ordeal) -> dict[str, Any]:
    marks = marks_of(ordeal)
    return {
        "name": ordeal.series.name,
        "about": ordeal.series.about,
        "verdict": ordeal.verdict.value,
        "points": len(marks),
        "marks": "".join(_SIGNS[mark.verdict] for mark in marks),
        "fails": ranges(marks, Verdict.FAIL),
        "unknown": ranges(marks, Verdict.UNKNOWN),
    }


def _failure_json(torment: Torment, job: Job) -> dict[str, Any]:
    return {
        "point": torment.name,
        "where": torment.label,
        "verdict": torment.verdict.value,
        "checks": list(torment.checks),
        "command": f"{job.command} --point {torment.name}",
    }
