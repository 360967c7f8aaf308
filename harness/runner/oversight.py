"""What watches over a run from outside: signals, its time limit, and what can never end."""

from __future__ import annotations

import signal
import threading
from collections.abc import Callable

import trio

from harness.fabric.virtual.shim import real_monotonic

RUN_LIMIT_S = 600.0
"""No run takes longer in real time; one that does is cancelled and said to hang."""


class Interrupted(KeyboardInterrupt):
    """The run was ended by a signal; everything it had opened is closed."""

    def __init__(self, number: int) -> None:
        super().__init__(f"interrupted by {signal.Signals(number).name}")
        self.number = number


class Oversight:
    """The guard of one run; ``limit`` is the scope around all of it.

    ``on_turn`` is called as the event loop turns, at most every ``every_s`` of real time, where
    the fabric's own time isn't real.
    """

    def __init__(self, on_turn: Callable[[], None], every_s: float) -> None:
        self.limit = trio.CancelScope()
        self.hung = ""
        self.interrupted = 0
        self._on_turn = on_turn
        self._every_s = every_s
        self._turned = real_monotonic()
        self._deadline = self._turned + RUN_LIMIT_S

    def stuck(self, why: str) -> None:
        """Cancel the run: it can't come to an end by itself."""
        self.hung = self.hung or why
        self.limit.cancel()

    def turned(self) -> None:
        """The loop of a fabric in virtual time lives."""
        now = real_monotonic()
        if now >= self._turned + self._every_s:
            self._turned = now
            self._on_turn()
            if now > self._deadline:
                self.stuck(f"the run: it took more than {RUN_LIMIT_S:g} s")

    def bound(self) -> None:
        """In real time the limit is a deadline like any other."""
        self.limit.deadline = trio.current_time() + RUN_LIMIT_S

    async def watch_signals(
        self, scope: trio.CancelScope, task_status: trio.TaskStatus[None]
    ) -> None:
        """Cancel on SIGINT and SIGTERM; only the main thread of a process hears them."""
        if threading.current_thread() is not threading.main_thread():
            task_status.started()
            return
        with trio.open_signal_receiver(signal.SIGINT, signal.SIGTERM) as numbers:
            task_status.started()
            async for number in numbers:
                self.interrupted = number
                scope.cancel()
