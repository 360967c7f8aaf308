"""What went wrong in a scenario: what was required, what was seen, and how to see it again."""

from __future__ import annotations

from collections.abc import Iterator, Sequence

from rich.console import RenderableType
from rich.padding import Padding
from rich.table import Table
from rich.text import Text

from harness.checks import Finding, Verdict
from harness.history import History
from harness.report.drawing import STYLES, Look, many, printable, verdict_text
from harness.report.events import happened
from harness.report.matrix import client_versions
from harness.report.outcomes import Outcome, counts
from harness.report.plain import not_supported
from harness.report.strip import boundary, strip
from harness.result import RunResult


def failure(outcome: Outcome, look: Look, *, strict: bool = False) -> Iterator[RenderableType]:
    """The worst run of an outcome that did not pass, and how many others did no better."""
    run = outcome.bad[0]
    yield _headline(outcome, run, strict)
    if outcome.unsupported:
        yield _indented(Text(not_supported(outcome.unsupported), overflow="fold"))
        return
    if len(outcome.by_value) > 1:
        yield Text()
        yield from map(_indented, boundary(outcome.marks, outcome.swept, "value"))
        yield from strip(outcome.marks, look, indent=2)
    if run.setup_error:
        yield _indented(_labelled([("set-up", run.setup_error)]))
    failed = [finding for finding in run.failures if finding.verdict is Verdict.FAIL]
    for finding in failed or run.failures:
        yield from _finding(finding, run.history)
    if failed:
        yield from _unknown_as_well(run.failures[len(failed) :])
    yield Text()
    yield from _repeat(outcome, run)


def _headline(outcome: Outcome, run: RunResult, strict: bool) -> Text:
    told = [f"client {run.client}"]
    told += [f"{name} {version}" for name, version in client_versions(run).items()]
    told.append(f"seed {run.seed}")
    if run.scenario.value:
        told.append(run.scenario.value.replace("=", " "))
    rounds = len(outcome.runs) // len(outcome.by_value)
    if rounds > 1:
        told.append(f"round {run.round} of {rounds}")
    if not counts(outcome.level, strict=strict):
        told.append(f"level {outcome.level}: does not count")
    text = verdict_text(run.verdict)
    text.append(f"  {printable(outcome.id)}", style="bold")
    text.append(f"  ({', '.join(printable(part) for part in told)})", style="dim")
    return text


def _finding(finding: Finding, history: History) -> Iterator[RenderableType]:
    style = STYLES[finding.verdict]
    title = Text(finding.check, style=style)
    if finding.verdict is Verdict.UNKNOWN:
        title.append(" (unknown)", style=style)
    yield Text()
    yield _indented(title)
    yield _indented(
        _labelled(
            [
                ("required", finding.requirement),
                ("expected", finding.expected),
                ("actual", finding.actual),
            ]
        ),
        by=4,
    )
    if finding.evidence:
        yield Text()
        yield _indented(_evidence(finding.evidence, history), by=4)


def _unknown_as_well(findings: Sequence[Finding]) -> Iterator[RenderableType]:
    """In short: beside a failure, what could not be told is seldom what matters."""
    if findings:
        yield Text()
        yield _indented(Text("unknown as well", style=STYLES[Verdict.UNKNOWN]))
        told = [(printable(finding.check), finding.actual) for finding in findings]
        yield _indented(_labelled(told), by=4)


def _labelled(pairs: Sequence[tuple[str, str]]) -> Table:
    grid = Table.grid(padding=(0, 2, 0, 0))
    grid.add_column(no_wrap=True, style="dim")
    grid.add_column(overflow="fold")
    for label, text in pairs:
        grid.add_row(label, Text(printable(text), overflow="fold"))
    return grid


def _evidence(ids: Sequence[int], history: History) -> Table:
    """One line an event, in the order of time: when, who saw it, what happened."""
    grid = Table.grid(padding=(0, 2, 0, 0))
    grid.add_column(justify="right", no_wrap=True, style="cyan")
    grid.add_column(no_wrap=True, style="dim")
    grid.add_column(overflow="fold")
    for number in sorted(set(ids)):
        if 0 <= number < len(history):
            event = history.events[number]
            grid.add_row(f"{event.at_s:.4f} s", event.WITNESS, Text(printable(happened(event))))
        else:
            grid.add_row("?", "?", Text(f"event {number} is missing from this history"))
    return grid


def _repeat(outcome: Outcome, run: RunResult) -> Iterator[RenderableType]:
    others = outcome.bad[1:]
    if others:
        seeds = sorted({other.seed for other in others} - {run.seed})
        told = f" (with seed {', '.join(map(str, seeds[:8]))})" if seeds else ""
        yield _indented(Text(f"{many(len(others), 'more run')} did not pass either{told}"))
    text = Text("repeat with  ", style="dim", overflow="fold")
    text.append(printable(run.command()), style="bold")
    yield _indented(text)


def _indented(part: RenderableType, by: int = 2) -> Padding:
    return Padding(part, (0, 0, 0, by), expand=False)
