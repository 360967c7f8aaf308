"""``harness explore``."""

from __future__ import annotations

import time
from collections.abc import Iterator
from contextlib import contextmanager
from pathlib import Path
from typing import Any

import click

from harness.campaign import Exploration, Minimal, explore, export, minimise
from harness.campaign.export import lines
from harness.cli.choosing import chosen_scenarios, each, settle
from harness.cli.exits import NOT_SET_UP, leave
from harness.cli.options import (
    check_client,
    client_option,
    cores,
    executor_option,
    jobs_option,
    json_option,
    no_process_options,
)
from harness.cli.output import STDOUT, json_problems, write_json
from harness.cli.screen import Screen, screen
from harness.cli.teaching import Taught
from harness.errors import Problem
from harness.report import printable
from harness.result import RunResult
from harness.runner.executors import check_executor, open_executor
from harness.scenario import Scenario, refusals

FABRIC = "virtual"
SEEDS_LIMIT = 10_000_000
NEWS_EVERY_S = 3.0
"""How often a pipe gets a line while the search goes on."""
REDRAW_EVERY_S = 0.1
FAILED, UNKNOWN = 1, 2
FAILURES_SHOWN = 20


@click.command("explore", cls=Taught)
@click.argument("selector", metavar="PATH|ID")
@click.option(
    "--seeds",
    default="1..1000",
    show_default=True,
    metavar="A..B",
    help="Which seeds, both ends included; one number is a single seed.",
)
@client_option
@no_process_options
@jobs_option
@executor_option
@click.option(
    "--out",
    default="failures",
    show_default=True,
    type=click.Path(path_type=Path, file_okay=False),
    metavar="DIR",
    help="Where the smallest failing scenario is written.",
)
@click.option("--no-shrink", is_flag=True, help="Write the failure as it was found.")
@click.option("--all", "keep_going", is_flag=True, help="Go on after the first failure.")
@json_option
def explore_command(
    selector: str,
    seeds: str,
    jobs: int | None,
    out: Path,
    no_shrink: bool,
    json_file: str | None,
    **options: Any,
) -> None:
    """Many seeds of one scenario in virtual time; the first failure is made small.

    Each seed decides all that is left to chance: which calls are unsafe or cancelled, in which
    order tasks run, how long callers wait and packets travel. In half of the seeds callers wait
    for multiples of a coarse grid made of the scenario's own times, so that they meet each other
    and the faults at the very same instant.

    Under such times only what is fair is judged: no limits on counts and durations, and errors
    only where the reference client has none in the same run. A scenario that says itself how it
    is perturbed (`perturb: {think: 2s, grid: 100ms, delay: 4ms}`) keeps that, and all its checks.

    The first seed that fails is shrunk: faults, phases, calls and words are left out as long as
    it still fails by the same check. What remains is written as a scenario of its own, with its
    history and a story of at most ten lines, to run, judge and replay.

    Examples:
      harness explore idle/fin/race                            1000 seeds, reference client
      harness explore idle/fin/race --client my.py:MyClient
      harness explore idle/fin/race --seeds 1..100000 --jobs 8
      harness explore idle/fin/race --seeds 17                 one seed again
      harness explore idle/fin/race --all --no-shrink          how often does it fail?

    Exit codes:
      0  no seed failed
      1  a seed failed
      2  nothing can be said: every seed is unknown, because a fault never fired, say
      3  a mistake in the scenario, an option or the client's file; nothing ran
      4  set-up failed
    """
    problems = json_problems(json_file)
    client, executor, keep_going = options["client"], options["executor"], options["keep_going"]
    wanted = parse_seeds(seeds, problems)
    each([client], lambda name: check_client(name, FABRIC), problems)
    each([executor], check_executor, problems)
    scenario = _one_scenario(selector, problems)
    settle(problems)
    assert scenario is not None
    shown = screen(err=json_file == STDOUT)
    news = Telling(shown, scenario.id, len(wanted))
    jobs = min(jobs or cores(), len(wanted))
    with news.stopped_is_told(), open_executor(executor, jobs) as workers:
        found = explore(
            scenario,
            client,
            seeds=wanted,
            fabric=FABRIC,
            executor=workers,
            jobs=jobs,
            keep_going=keep_going,
            on_progress=news.on_progress,
        )
    news.end(found)
    _tell_found(shown, found)
    minimal = _minimal(found, news, shrinks=not no_shrink)
    kept = None if minimal is None else export(minimal, out)
    if found.failed:
        _tell_minimal(shown, minimal, kept)
    write_json(to_json(found, news.took_s, minimal, kept), json_file)
    leave(_exit_code(found))


def parse_seeds(text: str, problems: list[Problem]) -> range:
    """The seeds of ``1..100`` or ``7``; what is wrong with it is added to the problems."""
    first, dots, last = text.strip().partition("..")
    first, last = first.strip(), last.strip()
    if not (first.isdecimal() and first.isascii()) or (
        dots and not (last.isdecimal() and last.isascii())
    ):
        problems.append(Problem(f"--seeds: {text!r} is no range of seeds", "write 1..1000 or 7"))
        return range(0)
    begin, end = int(first), int(last) if dots else int(first)
    if end < begin:
        hint = f"write the smaller one first: {end}..{begin}"
        problems.append(Problem(f"--seeds: {text!r} ends before it begins", hint))
    elif end - begin >= SEEDS_LIMIT:
        hint = f"write at most {SEEDS_LIMIT} at once"
        problems.append(Problem(f"--seeds: {text!r} are too many", hint))
    return range(begin, end + 1)


def _one_scenario(selector: str, problems: list[Problem]) -> Scenario | None:
    before = len(problems)
    scenarios = chosen_scenarios([selector], problems)
    if len(scenarios) == 1:
        problems += refusals(scenarios[0], FABRIC)
        if scenarios[0].sweep is not None:
            message = f"{selector!r} sweeps a condition; harness run finds its boundary"
            problems.append(Problem(message, "write one value in place of the sweep"))
        return scenarios[0]
    if len(problems) == before:
        message = f"{selector!r} names {len(scenarios)} scenarios, and one is explored at a time"
        problems.append(Problem(message, f"name one, such as {scenarios[0].id}"))
    return None


def _minimal(found: Exploration, news: Telling, *, shrinks: bool) -> Minimal | None:
    if found.first is None:
        return None
    limits = {} if shrinks else {"runs_limit": 0}
    minimal = minimise(
        found.scenario,
        found.client,
        found.first.seed,
        fabric=found.fabric,
        on_step=lambda _, runs: news.on_shrunk(runs),
        **limits,
    )
    news.clear()
    return minimal


def _exit_code(found: Exploration) -> int:
    if found.failed:
        return FAILED
    if found.setup_error:
        return NOT_SET_UP
    return UNKNOWN if found.unknown == found.done else 0


class Telling:
    """Says how far the search has come: on a terminal in one line, on a pipe now and then."""

    def __init__(self, shown: Screen, name: str, total: int) -> None:
        self._shown = shown
        self._name = printable(name)
        self._total = total
        self._began = self._told_at = time.perf_counter()
        self._ended: float | None = None
        self._last: Exploration | None = None

    @property
    def took_s(self) -> float:
        """From the beginning to the end of the search, or until now."""
        return (self._ended or time.perf_counter()) - self._began

    def on_progress(self, found: Exploration) -> None:
        """A batch of seeds is done."""
        self._last = found
        if self._due(NEWS_EVERY_S):
            self._say(f"{self._name}: {counted(found, self._total, self.took_s)}")

    def on_shrunk(self, runs: int) -> None:
        """The failure has become smaller."""
        if self._due(NEWS_EVERY_S):
            self._say(f"{self._name}: shrinking, {runs} runs")

    def end(self, found: Exploration) -> None:
        """The search is over."""
        self._ended = time.perf_counter()
        self.clear()
        self._shown.show(f"{self._name}: {counted(found, self._total, self.took_s)}\n")

    @contextmanager
    def stopped_is_told(self) -> Iterator[None]:
        """Say how far the search came, if it is interrupted in the block."""
        try:
            yield
        except KeyboardInterrupt:
            if self._last is not None:
                self.end(self._last)
            raise

    def clear(self) -> None:
        """Leave no half line behind."""
        if self._shown.live:
            self._shown.show("\r\x1b[2K")

    def _due(self, every_s: float) -> bool:
        now = time.perf_counter()
        if now - self._told_at < (REDRAW_EVERY_S if self._shown.live else every_s):
            return False
        self._told_at = now
        return True

    def _say(self, line: str) -> None:
        width = self._shown.look.cells - 1
        self._shown.show(f"\r\x1b[2K{line[:width]}" if self._shown.live else f"{line}\n")


def counted(found: Exploration, total: int, took_s: float) -> str:
    """``640 of 1000 seeds, 212 a second, 3 failed, 1 unknown``."""
    rate = found.done / took_s if took_s > 0 else 0.0
    parts = [f"{found.done} of {total} {'seed' if total == 1 else 'seeds'}", f"{rate:.0f} a second"]
    parts += [f"{found.failed} failed"] if found.failed else []
    parts += [f"{found.unknown} unknown"] if found.unknown else []
    return ", ".join(parts if found.failed else [*parts, "none failed"])


def _tell_found(shown: Screen, found: Exploration) -> None:
    """Which seeds fail, and by what."""
    for outcome in found.failures[:FAILURES_SHOWN]:
        shown.show(f"seed {outcome.seed} fails: {', '.join(outcome.checks)}\n")
    if found.failed > FAILURES_SHOWN:
        shown.show(f"and {found.failed - FAILURES_SHOWN} more\n")
    if found.setup_error:
        shown.show(f"some could not be set up: {found.setup_error}\n")


def _tell_minimal(shown: Screen, minimal: Minimal | None, kept: RunResult | None) -> None:
    """The first failure, once it is small."""
    if minimal is None or kept is None:
        shown.show(
            "but not when it is run again: this client's runs depend on more than their seed\n"
        )
        return
    how = "nothing more can be left out" if minimal.finished else "the limit on runs is reached"
    if minimal.runs:
        shown.show(f"shrunk in {minimal.runs} runs; {how}\n")
    if minimal.control is False:
        shown.show("the reference client fails it as well: perhaps no client can pass it\n")
    text = "".join(f"  {printable(line)}\n" for line in minimal.text.splitlines())
    told = "".join(f"  {printable(line)}\n" for line in lines(minimal))
    shown.show(f"\n{text}\n{told}\n  repeat with  {printable(_command(kept))}\n")


def _command(kept: RunResult) -> str:
    """The exact command that repeats the small failure; its seed stands in its file."""
    client = "" if kept.client == "reference" else f" --client {kept.client}"
    return f"harness run {kept.scenario.file} --on {kept.fabric}{client}"


def to_json(
    found: Exploration, took_s: float, minimal: Minimal | None, kept: RunResult | None
) -> dict[str, Any]:
    """All of it for programs."""
    first = None
    if minimal is not None and kept is not None:
        first = {
            "seed": minimal.seed,
            "check": minimal.target.check,
            "file": kept.scenario.file,
            "command": _command(kept),
            "runs": minimal.runs,
            "finished": minimal.finished,
            "reference_passes": minimal.control,
            "story": lines(minimal),
        }
    return {
        "id": found.scenario.id,
        "client": found.client,
        "fabric": found.fabric,
        "seeds": [found.seeds.start, found.seeds.stop - 1],
        "done": found.done,
        "failed": found.failed,
        "unknown": found.unknown,
        "took_s": round(took_s, 3),
        "failures": [{"seed": o.seed, "checks": list(o.checks)} for o in found.failures],
        "first": first,
    }
