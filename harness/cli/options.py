"""Options that several commands share."""

from __future__ import annotations

import os
from collections.abc import Callable
from typing import Any, TypeVar

import click

from harness.choice import ClientChoice, as_choice
from harness.clients import card_for
from harness.errors import InputError, Problem
from harness.runner.executors import PROCESS
from harness.runner.placing import check_fabric

F = TypeVar("F", bound=Callable[..., Any])


REFERENCE = ClientChoice()


def cores() -> int:
    """How many processors this process may use."""
    if hasattr(os, "sched_getaffinity"):
        return len(os.sched_getaffinity(0))
    return os.cpu_count() or 1


def client_option(command: F) -> F:
    """``--client NAME|FILE:CLASS``."""
    return click.option(
        "--client",
        default="reference",
        show_default=True,
        metavar="NAME|FILE:CLASS",
        help="Who is tested: a name of `harness list clients`, or a class of your own.",
    )(command)


def choice_options(command: F) -> F:
    """``--client``, ``--python`` and ``--command``: the arguments of ``chosen_client``."""
    for option in (_COMMAND, _PYTHON, _CLIENT):
        command = option(command)
    return command


_CLIENT = click.option(
    "--client",
    metavar="NAME|FILE:CLASS",
    help="Who is tested: a name of `harness list clients`, with +idiomatic behind it as its "
    "library recommends, or a class of your own.  [default: reference]",
)
_PYTHON = click.option(
    "--python",
    metavar="VENV/bin/python",
    help="Run the client with this interpreter: another environment, another version of its "
    "library. Nothing of the harness need be installed there.",
)
_COMMAND = click.option(
    "--command",
    metavar='"PROGRAM ARGS"',
    help="Test a program in any language that speaks the protocol of `harness explain protocol`.",
)


def chosen_client(
    client: str | None,
    python: str | None,
    command: str | None,
    default: ClientChoice = REFERENCE,
) -> ClientChoice:
    """The client that these options name; without any of them, the default.

    Raises InputError if they exclude each other.
    """
    if command is not None and client is not None:
        hint = "the program is the client: give one of them"
        raise InputError(Problem("--command and --client exclude each other", hint))
    if command is not None and python is not None:
        hint = "name the interpreter in the command"
        raise InputError(Problem("--command and --python exclude each other", hint))
    if command is not None:
        return ClientChoice("", command=command)
    if client is None and python is None:
        return default
    name = default.name if client is None else client
    return ClientChoice(name or "reference", default.python if python is None else python)


def check_client(client: str | ClientChoice, fabric: str | None = None) -> None:
    """Raise InputError or SetupError if there is no such client, or the fabric can't have it."""
    choice = as_choice(client)
    card = card_for(choice)
    if fabric is not None:
        check_fabric(choice, card, fabric)


def no_process_options(command: F) -> F:
    """``--python`` and ``--command`` where they can't be had, so that it is said why."""
    for name in ("--command", "--python"):
        command = click.option(
            name, expose_value=False, hidden=True, callback=_refuse_process, metavar="X"
        )(command)
    return command


def _refuse_process(ctx: click.Context, option: click.Parameter, value: str | None) -> None:
    if value is not None:
        message = f"--{option.name}: `{ctx.info_name}` needs the client in its own process"
        hint = "that is what puts each event where it was before; use `harness run`"
        raise InputError(Problem(message, hint))


def seed_option(command: F) -> F:
    """``--seed N``."""
    return click.option(
        "--seed", type=int, metavar="N", help="Every random decision comes from it."
    )(command)


def jobs_option(command: F) -> F:
    """``--jobs N``: None stands for ``cores()``."""
    return click.option(
        "--jobs",
        type=click.IntRange(min=1),
        metavar="N",
        help="Run so many at once.  [default: the number of cores]",
    )(command)


def json_option(command: F) -> F:
    """``--json F``."""
    return click.option(
        "--json",
        "json_file",
        metavar="F",
        help="Also write everything as JSON to this file; - is standard output.",
    )(command)


def executor_option(command: F) -> F:
    """``--executor NAME``."""
    return click.option(
        "--executor",
        default=PROCESS,
        show_default=True,
        metavar="NAME[:ADDRESS]",
        help="Who carries runs out: process (this machine), dask:ADDRESS (its scheduler), or "
        "MODULE:FACTORY[:ADDRESS] for another engine: the factory gets the address and returns "
        "a concurrent.futures.Executor. A FILE:CLASS client must be at that path on every worker.",
    )(command)


def strict_option(command: F) -> F:
    """``--strict``."""
    return click.option(
        "--strict",
        is_flag=True,
        help="Scenarios of level should count as well, and what is not supported is unknown; "
        "info never counts.",
    )(command)
