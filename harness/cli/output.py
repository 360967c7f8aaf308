"""Where results go as JSON."""

from __future__ import annotations

import json
from pathlib import Path
from typing import Any

import click

from harness.errors import Problem, SetupError

STDOUT = "-"


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
