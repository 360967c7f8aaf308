"""``harness validate`` and ``harness schema``."""

from __future__ import annotations

import json

import click

from harness.cli.choosing import chosen_scenarios, settle
from harness.cli.screen import screen
from harness.cli.teaching import Taught
from harness.errors import Problem
from harness.report.drawing import many, printable
from harness.scenario import json_schema


@click.command("validate", cls=Taught)
@click.argument("selectors", metavar="[PATH|ID]...", nargs=-1)
def validate_command(selectors: tuple[str, ...]) -> None:
    """Every mistake in scenario files: where it is, what is wrong, what would be right.

    Reads files, folders, ids or patterns; with none, every scenario there is. Nothing is run.
    Where words of other tools were understood, it says what they became.

    Examples:
      harness validate my.yaml
      harness validate scenarios/idle other/
      harness validate

    Exit codes:
      0  every scenario is right
      3  there are mistakes; each is a line on standard error
    """
    problems: list[Problem] = []
    scenarios = chosen_scenarios(selectors, problems)
    shown = screen()
    for scenario in scenarios:
        for note in scenario.notes:
            shown.show(f"{printable(scenario.id)}: {printable(note)}\n")
    settle(problems)
    verb = "is" if len(scenarios) == 1 else "are"
    shown.show(f"{many(len(scenarios), 'scenario')} {verb} right\n")


@click.command("schema", cls=Taught)
def schema_command() -> None:
    """The JSON Schema by which editors complete and check scenarios.

    Write it to a file and name that in a scenario's first line:

      harness schema > scenario.schema.json
      # yaml-language-server: $schema=scenario.schema.json

    Exit code: 0.
    """
    screen().show(json.dumps(json_schema(), indent=2, ensure_ascii=False) + "\n")
