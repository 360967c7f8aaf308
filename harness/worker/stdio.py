"""The worker's two pipes, taken away from everybody else in the process.

What a library prints goes to standard error, and what it reads from standard input is empty, so
that neither can break into the protocol. When the harness is gone its end of the pipe is closed,
and the worker leaves whatever its client is doing.
"""

from __future__ import annotations

import os
import select
import sys
import threading
import time
from collections import deque
from typing import TYPE_CHECKING

from harness.worker.messages import Message, decode, encode

if TYPE_CHECKING:
    from collections.abc import Callable, Iterator

READ_BYTES = 2**16
LEAVE_GRACE_S = 1.0
"""How long the event loop may take to notice that the harness is gone, before a thread ends it."""


class Stdio:
    """Lines in and lines out; ``send`` may be called from any thread, finalizer or callback."""

    def __init__(self, source: int, sink: int) -> None:
        self.source = source
        self.shielded = 0
        self._sink = sink
        self._rest = b""
        self._queue: deque[bytes] = deque()
        self._lock = threading.Lock()
        self._main = threading.main_thread().ident

    @classmethod
    def taken(cls) -> Stdio:
        """Standard input and output of this process, which from now on are others."""
        source, sink = os.dup(0), os.dup(1)
        nowhere = os.open(os.devnull, os.O_RDONLY)
        os.dup2(nowhere, 0)
        os.close(nowhere)
        os.dup2(2, 1)
        sys.stdout = sys.stderr
        return cls(source, sink)

    def send(self, message: Message) -> None:
        """Send a message.

        Whoever finds the pipe in use leaves its line to who uses it: a finalizer may run in the
        middle of a write of the same thread, and must not wait for it.
        """
        with self.shield():
            self._queue.append(encode(message))
            while self._queue and self._lock.acquire(blocking=False):
                try:
                    while self._queue:
                        self._write(self._queue.popleft())
                finally:
                    self._lock.release()

    def _write(self, line: bytes) -> None:
        view = memoryview(line)
        try:
            while view:
                view = view[os.write(self._sink, view) :]
        except BrokenPipeError:
            self.leave()

    def shield(self) -> Shield:
        """A block in which the main thread must not be interrupted by a cancellation."""
        return Shield(self, threading.get_ident() == self._main)

    def messages(self) -> Iterator[Message]:
        """Messages as they come, blocking; ends when the harness is gone."""
        while True:
            data = os.read(self.source, READ_BYTES)
            if not data:
                return
            yield from self.feed(data)

    def first(self) -> Message | None:
        """The first message, or None if there is none; the next ones stay in the pipe."""
        line = b""
        while not line.endswith(b"\n"):
            byte = os.read(self.source, 1)
            if not byte:
                return None
            line += byte
        return decode(line)

    def feed(self, data: bytes) -> Iterator[Message]:
        """The messages that bytes from the pipe complete."""
        *lines, self._rest = (self._rest + data).split(b"\n")
        for line in lines:
            yield decode(line)

    def pump(self, deliver: Callable[[Message], object]) -> None:
        """Deliver messages from a thread, and leave at their end."""

        def read() -> None:
            for message in self.messages():
                deliver(message)
            self.leave()

        threading.Thread(target=read, name="harness-reader", daemon=True).start()

    def leave_when_alone(self) -> None:
        """Leave soon after the harness is gone, even if the event loop is blocked meanwhile."""
        if not hasattr(select, "poll"):
            return

        def watch() -> None:
            poll = select.poll()
            poll.register(self.source, 0)  # only that the other end is closed: poll(2), POLLHUP
            poll.poll()
            time.sleep(LEAVE_GRACE_S)
            self.leave()

        threading.Thread(target=watch, name="harness-leash", daemon=True).start()

    @staticmethod
    def leave() -> None:
        """End this process now; whatever the client left behind, the system closes."""
        sys.stderr.flush()
        os._exit(0)


class Shield:
    """While the main thread is in here, who wants to interrupt it has to come again."""

    def __init__(self, stdio: Stdio, is_main: bool) -> None:
        self._stdio = stdio
        self._count = 1 if is_main else 0

    def __enter__(self) -> None:
        self._stdio.shielded += self._count

    def __exit__(self, *_: object) -> None:
        self._stdio.shielded -= self._count
