"""Runs another program, and ends it with all that it forked when our stdin ends.

The benchmark may be killed in a way that leaves it no time to tidy up. A program that isn't ours
would outlive it; its keeper notices and ends it. The arguments are the program's command line.
"""

from __future__ import annotations

import os
import signal
import subprocess
import sys
import threading
from contextlib import suppress
from types import FrameType

from harness.bench.child import say_hello

GRACE_S = 1.0
"""How long a program may take to end by itself."""


def main(command: list[str]) -> int:
    """Run it until it ends or nobody holds our stdin."""
    signal.signal(signal.SIGTERM, _raise_exit)
    program = subprocess.Popen(  # noqa: S603 - the benchmark's own command line
        command, stdin=subprocess.DEVNULL, stdout=subprocess.DEVNULL, start_new_session=True
    )
    try:
        say_hello(pid=program.pid)
        threading.Thread(target=_end_at_end_of_stdin, args=(program,), daemon=True).start()
        return program.wait()
    finally:
        _end(program)


def _raise_exit(number: int, _: FrameType | None) -> None:
    raise SystemExit(128 + number)


def _end_at_end_of_stdin(program: subprocess.Popen[bytes]) -> None:
    while os.read(0, 1024):
        pass
    _end(program)


def _end(program: subprocess.Popen[bytes]) -> None:
    """End the program's whole group: what it forked for each connection is of it."""
    _signal_group(program, signal.SIGTERM)
    with suppress(subprocess.TimeoutExpired):
        program.wait(GRACE_S)
    _signal_group(program, signal.SIGKILL)


def _signal_group(program: subprocess.Popen[bytes], number: int) -> None:
    try:
        os.killpg(program.pid, number)
    except (ProcessLookupError, PermissionError):
        return  # all of it has ended (macOS says so by EPERM)


if __name__ == "__main__":
    sys.exit(main(sys.argv[1:]))
