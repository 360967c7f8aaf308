"""Options that several commands share, and where results go."""

from __future__ import annotations

import json
from collections.abc import Callable
from pathlib import Path
from typing import Any, TypeVar

import click

from harness.errors import Problem, SetupError

F = TypeVar("F", bound=Callable[..., Any])

STDOUT = "-"


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
        default="process",
        show_default=True,
        metavar="NAME[:ADDRESS]",
        help="Who carries runs out: process (this machine), dask:ADDRESS (its scheduler), or "
        "MODULE:FACTORY[:ADDRESS] for another engine: the factory gets the address and returns "
        "a concurrent.futures.Executor. A FILE:CLASS client must be at that path on every worker.",
    )(command)


def strict_option(command: F) -> F:
    """``--strict``."""
    return click.option(
        "--strict", is_flag=True, help="Scenarios of level should count as well; info never does."
    )(command)


def json_problems(json_file: str | None) -> list[Problem]:
    """Why the JSON could not be written, known before anything runs."""
    if json_file is None or json_file == STDOUT:
        return []
    path = Path(json_file)
    if path.is_dir():
        return [Problem("--json: this is a folder", "name a file", file=json_file)]
    if not path.absolute().parent.is_dir():
        return [Problem("--json: its folder doesn't exist", "make it first", file=json_file)]
    return []


def write_json(value: Any, json_file: str | None) -> None:
    """Write it to the file, or to standard output for ``-``."""
    if json_file is None:
        return
    text = json.dumps(value, indent=2, ensure_ascii=False) + "\n"
    if json_file == STDOUT:
        click.echo(text, nl=False)
        return
    try:
        Path(json_file).write_text(text, encoding="utf-8")
    except OSError as error:
        raise SetupError(f"{json_file} can't be written: {error.strerror}") from error
