"""Where results go besides the terminal: files of JSON, HTML, JUnit XML or SVG."""

from __future__ import annotations

import json
from collections.abc import Callable, Mapping
from pathlib import Path
from typing import Any, TypeVar

import click

from harness.errors import Problem, SetupError

F = TypeVar("F", bound=Callable[..., Any])

STDOUT = "-"


def html_option(command: F) -> F:
    """``--html F``."""
    return click.option(
        "--html",
        "html_file",
        metavar="F",
        help="Also write a page for browsers to this file: one file that needs nothing else.",
    )(command)


def junit_option(command: F) -> F:
    """``--junit F``."""
    return click.option(
        "--junit",
        "junit_file",
        metavar="F",
        help="Also write JUnit XML, as CI systems read it, to this file.",
    )(command)


def output_problems(files: Mapping[str, str | None]) -> list[Problem]:
    """Why the files of these options could not be written, known before anything runs."""
    named = {option: file for option, file in files.items() if file is not None}
    streamed = [option for option, file in named.items() if file == STDOUT]
    problems = []
    if len(streamed) > 1:
        hint = "name a file for the others"
        problems.append(Problem(f"{' and '.join(streamed)}: only one can be {STDOUT}", hint))
    for option, file in named.items():
        path = Path(file)
        if file == STDOUT:
            continue
        if path.is_dir():
            problems.append(Problem(f"{option}: this is a folder", "name a file", file=file))
        elif not path.absolute().parent.is_dir():
            text = f"{option}: its folder doesn't exist"
            problems.append(Problem(text, "make it first", file=file))
    return problems


def json_problems(json_file: str | None) -> list[Problem]:
    """Why the JSON could not be written, known before anything runs."""
    return output_problems({"--json": json_file})


def write_json(value: Any, json_file: str | None) -> None:
    """Write it to the file, or to standard output for ``-``."""
    write_text(lambda: json.dumps(value, indent=2, ensure_ascii=False) + "\n", json_file)


def write_text(text: Callable[[], str], file: str | None) -> None:
    """Write what ``text`` returns to the file, or to standard output for ``-``; if there is one.

    Raises SetupError if it can't be written.
    """
    if file is None:
        return
    if file == STDOUT:
        click.echo(text(), nl=False)
        return
    try:
        # A message may hold half of a surrogate pair, which no encoding has.
        Path(file).write_text(text(), encoding="utf-8", errors="backslashreplace", newline="\n")
    except OSError as error:
        raise SetupError(f"{file} can't be written: {error.strerror}") from error
