"""Starting the benchmark's processes and ending them, whatever happens."""

from __future__ import annotations

import json
import os
import subprocess
import sys
import threading
from collections.abc import Iterator
from contextlib import contextmanager
from pathlib import Path
from typing import Any

import harness
from harness.errors import SetupError

HELLO_LIMIT_S = 20.0
END_LIMIT_S = 5.0


@contextmanager
def running(module: str, arguments: list[str], complaints: Path) -> Iterator[dict[str, Any]]:
    """A process that runs one of our modules; what it said as it began to serve.

    It ends with the block. Raises SetupError, with the last line that the process wrote to the
    file ``complaints``, if it doesn't come to serve.
    """
    with complaints.open("wb") as stderr:
        process = subprocess.Popen(  # noqa: S603 - this interpreter and our own module
            [sys.executable, "-P", "-m", module, *arguments],
            stdin=subprocess.PIPE,
            stdout=subprocess.PIPE,
            stderr=stderr,
            env=_environment(),
            start_new_session=True,  # a Ctrl-C reaches us alone, and we end it in order
        )
    try:
        assert process.stdout is not None
        too_late = threading.Timer(HELLO_LIMIT_S, process.kill)
        too_late.start()
        hello = process.stdout.readline()
        too_late.cancel()
        if not hello:
            raise SetupError(f"{module} doesn't start: {last_line(complaints)}")
        yield json.loads(hello)
    finally:
        _end(process)


def _environment() -> dict[str, str]:
    """Ours, and the child finds the same ``harness`` as we did."""
    home = str(Path(harness.__file__).parents[1])
    paths = [home, *filter(None, [os.environ.get("PYTHONPATH")])]
    return os.environ | {"PYTHONPATH": os.pathsep.join(paths)}


def last_line(complaints: Path) -> str:
    """What a process said last."""
    lines = complaints.read_text(errors="replace").strip().splitlines()
    return lines[-1] if lines else "it says nothing"


def _end(process: subprocess.Popen[bytes]) -> None:
    assert process.stdin is not None
    assert process.stdout is not None
    process.stdin.close()
    try:
        process.wait(END_LIMIT_S)
    except subprocess.TimeoutExpired:
        process.kill()
        process.wait()
    process.stdout.close()
