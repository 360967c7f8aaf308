"""``harness scorecard``."""

from __future__ import annotations

import sys
import time
from collections import Counter
from collections.abc import Iterable, Mapping, Sequence
from contextlib import ExitStack, suppress

import click

from harness.campaign.scorecard import (
    Pair,
    Survey,
    default_choices,
    pairs,
    parsed_choices,
    survey,
)
from harness.choice import ClientChoice
from harness.cli.choosing import chosen_scenarios, each, expanded, settle
from harness.cli.exits import NOT_SET_UP, leave
from harness.cli.options import cores, executor_option, json_option, seed_option
from harness.cli.output import (
    STDOUT,
    html_option,
    junit_option,
    output_problems,
    write_json,
    write_text,
)
from harness.cli.screen import Screen, screen
from harness.cli.teaching import Taught
from harness.clients import Card, all_clients, card_for
from harness.errors import Problem, SetupError
from harness.report import (
    Gauge,
    column_name,
    exit_code,
    plain_line,
    render_scorecard,
    scorecard_json,
    to_html,
    to_junit,
    to_svg,
)
from harness.result import RunResult
from harness.runner import check_executor

JOBS_PER_CORE = 3
"""Runs mostly wait; with so many of them a processor is seldom idle, and seldom late."""


@click.command("scorecard", cls=Taught)
@click.argument("selectors", metavar="[PATH|ID]...", nargs=-1)
@click.option(
    "--clients",
    "texts",
    multiple=True,
    metavar="A,B,...",
    help="Who is tested; may be given several times.  [default: reference and every library]",
)
@seed_option
@click.option(
    "--repeat",
    type=click.IntRange(min=1),
    default=1,
    show_default=True,
    metavar="N",
    help="Run each pair so often, with the same seed; verdicts that differ make a flaky cell.",
)
@click.option(
    "--jobs",
    type=click.IntRange(min=1),
    metavar="N",
    help=f"Run so many at once.  [default: {JOBS_PER_CORE} for each core]",
)
@executor_option
@click.option(
    "--strict", is_flag=True, help="Let the exit code be the worst verdict; level should counts."
)
@click.option("--verbose", is_flag=True, help="Show each scenario, and each failure in full.")
@json_option
@html_option
@junit_option
@click.option(
    "--svg", "svg_file", metavar="F", help="Also write a picture of the summary, for a README."
)
def scorecard_command(
    selectors: tuple[str, ...],
    texts: tuple[str, ...],
    seed: int | None,
    repeat: int,
    jobs: int | None,
    executor: str,
    strict: bool,
    verbose: bool,
    json_file: str | None,
    html_file: str | None,
    junit_file: str | None,
    svg_file: str | None,
) -> None:
    """Every scenario with every client, in one table: a survey of real libraries.

    Scenarios are named as for `harness run`; with no name all are run. With no --clients every
    client that comes with the harness is run but naive. A client is one of

      NAME                        such as aiohttp, of `harness list clients`
      NAME+idiomatic              set up as its library's documentation recommends
      FILE:CLASS                  a class of your own
      NAME@VENV/bin/python        any of these in another environment, with another version
      command:./my-client ARGS    a program that speaks the protocol; in a --clients of its own

    In the table ✓ is passed, ✗ failed, ~ flaky, ? unknown, ∅ not supported by the client, ! not
    set up, and — not applicable: the client doesn't speak the scenario's protocol. `detects` is
    the median time from a fault's end of a connection to the client letting go of it, `recovers`
    from healing to the first round of calls that all succeeded.

    Examples:
      harness scorecard --html scorecard.html
      harness scorecard idle response --clients requests,urllib3,aiohttp
      harness scorecard tls --clients aiohttp,aiohttp@old/bin/python --repeat 5
      harness scorecard --clients reference --clients 'command:node client.js'

    Exit codes:
      0  the scorecard was made, whatever the verdicts in it
      1  with --strict: something failed
      2  with --strict: nothing failed, but something is unknown or not supported
      3  a mistake in a scenario, an option or a client's file; nothing ran
      4  nothing could be set up; with --strict: nothing failed, but something isn't set up
    """
    files = {"--json": json_file, "--html": html_file, "--junit": junit_file, "--svg": svg_file}
    problems = output_problems(files)
    each([executor], check_executor, problems)
    choices = parsed_choices(texts) if texts else default_choices(all_clients())
    cards = _cards(choices, problems)
    if not choices:
        problems.append(Problem("--clients names no client", "write --clients requests,urllib3"))
    asked = _pairs(selectors, cards, repeat, problems)
    settle(problems)
    shown = screen(err=STDOUT in files.values())
    jobs = jobs or JOBS_PER_CORE * cores()
    options = Survey(seed=seed, jobs=jobs, executor=executor, quiet=shown.live)
    began = time.perf_counter()
    results = _told(shown, asked, options, repeat)
    took_s = time.perf_counter() - began
    text = render_scorecard(
        results, shown.look, choices, took_s=took_s, verbose=verbose, strict=strict
    )
    shown.show(("" if shown.live else "\n") + text)
    value = scorecard_json(results, choices, took_s=took_s, strict=strict)
    write_json(value, json_file)
    write_text(lambda: to_html(results, choices, took_s=took_s), html_file)
    write_text(lambda: to_junit(results, strict=strict), junit_file)
    write_text(lambda: to_svg(results, choices), svg_file)
    leave(exit_code(results, strict=True) if strict else _made(results))


def _cards(
    choices: Iterable[ClientChoice], problems: list[Problem]
) -> dict[ClientChoice, Card | None]:
    """What is known of each client; None if something is missing here, which its runs will tell."""
    found: dict[ClientChoice, Card | None] = {}
    shipped = all_clients()
    for choice in choices:
        found[choice] = shipped.get(choice.base)
        if choice.command or choice.python or choice.base not in shipped:
            with suppress(SetupError):
                found[choice] = next(iter(each([choice], card_for, problems)), None)
    return found


def _pairs(
    selectors: Sequence[str],
    cards: Mapping[ClientChoice, Card | None],
    repeat: int,
    problems: list[Problem],
) -> list[Pair]:
    """What is to be run; that it is nothing is a mistake, if there is no other."""
    scenarios = expanded(chosen_scenarios(selectors, problems), None, problems)
    asked = list(pairs(scenarios, cards, repeat))
    if not asked and not problems:
        hint = "`harness list clients` tells who speaks what"
        problems.append(Problem("no scenario speaks a protocol of these clients", hint))
    return asked


def _told(shown: Screen, asked: Sequence[Pair], options: Survey, rounds: int) -> list[RunResult]:
    """The results of these pairs, with news of them on the screen meanwhile.

    If it is interrupted, what there is by then is shown.
    """
    ended: list[RunResult] = []

    def tell(result: RunResult) -> None:
        ended.append(result)
        if gauge is None:
            shown.show(plain_line(result, rounds) + "\n")
        else:
            gauge.finished(result)

    try:
        with ExitStack() as stack:
            gauge = None
            if shown.live:
                gauge = stack.enter_context(_gauge(shown, _totals(asked)))
            return survey(asked, options, tell)
    except KeyboardInterrupt:
        shown.show("\n" + render_scorecard(ended, shown.look))
        shown.show(f"stopped after {len(ended)} of {len(asked)} runs\n")
        raise


def _totals(asked: Sequence[Pair]) -> Mapping[str, int]:
    return Counter(column_name(pair.choice) for pair in asked)


def _gauge(shown: Screen, totals: Mapping[str, int]) -> Gauge:
    return Gauge(
        shown.console(),
        shown.look,
        totals,
        now=time.monotonic,
        catch_stderr=sys.stderr.isatty(),
    )


def _made(results: Sequence[RunResult]) -> int:
    """A survey has done its work unless it met nothing but missing libraries and servers."""
    able = [run for run in results if not run.unsupported]
    return NOT_SET_UP if able and all(run.setup_error for run in able) else 0
