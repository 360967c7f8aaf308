"""``harness judge``."""

from __future__ import annotations

from pathlib import Path

import click

from harness.cli.choosing import each, settle
from harness.cli.exits import leave
from harness.cli.options import json_option, strict_option
from harness.cli.output import STDOUT, json_problems, write_json
from harness.cli.screen import screen
from harness.cli.teaching import Taught
from harness.report import exit_code, render, to_json
from harness.runner import kept


@click.command("judge", cls=Taught)
@click.argument(
    "folders", metavar="DIR...", nargs=-1, required=True, type=click.Path(path_type=Path)
)
@strict_option
@json_option
def judge_command(folders: tuple[Path, ...], strict: bool, json_file: str | None) -> None:
    """Verdicts on kept runs, judged again from their histories.

    DIR is what `harness run --keep DIR` was given, or a run in it. Nothing is run: the checks
    of the scenario kept beside each history judge that history, so after a change of
    scenario.yaml there you see what the changed checks say of the same run.

    Examples:
      harness run --keep runs && harness judge runs
      harness judge runs/idle/fin/race

    Exit codes:
      0  everything that counts passed (must; with --strict also should)
      1  something failed
      2  nothing failed, but something is unknown
      3  no kept run is there, or one can't be read
    """
    problems = json_problems(json_file)
    results = [run for runs in each(folders, kept.load, problems) for run in runs]
    settle(problems)
    shown = screen(err=json_file == STDOUT)
    shown.show(render(results, shown.look, strict=strict))
    write_json(to_json(results, strict=strict), json_file)
    leave(exit_code(results, strict=strict))
