"""The group of commands: what ``harness`` says of itself, and how every command ends."""

from __future__ import annotations

import sys
from collections.abc import Sequence
from functools import partial
from importlib import import_module
from typing import Any

import click

from harness import __version__
from harness.cli.exits import MISTAKE, code_for, stoppable, tolerant
from harness.cli.teaching import as_written
from harness.registry import did_you_mean

COMMANDS = {
    "run": ("run", "Verdicts on a client, scenario by scenario."),
    "list": ("words", "Every fault, check, trigger, client or scenario, a line each."),
    "explain": ("words", "One page on one word of the language, with an example."),
    "validate": ("files", "Every mistake in scenario files, with its line and column."),
    "schema": ("files", "The JSON Schema by which editors complete scenarios."),
    "scorecard": ("scorecard", "Every scenario with every client, in one table."),
    "explore": ("explore", "Many seeds of one scenario; the first failure is made small."),
    "torture": ("torture", "The fault or a cancellation at every possible point, one run each."),
    "replay": ("replay", "A kept run made again, decision for decision."),
    "judge": ("judge", "Verdicts on kept runs, judged again from their histories."),
    "doctor": ("doctor", "What this machine can do, and what to do where it can't."),
    "bench": ("bench", "What the harness itself costs here, beside a direct connection."),
    "serve": ("serve", "The proxy with a control API, for tests in any language."),
    "init": ("init", "A first scenario, client and pytest file for your library."),
}
"""Where each command lives, and its first line: here, so that help needs no import."""

_HELP = f"""Break TCP and TLS connections on purpose, and judge how a client survives.

A scenario says who calls, what breaks and what is expected. The harness stands between the
client under test and a server of its own, breaks connections as told, and judges what it saw.

  harness run                        every scenario, with the reference pool
  harness run idle --client my.py:MyClient
  harness explain stall              what a word means
  harness list faults                what can break

Exit codes:
  0  everything that counts passed
  1  something failed
  2  nothing failed, but something is unknown
  3  a mistake in a scenario, an option or a client's file; nothing ran
  4  this machine can't do it: a port, a privilege or a server is missing

This is version {__version__}.
"""


class Commands(click.Group):
    """A group that imports a command when it is called, and turns every end into an exit code."""

    def list_commands(self, ctx: click.Context) -> list[str]:  # noqa: ARG002 - click's signature
        """The names, in the order of the help."""
        return list(COMMANDS)

    def get_command(self, ctx: click.Context, cmd_name: str) -> click.Command | None:  # noqa: ARG002 - click's signature
        """The command of this name, imported now."""
        if cmd_name not in COMMANDS:
            return None
        module = import_module(f"harness.cli.{COMMANDS[cmd_name][0]}")
        command: click.Command = getattr(module, f"{cmd_name}_command")
        return command

    def resolve_command(
        self, ctx: click.Context, args: list[str]
    ) -> tuple[str | None, click.Command | None, list[str]]:
        """The command that is meant; an unknown one names the nearest."""
        if args and args[0] not in COMMANDS and not args[0].startswith("-"):
            ctx.fail(f"There is no command {args[0]!r}; {did_you_mean(args[0], COMMANDS)}")
        return super().resolve_command(ctx, args)

    def format_commands(self, ctx: click.Context, formatter: click.HelpFormatter) -> None:  # noqa: ARG002 - click's signature
        """The commands with their first lines."""
        with formatter.section("Commands"):
            formatter.write_dl([(name, summary) for name, (_, summary) in COMMANDS.items()])

    def invoke(self, ctx: click.Context) -> Any:
        """Run the command; what escapes it becomes a message and an exit code."""
        with stoppable() as stops:
            try:
                return super().invoke(ctx)
            except (click.ClickException, click.exceptions.Exit, SystemExit):
                raise
            except BaseException as error:  # noqa: BLE001 - here every command ends
                raise click.exceptions.Exit(code_for(error, stops)) from None  # noqa: ASYNC104

    def main(
        self,
        args: Sequence[str] | None = None,
        prog_name: str | None = None,
        complete_var: str | None = None,
        standalone_mode: bool = True,
        **extra: Any,
    ) -> Any:
        """Run the command and leave with its exit code; a mistake of usage is 3, as any other."""
        run = partial(super().main, args, prog_name, complete_var, standalone_mode=False, **extra)
        if not standalone_mode:
            return run()
        tolerant((sys.stdout, sys.stderr))
        try:
            code: Any = run()
        except click.ClickException as error:
            error.show()
            sys.exit(MISTAKE)
        sys.exit(code if isinstance(code, int) else 0)


main = Commands(
    name="harness",
    help=as_written(_HELP),
    context_settings={"help_option_names": ["-h", "--help"], "max_content_width": 100},
    no_args_is_help=True,
)
click.version_option(__version__, prog_name="harness", message="%(prog)s %(version)s")(main)
