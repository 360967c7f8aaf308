"""Virtual time: a clock that runs the network while every task waits.

trio asks its clock how long to sleep only when no task can run. This one never sleeps: it moves
the network to the next instant at which something is due there or a deadline of trio's expires,
so an hour in which nothing happens takes no time, and between two instants time stands still.

When no task can run, nothing is due and nobody has a deadline, the program is deadlocked: nothing
can ever happen again. That is told to who owns the clock, because waiting longer would not help.

Work costs no time, with one exception: a program that is never idle, such as a client that tries
again and again without a pause, would run for ever at one instant. After ``BUSY_TURNS`` turns of
the loop in a row every turn takes ``BUSY_TURN_S``, as it would on a machine, so that deadlines
come. A program that goes on like that is told as a livelock.
"""

from __future__ import annotations

import gc
import math
from collections.abc import Callable

import trio

from harness.fabric.virtual.network import Network

BUSY_TURNS = 2_000
"""So often the loop turns at one instant before turns begin to cost time."""
BUSY_TURN_S = 0.001
TURNS_LIMIT = 100_000
"""So often the loop may turn without ever being idle; more is a livelock."""
STANDSTILL_S = 0.05
"""How long to sleep for real in a deadlock, so that signals and threads are heard."""
LISTENING_TURNS = 2
"""So often the loop looks for signals and news of threads before anything counts as stuck."""
THREAD_POLL_S = 0.005
"""The same while threads work: what they do takes real time, and virtual time waits for it."""
COLLECT_TURNS = 20_000
"""Garbage is collected after so many turns, not when an allocator feels like it: what is found
there closes sockets, and that must happen at the same instant in every run."""


class VirtualClock(trio.abc.Clock, trio.abc.Instrument):
    """The clock and the engine of a virtual network; give it to ``trio.run`` in both roles."""

    def __init__(
        self,
        network: Network,
        *,
        on_deadlock: Callable[[], None],
        on_livelock: Callable[[], None],
        limit_s: float = math.inf,
        on_limit: Callable[[], None] = lambda: None,
        on_turn: Callable[[], None] = lambda: None,
    ) -> None:
        self._network = network
        self._on_deadlock = on_deadlock
        self._on_livelock = on_livelock
        self._on_limit = on_limit
        self._on_turn = on_turn
        self._limit = network.now + limit_s
        self._turns = 0
        self._busy_turns = 0
        self._stuck_turns = 0

    # --- trio.abc.Clock ---------------------------------------------------------------------

    def start_clock(self) -> None:
        """Nothing to start: time begins where the network stands."""

    def current_time(self) -> float:
        """The network's instant."""
        return self._network.now

    def deadline_to_sleep_time(self, deadline: float) -> float:
        """Nearly nothing: what is due next is made to happen instead."""
        network = self._network
        if deadline <= network.now:
            return 0.0
        if trio.to_thread.current_default_thread_limiter().borrowed_tokens:
            return THREAD_POLL_S
        when = min(network.next_due(), deadline)
        if when == math.inf:
            return self._stuck(self._on_deadlock)
        if when > self._limit:
            return self._stuck(self._on_limit)
        self._stuck_turns = 0
        if when > network.now:
            self._busy_turns = 0
        network.run_until(when)
        return 0.0

    def _stuck(self, tell: Callable[[], None]) -> float:
        """Tell once; whoever is told ends the run, and until that helps, be patient."""
        self._stuck_turns += 1
        if self._stuck_turns <= LISTENING_TURNS:
            return 0.0
        if self._stuck_turns == LISTENING_TURNS + 1:
            tell()
            return 0.0
        return STANDSTILL_S

    # --- trio.abc.Instrument ----------------------------------------------------------------

    def before_io_wait(self, _: float) -> None:
        """The loop turns once more."""
        self._turns += 1
        self._busy_turns += 1
        if self._busy_turns > BUSY_TURNS:
            self._network.run_until(self._network.now + BUSY_TURN_S)
        if self._busy_turns == TURNS_LIMIT:
            self._on_livelock()
        if self._turns % COLLECT_TURNS == 0:
            gc.collect()
        self._on_turn()
