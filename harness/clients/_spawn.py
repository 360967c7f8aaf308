"""A child process with three pipes, started by the thread that will live as long as it does.

trio starts processes in a thread of its own and lets that thread go after a while. The system
takes its end for the end of the parent, prctl(2) says, and kills a child that asked to die with
its parent. So it is done here, in the few milliseconds that it takes.
"""

from __future__ import annotations

import os
import signal
import subprocess
import sys
from contextlib import AbstractContextManager, nullcontext, suppress

import trio
from trio.abc import ReceiveStream, SendStream

from harness.marking import marked

POLL_S = 0.002
"""How often it is looked whether the child has ended, while somebody waits for that."""


class Child:
    """A process group of ours; the streams are its leader's standard ones."""

    def __init__(
        self,
        process: subprocess.Popen[bytes] | trio.Process,
        stdin: SendStream,
        stdout: ReceiveStream,
        stderr: ReceiveStream,
    ) -> None:
        self.stdin, self.stdout, self.stderr = stdin, stdout, stderr
        self.pid = process.pid
        self._process = process

    @property
    def returncode(self) -> int | None:
        """The exit status, the negated number of a signal, or None while it lives."""
        return self._process.poll()

    async def wait(self) -> None:
        """Wait until it has ended."""
        while self._process.poll() is None:  # noqa: ASYNC110 - the system sends no event of ours
            await trio.sleep(POLL_S)

    def signal(self, number: int) -> None:
        """Send a signal to it and all that it has started, where there are groups."""
        if sys.platform == "win32":
            self._process.terminate()
            return
        with suppress(ProcessLookupError, PermissionError):
            os.killpg(self.pid, number)

    def kill(self) -> None:
        """End all of it at once."""
        self.signal(signal.SIGTERM if sys.platform == "win32" else signal.SIGKILL)

    async def aclose(self) -> None:
        """Close its pipes."""
        for pipe in (self.stdin, self.stdout, self.stderr):
            await pipe.aclose()


async def spawn(
    arguments: tuple[str, ...], inside: AbstractContextManager[None] | None = None
) -> Child:
    """Start a program, in the network that ``inside`` enters. Raises OSError if it can't be."""
    if sys.platform == "win32":
        pipe = subprocess.PIPE
        group = subprocess.CREATE_NEW_PROCESS_GROUP
        process = await trio.lowlevel.open_process(
            list(arguments), stdin=pipe, stdout=pipe, stderr=pipe, creationflags=group
        )
        assert process.stdin is not None
        assert process.stdout is not None
        assert process.stderr is not None
        return Child(process, process.stdin, process.stdout, process.stderr)
    with inside or nullcontext():
        return _spawn_here(arguments)


def _spawn_here(arguments: tuple[str, ...]) -> Child:
    """A group of its own: Ctrl-C is not for it, and signals reach what it starts."""
    assert sys.platform != "win32"
    pipe = subprocess.PIPE
    popen = subprocess.Popen(  # noqa: S603 - what the user asked for
        arguments,
        stdin=pipe,
        stdout=pipe,
        stderr=pipe,
        bufsize=0,
        env=marked(),
        start_new_session=True,
    )
    streams = []
    for file in (popen.stdin, popen.stdout, popen.stderr):
        assert file is not None
        streams.append(trio.lowlevel.FdStream(os.dup(file.fileno())))
        file.close()
    return Child(popen, *streams)
