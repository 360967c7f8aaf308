"""The end of a run for people: the table, what went wrong, and one line that sums it up."""

from __future__ import annotations

from collections.abc import Iterator, Sequence

from rich.console import RenderableType
from rich.text import Text

from harness.checks import Verdict
from harness.report.drawing import STYLES, Look, draw, lasting, printable
from harness.report.failures import failure
from harness.report.matrix import client_versions, column_name
from harness.report.means import performed
from harness.report.outcomes import Outcome, Tally, outcomes, tally
from harness.report.table import Columns
from harness.result import RunResult


def render(
    results: Sequence[RunResult], look: Look, *, took_s: float | None = None, strict: bool = False
) -> str:
    """Everything there is to say about these results: table, failures, summary."""
    told = outcomes(results)
    columns = Columns.fitting(
        [(outcome.id, outcome.level) for outcome in told],
        look,
        rounds=max((len(outcome.runs) for outcome in told), default=1),
        strict=strict,
    )
    rows = [*columns.head(), *(line for outcome in told for line in columns.row(outcome))]
    return draw(rows, look) + ending(results, look, took_s=took_s, strict=strict)


def ending(
    results: Sequence[RunResult], look: Look, *, took_s: float | None = None, strict: bool = False
) -> str:
    """What follows the table: each failure with all it takes to understand it, then the summary."""
    told = outcomes(results)
    parts: list[RenderableType] = []
    for outcome in told:
        if outcome.bad and not outcome.unsupported:
            parts += [Text(), *failure(outcome, look, strict=strict)]
    return draw([*parts, Text(), *_last_lines(results, told, took_s, strict)], look)


def summary(
    results: Sequence[RunResult], took_s: float | None = None, *, strict: bool = False
) -> str:
    """``42 passed, 1 failed, 1 unknown in 31 s``: the whole run in a line."""
    return _summary(results, took_s, strict).plain


def _last_lines(
    results: Sequence[RunResult], told: Sequence[Outcome], took_s: float | None, strict: bool
) -> Iterator[Text]:
    yield from _versions(results)
    if told_means := performed(results):
        yield Text(f"performed by: {printable(told_means)}", style="dim", overflow="fold")
    flaky = [f"{printable(outcome.id)} ({outcome.share})" for outcome in told if outcome.flaky]
    if flaky:
        yield Text(f"flaky: {', '.join(flaky)}", style=STYLES[Verdict.UNKNOWN])
    yield _summary(results, took_s, strict)


def _versions(results: Sequence[RunResult]) -> Iterator[Text]:
    """What library was judged, in which version: a line a client, if it says so."""
    found: dict[str, dict[str, str]] = {}
    for run in results:
        found.setdefault(column_name(run.choice), {}).update(client_versions(run))
    for name, versions in found.items():
        if versions:
            told = ", ".join(f"{library} {version}" for library, version in versions.items())
            yield Text(f"{printable(name)}: {printable(told)}", style="dim", overflow="fold")


def _summary(results: Sequence[RunResult], took_s: float | None, strict: bool) -> Text:
    if not results:
        return Text("nothing ran")
    counted = tally(results, strict=strict)
    text = Text(", ").join(_counted(counted)) if counted != Tally() else Text()
    if took_s is not None:
        text.append(f" in {lasting(took_s)}", style="none")
    excused = _excused(counted)
    if excused:
        text.append(f"; not counted: {excused}", style="none")
    return text


def _counted(counted: Tally) -> list[Text]:
    parts = [
        (counted.passed, "passed", STYLES[Verdict.PASS]),
        (counted.failed, "failed", STYLES[Verdict.FAIL]),
        (counted.unknown, "unknown", STYLES[Verdict.UNKNOWN]),
        (counted.not_set_up, "not set up", STYLES[Verdict.FAIL]),
        (counted.not_supported, "not supported", STYLES[Verdict.UNKNOWN]),
    ]
    shown = [Text(f"{number} {word}", style=style) for number, word, style in parts if number]
    return shown or [Text("0 passed")]


def _excused(counted: Tally) -> str:
    parts = [(counted.excused_failed, "failed"), (counted.excused_unknown, "unknown")]
    return " and ".join(f"{number} {word}" for number, word in parts if number)
