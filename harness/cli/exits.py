"""Exit codes, and what is said when a command ends early.

::

    0    everything that counts passed
    1    something failed
    2    nothing failed, but something is unknown
    3    a mistake in a scenario, an option or a client's file; nothing ran
    4    this machine can't do it: a port, a privilege or a server is missing
    70   a bug of the harness, with its traceback
    130  interrupted by Ctrl-C; 143 by SIGTERM; 141 nobody reads the output any more
"""

from __future__ import annotations

import os
import signal
import sys
import threading
import traceback
from collections.abc import Iterable, Iterator
from contextlib import contextmanager, suppress
from types import FrameType
from typing import NoReturn, TextIO

import click

from harness.errors import SIGNALLED, InputError, SetupError

MISTAKE, NOT_SET_UP, BUG = 3, 4, 70
BROKEN_PIPE = SIGNALLED + 13


def leave(code: int) -> NoReturn:
    """End the command with this exit code."""
    click.get_current_context().exit(code)


class Stops:
    """Remembers that SIGTERM came, and turns it into what Ctrl-C does."""

    def __init__(self) -> None:
        self.number = signal.SIGINT

    def on_sigterm(self, _number: int, _frame: FrameType | None) -> None:
        """Interrupt the command; trio knows how to take SIGINT at a safe moment."""
        self.number = signal.SIGTERM
        if signal.getsignal(signal.SIGINT) in {signal.SIG_IGN, None}:
            raise KeyboardInterrupt  # a background job: for it SIGINT does nothing
        signal.raise_signal(signal.SIGINT)


@contextmanager
def stoppable() -> Iterator[Stops]:
    """Within it SIGTERM ends the command as Ctrl-C does: what is open gets closed.

    A run has handlers of its own; this one is for the time before, between and after.
    """
    stops = Stops()
    if threading.current_thread() is not threading.main_thread():
        yield stops
        return
    before = signal.signal(signal.SIGTERM, stops.on_sigterm)
    try:
        yield stops
    finally:
        signal.signal(signal.SIGTERM, before)


def leaves(error: BaseException) -> Iterator[BaseException]:
    """The errors in a group, however deep; an error by itself is its own leaf."""
    if isinstance(error, BaseExceptionGroup):
        for inner in error.exceptions:
            yield from leaves(inner)
    else:
        yield error


def code_for(error: BaseException, stops: Stops) -> int:
    """The exit code for what ended a command, once it is said on standard error."""
    found = list(leaves(error))
    for leaf in found:
        if isinstance(leaf, KeyboardInterrupt | click.Abort):
            return _interrupted(getattr(leaf, "number", stops.number))
    if all(isinstance(leaf, BrokenPipeError) for leaf in found):
        silence()
        return BROKEN_PIPE
    mistakes = [leaf for leaf in found if isinstance(leaf, InputError)]
    if len(mistakes) == len(found):
        for problem in dict.fromkeys(p for leaf in mistakes for p in leaf.problems):
            _say(str(problem))
        return MISTAKE
    if all(isinstance(leaf, SetupError) for leaf in found):
        for leaf in found:
            _say(f"set-up failed: {leaf}")
        return NOT_SET_UP
    return _bug(error)


def _interrupted(number: int) -> int:
    _say("terminated" if number == signal.SIGTERM else "interrupted")
    return SIGNALLED + number


def _bug(error: BaseException) -> int:
    _say("".join(traceback.format_exception(error)).rstrip())
    _say("This is a bug of chaos-harness, not of the client under test.")
    return BUG


def _say(line: str) -> None:
    with suppress(BrokenPipeError):
        click.echo(line, err=True)


def silence() -> None:
    """Send what is still buffered nowhere, so that the interpreter's end doesn't complain."""
    for stream in (sys.stdout, sys.stderr):
        try:
            stream.flush()
        except BrokenPipeError:
            nowhere = os.open(os.devnull, os.O_WRONLY)
            os.dup2(nowhere, stream.fileno())
            os.close(nowhere)


def tolerant(streams: Iterable[TextIO]) -> None:
    """Let streams show a character they don't know as an escape, rather than fail on it."""
    for stream in streams:
        reconfigure = getattr(stream, "reconfigure", None)
        if reconfigure is not None:
            reconfigure(errors="backslashreplace")
