"""``harness run``."""

from __future__ import annotations

import sys
import threading
import time
from collections import Counter
from collections.abc import Sequence
from contextlib import ExitStack
from itertools import islice
from pathlib import Path
from typing import Any

import click

from harness.cli.choosing import (
    check_networks,
    chosen_scenarios,
    each,
    expanded,
    settle,
    that_can_run,
)
from harness.cli.exits import leave
from harness.cli.networks import network_plans
from harness.cli.options import (
    check_client,
    choice_options,
    chosen_client,
    cores,
    executor_option,
    jobs_option,
    json_option,
    seed_option,
    strict_option,
)
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
from harness.errors import Problem
from harness.registry import did_you_mean
from harness.report import (
    Board,
    Columns,
    ending,
    exit_code,
    plain_line,
    render,
    to_html,
    to_json,
    to_junit,
)
from harness.runner import (
    Progress,
    RunOptions,
    RunResult,
    capture_problem,
    check_executor,
    run_all,
)
from harness.scenario import FABRICS, Scenario, refusals


@click.command("run", cls=Taught)
@click.argument("selectors", metavar="[PATH|ID]...", nargs=-1)
@choice_options
@click.option(
    "--on",
    "fabric",
    metavar="FABRIC",
    help="loopback: real sockets of this machine; virtual: a simulated network in virtual time, "
    "the same in every run; netns: client, router and servers in network namespaces of their own, "
    "where packets can be struck.  [default: where each scenario belongs]",
)
@seed_option
@click.option(
    "--repeat",
    type=click.IntRange(min=1),
    default=1,
    show_default=True,
    metavar="N",
    help="Run each scenario so often, with the same seed.",
)
@jobs_option
@executor_option
@click.option(
    "--value",
    metavar="VALUE",
    help="Of a scenario that sweeps a condition run this value alone, such as 1.9985s.",
)
@strict_option
@click.option(
    "--keep",
    type=click.Path(path_type=Path, file_okay=False),
    metavar="DIR",
    help="Keep each run's history there, for `harness judge`.",
)
@click.option(
    "--capture",
    type=click.Path(path_type=Path, file_okay=False),
    metavar="DIR",
    help="Write each host's packets there, for tcpdump and Wireshark; on netns.",
)
@click.option(
    "--dry-run",
    is_flag=True,
    help="Of scenarios on netns print how their network is made, as one would type it; run none.",
)
@json_option
@junit_option
@html_option
def run_command(
    selectors: tuple[str, ...],
    fabric: str | None,
    jobs: int | None,
    value: str | None,
    strict: bool,
    dry_run: bool,
    json_file: str | None,
    junit_file: str | None,
    html_file: str | None,
    **options: Any,
) -> None:
    """Verdicts on a client, scenario by scenario, with the evidence for each failure.

    Runs the scenarios that are named: by id (idle/fin/race), family (idle), pattern
    ('*/fin/*'), file or folder. With no name it runs all of ./scenarios, or those that come
    with the harness where there is no such folder. Nothing runs unless all are free of mistakes.

    Examples:
      harness run                                  everything, reference client
      harness run idle tls/certificate             some of it
      harness run --client my_client.py:MyClient   your own client
      harness run --client requests --python old/bin/python
      harness run --command "node my_client.js"    a program in any language
      harness run idle/fin/race --seed 7           one run again
      harness run idle/fin/race --repeat 50        is it flaky?
      harness run idle/fin/race --on virtual       in virtual time, the same in every run
      harness run idle/fin/race --on netns --capture packets
      harness run --json - > results.json          for programs
      harness run --junit junit.xml                for CI systems
      harness run --html results.html              for browsers, in one file

    What the client has no setting or no way for is `unknown (not supported: ...)`. It doesn't
    count, but with --strict, or if there is nothing else, it is unknown as anything.

    Exit codes:
      0  everything that counts passed (must; with --strict also should)
      1  something failed
      2  nothing failed, but something is unknown: a fault never fired, say
      3  a mistake in a scenario, an option or the client's file; nothing ran
      4  set-up failed: a port, a privilege or a server is missing
    """
    files = {"--json": json_file, "--junit": junit_file, "--html": html_file}
    problems = [*_fabric_problems(fabric), *output_problems(files)]
    words = {word: options.pop(word) for word in ("client", "python", "command")}
    named = each([words], lambda words: chosen_client(**words), problems)
    each(named, lambda choice: check_client(choice, fabric), problems)
    each([options["executor"]], check_executor, problems)
    scenarios = expanded(chosen_scenarios(selectors, problems), value, problems)
    left_out = ""
    if not selectors:
        scenarios, left_out = that_can_run(scenarios, fabric)
    if fabric is not None:
        problems += [problem for scenario in scenarios for problem in refusals(scenario, fabric)]
    if options["capture"] is not None:
        asked = (capture_problem(scenario, fabric or scenario.home) for scenario in scenarios)
        problems += islice(filter(None, asked), 1)  # the others would say the same
    settle(problems)
    shown = screen(err=STDOUT in files.values())
    shown.show(left_out)
    if dry_run:
        shown.show(network_plans(scenarios, fabric))
        leave(0)
    check_networks(scenarios, fabric)
    telling = Telling(shown, scenarios, options["repeat"], strict)
    results = telling.run(
        RunOptions(client=named[0], fabric=fabric, jobs=jobs or cores(), **options)
    )
    write_json(to_json(results, took_s=telling.took_s, strict=strict), json_file)
    write_text(lambda: to_junit(results, strict=strict), junit_file)
    write_text(lambda: to_html(results, took_s=telling.took_s), html_file)
    leave(exit_code(results, strict=strict))


def _fabric_problems(fabric: str | None) -> list[Problem]:
    if fabric is None or fabric in FABRICS:
        return []
    return [Problem(f"--on: there is no fabric {fabric!r}", did_you_mean(fabric, FABRICS))]


class Telling:
    """Runs scenarios and says meanwhile, and at the end, what came of them.

    News come from several threads where runs are made side by side.
    """

    def __init__(
        self, screen: Screen, scenarios: Sequence[Scenario], rounds: int, strict: bool
    ) -> None:
        self._screen = screen
        self._scenarios = scenarios
        self._rounds = rounds
        self._values = Counter(scenario.base_id for scenario in scenarios)
        self._strict = strict
        self._results: list[RunResult] = []
        self._lock = threading.Lock()
        self._board: Board | None = None
        self._began = time.perf_counter()

    @property
    def took_s(self) -> float:
        """Since this was made."""
        return time.perf_counter() - self._began

    def run(self, options: RunOptions) -> list[RunResult]:
        """The results, once all is said; raises what ``run_all`` raises, after a summary."""
        try:
            with ExitStack() as stack:
                if self._screen.live:
                    self._board = stack.enter_context(self._new_board())
                run_all(self._scenarios, options, self._on_progress, self._on_result)
        except KeyboardInterrupt:
            self._end()
            total = len(self._scenarios) * self._rounds
            self._screen.show(f"stopped after {len(self._results)} of {total} runs\n")
            raise
        self._end()
        return self._results

    @property
    def _most(self) -> int:
        """The largest number of runs that come together in one row."""
        return self._rounds * max(self._values.values(), default=1)

    def _new_board(self) -> Board:
        return Board(
            self._screen.console(),
            Columns.fitting(
                [(scenario.base_id, scenario.level) for scenario in self._scenarios],
                self._screen.look,
                rounds=self._most,
                strict=self._strict,
            ),
            total=len(self._scenarios) * self._rounds,
            rounds=self._rounds,
            values=self._values,
            now=time.monotonic,
            catch_stderr=sys.stderr.isatty(),
        )

    def _on_progress(self, news: Progress) -> None:
        if self._board is not None:
            with self._lock:
                self._board.progress(news)

    def _on_result(self, result: RunResult) -> None:
        self._results.append(result)
        if self._board is None:
            self._screen.show(plain_line(result, self._rounds) + "\n")
            return
        with self._lock:
            self._board.finished(result)

    def _end(self) -> None:
        """What was not said yet: rows were, unless a pipe got lines of single runs instead."""
        whole = self._board is None and self._most > 1
        say = render if whole else ending
        lead = "\n" if whole else ""
        text = say(self._results, self._screen.look, took_s=self.took_s, strict=self._strict)
        self._screen.show(lead + text)
