"""Running a program on trio in virtual time, the same way every time."""

from __future__ import annotations

import gc
import random
from collections.abc import Awaitable, Callable, Iterator
from contextlib import contextmanager
from typing import TypeVar

import trio

from harness.fabric._base import Guard
from harness.fabric.virtual.clock import VirtualClock
from harness.fabric.virtual.determinism import deterministic_scheduling
from harness.fabric.virtual.network import Network
from harness.fabric.virtual.shim import virtual_time
from harness.fabric.waiting import waiting_tasks

T = TypeVar("T")

LIMIT_S = 30 * 86_400.0
"""No run lasts longer than this in virtual time."""
WAITING_SHOWN = 12


def run_virtually(
    main: Callable[[], Awaitable[T]], network: Network, *, seed: object, guard: Guard
) -> T:
    """What ``main`` returns, run by trio in the network's time.

    All that could differ from run to run is tied down: the order of tasks, the ``random`` module,
    the instants at which garbage is collected. A deadlock, a livelock and a run without end are
    told to the guard, which should cancel it.
    """

    def deadlocked() -> None:
        waiting = waiting_tasks()
        shown = "; ".join(waiting[:WAITING_SHOWN])
        more = f"; and {len(waiting) - WAITING_SHOWN} more" if len(waiting) > WAITING_SHOWN else ""
        guard.stuck(f"deadlock: every task waits and nothing is on its way: {shown}{more}")

    clock = VirtualClock(
        network,
        limit_s=LIMIT_S,
        on_deadlock=deadlocked,
        on_livelock=lambda: guard.stuck("livelock: tasks run on and on and are never idle"),
        on_limit=lambda: guard.stuck(f"the run: it was not over after {LIMIT_S:g} s"),
        on_turn=guard.turned,
    )
    with (
        deterministic_scheduling(seed),
        virtual_time(lambda: network.now),
        _seeded_random(seed),
        _collected_by_the_clock(),
    ):
        return trio.run(
            main, clock=clock, instruments=[clock], restrict_keyboard_interrupt_to_checkpoints=True
        )


@contextmanager
def _seeded_random(seed: object) -> Iterator[None]:
    """Libraries draw from the ``random`` module, for the jitter of their back-off, say."""
    before = random.getstate()
    random.seed(f"library {seed}")
    try:
        yield
    finally:
        random.setstate(before)


@contextmanager
def _collected_by_the_clock() -> Iterator[None]:
    """Garbage is collected when the clock says so, and never in between."""
    was_on = gc.isenabled()
    gc.disable()
    try:
        yield
    finally:
        if was_on:
            gc.enable()
