"""How a client's process is started, and what is wrong with a command line that can't be."""

from __future__ import annotations

import os
import shlex
import shutil
import sys
from dataclasses import dataclass
from pathlib import Path

from harness.choice import ClientChoice
from harness.clients._load import place_of
from harness.errors import InputError, Problem

WORKER = Path(__file__).parent.parent / "worker"


@dataclass(frozen=True, slots=True)
class Launch:
    """The arguments of the process; ``is_python`` if our worker runs in it."""

    arguments: tuple[str, ...]
    is_python: bool


def launch_of(choice: ClientChoice) -> Launch:
    """How the chosen client is started. Raises InputError if there is no such program or file."""
    if choice.command:
        return Launch(_leashed(_program(choice.command)), is_python=False)
    python = interpreter(choice.python) if choice.python else sys.executable
    return Launch((python, str(WORKER / "__main__.py"), place_of(choice.base)), is_python=True)


def interpreter(python: str) -> str:
    """The interpreter that ``--python`` names. Raises InputError if there is none."""
    found = shutil.which(python)
    if found is None:
        raise InputError(_not_found(python, "--python", "an interpreter, such as venv/bin/python"))
    return found


def _program(command: str) -> list[str]:
    try:
        words = shlex.split(command)
    except ValueError as error:
        hint = "close its quotes"
        raise InputError(Problem(f"--command: {command!r} is not clear: {error}", hint)) from error
    if not words:
        raise InputError(Problem("--command: it is empty", "name a program, and its arguments"))
    if shutil.which(words[0]) is None:
        raise InputError(_not_found(words[0], "--command", "a program, and its arguments"))
    return words


def _not_found(name: str, option: str, wanted: str) -> Problem:
    path = Path(name)
    if path.is_dir():
        return Problem(f"{option}: {name} is a folder", f"name {wanted}")
    if path.is_file() and not os.access(path, os.X_OK):
        return Problem(f"{option}: {name} can't be executed", f"chmod +x {shlex.quote(name)}")
    return Problem(f"{option}: there is no program {name!r}", f"name {wanted}")


def _leashed(words: list[str]) -> tuple[str, ...]:
    """A program that doesn't know us is ended by the system if we are killed, where it can be."""
    if not sys.platform.startswith("linux"):
        return tuple(words)
    leash = str(WORKER / "leash.py")
    return (sys.executable, "-I", "-S", leash, str(os.getpid()), *words)
