"""Alarms better than a millisecond.

trio sleeps in ``epoll_wait``, whose timeout is in whole milliseconds (epoll_wait(2)), so it wakes
up to one late. On Linux a timerfd (timerfd_create(2)) is a descriptor that becomes readable at a
nanosecond's instant, which wakes epoll at once. Elsewhere plain trio timers do.
"""

from __future__ import annotations

import ctypes
import heapq
import itertools
import os
import sys
from collections.abc import AsyncIterator, Callable
from contextlib import asynccontextmanager, suppress
from dataclasses import dataclass, field

import trio

from harness.fabric.tasks import open_tasks

_CLOCK_MONOTONIC = 1
_TFD_NONBLOCK_CLOEXEC = os.O_NONBLOCK | getattr(os, "O_CLOEXEC", 0)
_SOONEST_NS = 1
_LATEST_S = 86_400.0


@dataclass(order=True, slots=True)
class _Due:
    when: float
    ordinal: int
    call: Callable[[], None] | None = field(compare=False)

    def cancel(self) -> None:
        self.call = None


class Timers:
    """A heap of alarms, rung by one task; open it with ``open_timers``."""

    def __init__(self) -> None:
        self._heap: list[_Due] = []
        self._ordinals = itertools.count()
        self._sleeper: _TimerFd | _TrioSleeper = _TrioSleeper()
        if sys.platform == "linux":
            self._sleeper = _TimerFd.open_or_none() or self._sleeper

    @property
    def precise(self) -> bool:
        """Whether a timerfd is at work."""
        return isinstance(self._sleeper, _TimerFd)

    def call_at(self, when: float, call: Callable[[], None]) -> _Due:
        """Make ``call`` at this instant of trio's clock; it must be quick and not raise."""
        due = _Due(when, next(self._ordinals), call)
        heapq.heappush(self._heap, due)
        if self._heap[0] is due:
            self._sleeper.set(when)
        return due

    async def ring_forever(self) -> None:
        """Make the calls as they come due."""
        while True:
            self._ring(trio.current_time())
            if self._heap:
                self._sleeper.set(self._heap[0].when)
            await self._sleeper.sleep()

    def _ring(self, now: float) -> None:
        while self._heap and (self._heap[0].call is None or self._heap[0].when <= now):
            call = heapq.heappop(self._heap).call
            if call is not None:
                call()

    def close(self) -> None:
        """Give the timer back."""
        self._heap.clear()
        self._sleeper.close()


@asynccontextmanager
async def open_timers() -> AsyncIterator[Timers]:
    """Timers that work inside the block."""
    timers = Timers()
    try:
        async with open_tasks() as tasks:
            tasks.start_soon(timers.ring_forever)
            yield timers
    finally:
        timers.close()


class _TrioSleeper:
    """Plain trio: as fine as the event loop's own timer."""

    def __init__(self) -> None:
        self._when = trio.current_time() + _LATEST_S
        self._changed = trio.Event()

    def set(self, when: float) -> None:
        self._when = when
        self._changed.set()

    async def sleep(self) -> None:
        self._changed = trio.Event()
        with trio.CancelScope(deadline=self._when):
            await self._changed.wait()

    def close(self) -> None:
        """Nothing to give back."""


class _Timespec(ctypes.Structure):
    _fields_ = (("seconds", ctypes.c_long), ("nanoseconds", ctypes.c_long))


class _Itimerspec(ctypes.Structure):
    _fields_ = (("interval", _Timespec), ("value", _Timespec))


class _TimerFd:
    """A Linux timerfd; the standard library has it only from Python 3.13 on."""

    def __init__(self, libc: ctypes.CDLL, descriptor: int) -> None:
        self._libc = libc
        self._descriptor = descriptor

    @classmethod
    def open_or_none(cls) -> _TimerFd | None:
        """A timer, or None where the system has none to give."""
        try:
            libc = ctypes.CDLL(None, use_errno=True)
            descriptor = libc.timerfd_create(_CLOCK_MONOTONIC, _TFD_NONBLOCK_CLOEXEC)
        except (OSError, AttributeError):
            return None
        return cls(libc, descriptor) if descriptor >= 0 else None

    def set(self, when: float) -> None:
        wait_s = min(when - trio.current_time(), _LATEST_S)
        nanoseconds = max(int(wait_s * 1e9), _SOONEST_NS)
        value = _Timespec(*divmod(nanoseconds, 10**9))
        spec = _Itimerspec(_Timespec(0, 0), value)
        self._libc.timerfd_settime(self._descriptor, 0, ctypes.byref(spec), None)

    async def sleep(self) -> None:
        await trio.lowlevel.wait_readable(self._descriptor)
        with suppress(BlockingIOError):  # set anew since it woke us: nothing has expired yet
            os.read(self._descriptor, 8)

    def close(self) -> None:
        os.close(self._descriptor)
