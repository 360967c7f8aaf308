"""Ends a client that blocks the event loop, which no cancellation can reach.

A heartbeat task winds an interval timer of the system (setitimer(2)); if the loop stands still
for too long, SIGALRM interrupts what runs. If that is the client's code, ``LoopBlocked`` is raised
in it; if it is ours or trio's, the machine is merely slow, and nothing happens. Only the main
thread of a POSIX process has that; elsewhere a blocked loop stays blocked.
"""

from __future__ import annotations

import signal
import threading
from collections.abc import AsyncIterator, Iterator
from contextlib import asynccontextmanager
from types import CodeType, FrameType

import trio

from harness.fabric import open_tasks

BLOCKED_LIMIT_S = 10.0
HEARTBEAT_S = 1.0


class LoopBlocked(BaseException):
    """The event loop stood still for too long; no Exception, so a client can't swallow it."""


class Watchdog:
    """Knows which functions of ours call into the client, and whether the loop was blocked."""

    def __init__(self, limit_s: float = BLOCKED_LIMIT_S) -> None:
        self.barked = False
        self._limit_s = limit_s
        self._gates: set[CodeType] = set()
        self._armed = False

    def guard(self, *functions: object) -> None:
        """Whatever runs below one of these coroutine functions is the client's code."""
        self._gates |= {function.__code__ for function in functions}  # type: ignore[attr-defined]

    @asynccontextmanager
    async def watching(self, *, winds_itself: bool = True) -> AsyncIterator[None]:
        """Raise LoopBlocked in client code that blocks the event loop while the block runs.

        Where time isn't real a sleeping task knows nothing of it: then somebody else must
        ``wind`` it.
        """
        on_main = threading.current_thread() is threading.main_thread()
        if not on_main or not hasattr(signal, "setitimer"):
            yield
            return
        before = signal.signal(signal.SIGALRM, self._bark)
        self._armed = True
        try:
            async with open_tasks() as tasks:
                self.wind()
                if winds_itself:
                    tasks.start_soon(self._beat)
                yield
        finally:
            self._armed = False
            signal.setitimer(signal.ITIMER_REAL, 0)
            signal.signal(signal.SIGALRM, before)

    def wind(self) -> None:
        """The event loop lives: begin to count anew."""
        if self._armed:
            signal.setitimer(signal.ITIMER_REAL, self._limit_s, self._limit_s)

    async def _beat(self) -> None:
        while True:
            self.wind()
            await trio.sleep(min(HEARTBEAT_S, self._limit_s / 3))

    def _bark(self, _: int, frame: FrameType | None) -> None:
        if any(code in self._gates for code in _codes(frame)):
            self.barked = True
            raise LoopBlocked(f"it blocked the event loop for {self._limit_s:g} s")


def _codes(frame: FrameType | None) -> Iterator[CodeType]:
    while frame is not None:
        yield frame.f_code
        frame = frame.f_back
