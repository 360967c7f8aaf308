"""``harness replay``."""

from __future__ import annotations

from collections.abc import Iterator
from pathlib import Path
from typing import Any

import click
from rich.console import RenderableType
from rich.table import Table
from rich.text import Text

from harness.campaign.replay import Parting, Replay, kept_at, replay
from harness.checks import Verdict
from harness.cli.choosing import each, settle
from harness.cli.exits import NOT_SET_UP, leave
from harness.cli.options import check_client, choice_options, chosen_client, json_option
from harness.cli.output import STDOUT, json_problems, write_json
from harness.cli.screen import screen
from harness.cli.teaching import Taught
from harness.history import Event
from harness.report import Look, Outcome, failure, happened, many, printable
from harness.report.drawing import STYLES, verdict_text

VERSION = 1
SAME, OUTCOME_CHANGED, WAY_CHANGED = 0, 1, 2


@click.command("replay", cls=Taught)
@click.argument("path", metavar="DIR|FILE", type=click.Path(path_type=Path))
@choice_options
@json_option
def replay_command(
    path: Path, client: str | None, python: str | None, command: str | None, json_file: str | None
) -> None:
    """A kept run made again, decision for decision, and what differs.

    DIR is the folder of one run, as `harness run --keep`, explore or torture wrote it; FILE is
    one in it. The scenario, the value of its sweep, the seed, the client and the fabric are
    those of the kept run; --client, --python or --command put another client in its place, such
    as the same after a change, or with another version of its library.

    A run on virtual is compared byte for byte: the same, or the first event at which the two
    part. A run on loopback happened in real time, so its decisions are compared, not its times:
    which faults struck where, which calls were made and how each ended, and the verdicts.

    Examples:
      harness run idle/fin/race --on virtual --keep runs && harness replay runs
      harness replay failures/idle-fin-race-17 --client fixed.py:MyClient

    Exit codes:
      0  the same outcome, and nothing that was compared differs
      1  the outcome changed: another verdict, or by other checks
      2  the same outcome, come to in another way
      3  no kept run is there, it can't be read, or its client can't be had
      4  set-up failed
    """
    problems = json_problems(json_file)
    found = each([path], kept_at, problems)
    named = each(found, lambda run: chosen_client(client, python, command, run.choice), problems)
    each(named, check_client, problems)
    settle(problems)
    told = replay(found[0], named[0])
    shown = screen(err=json_file == STDOUT)
    shown.print(*page(told, shown.look))
    write_json(to_json(told), json_file)
    leave(code_of(told))


def code_of(told: Replay) -> int:
    """The exit code of a replay."""
    if told.after.setup_error:
        return NOT_SET_UP
    if not told.same_outcome:
        return OUTCOME_CHANGED
    return SAME if told.same else WAY_CHANGED


# --- drawing --------------------------------------------------------------------------------


def page(told: Replay, look: Look) -> Iterator[RenderableType]:
    """What is to be said about a replay."""
    before = told.before
    about = [f"client {told.after.client}", f"seed {before.seed}", f"on {before.fabric}"]
    headline = Text(f"replay {printable(before.scenario.id)}", style="bold")
    headline.append(f"  ({printable(', '.join(about))})", style="dim")
    yield headline
    yield Text()
    yield _verdicts(told)
    yield from _comparison(told)
    changed = [f"{name} {old} → {new}" for name, old, new in told.environment]
    if changed:
        arrows = "; ".join(changed) if look.unicode else "; ".join(changed).replace("→", "->")
        yield Text(f"  changed since: {printable(arrows)}", style="dim", overflow="fold")
    if told.after.verdict is not Verdict.PASS and not told.same_outcome:
        yield Text()
        yield from failure(Outcome((told.after,)), look, strict=True)


def _verdicts(told: Replay) -> Text:
    text = Text("  was ").append_text(verdict_text(told.before.verdict))
    text.append(", is ", style="none").append_text(verdict_text(told.after.verdict))
    checks = [finding.check for finding in told.after.failures]
    if checks:
        text.append(f"  ({', '.join(checks)})", style="dim")
    return text


def _comparison(told: Replay) -> Iterator[RenderableType]:
    events = len(told.after.history)
    if told.same and told.exact:
        text = f"the same, decision for decision ({many(events, 'event')})"
        yield Text(f"  {text}", style=STYLES[Verdict.PASS])
    elif told.same:
        yield Text("  the same decisions; times are not compared on loopback",
                   style=STYLES[Verdict.PASS])  # fmt: skip
    elif told.parting is not None:
        yield from _parted(told.parting)
    elif told.only_before or told.only_after:
        yield Text("  other decisions (times are not compared on loopback)", style="yellow")
        yield from (Text(f"    was  {printable(text)}") for text in told.only_before)
        yield from (Text(f"    is   {printable(text)}") for text in told.only_after)


def _parted(parting: Parting) -> Iterator[RenderableType]:
    yield Text(f"  the histories part at event {parting.number}", style="yellow")
    grid = Table.grid(padding=(0, 2, 0, 0))
    grid.add_column(no_wrap=True, style="dim")
    grid.add_column(justify="right", no_wrap=True, style="cyan")
    grid.add_column(overflow="fold")
    for word, event in (("    was", parting.before), ("    is", parting.after)):
        grid.add_row(word, *_line(event))
    yield grid


def _line(event: Event | None) -> tuple[str, Text]:
    if event is None:
        return "", Text("nothing more")
    return f"{event.at_s:.6f} s", Text(printable(f"{event.WITNESS}: {happened(event)}"))


def to_json(told: Replay) -> dict[str, Any]:
    """Everything that is known, for programs.

    ::

        version, scenario, client, seed, fabric
        same           nothing that was compared differs
        exact          times and order were compared, too
        verdict        was and is
        parting        null, or the event at which histories part: number, was and is
        only_before, only_after   decisions of one run alone, on loopback
        environment    what changed: name, was and is
        events         how many the new history has
    """
    parting = told.parting
    return {
        "version": VERSION,
        "scenario": told.before.scenario.id,
        "client": told.after.client,
        "seed": told.before.seed,
        "fabric": told.before.fabric,
        "same": told.same,
        "same_outcome": told.same_outcome,
        "exact": told.exact,
        "verdict": {"was": told.before.verdict.value, "is": told.after.verdict.value},
        "parting": None
        if parting is None
        else {
            "number": parting.number,
            "was": None if parting.before is None else happened(parting.before),
            "is": None if parting.after is None else happened(parting.after),
        },
        "only_before": list(told.only_before),
        "only_after": list(told.only_after),
        "environment": [{"name": n, "was": old, "is": new} for n, old, new in told.environment],
        "events": len(told.after.history),
        "exit_code": code_of(told),
    }
