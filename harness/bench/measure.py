"""Running the benchmark: contenders take turns, round by round, for each measure."""

from __future__ import annotations

import os
import platform
import signal
import tempfile
import threading
from collections.abc import Callable, Iterator
from contextlib import contextmanager
from functools import partial
from pathlib import Path
from statistics import median
from types import FrameType
from typing import TypeVar

from harness.bench.child import raise_file_limit
from harness.bench.contenders import (
    FOREIGN,
    HAPROXY,
    PROXY,
    Target,
    open_contenders,
    open_far_end,
)
from harness.bench.figures import BenchReport, lateness_s
from harness.bench.load import (
    bulk_bytes_per_s,
    connections_per_s,
    idle_bytes,
    round_trips_s,
)
from harness.errors import SetupError
from harness.marking import file_prefix

IDLE_CONNECTIONS = 1_000
SHORT_S = 0.5
"""Below this a measure is a mere trial, and fewer idle connections do."""

SPARE_DESCRIPTORS = 100

T = TypeVar("T")
Samples = dict[str, dict[str, list[float]]]
OnProgress = Callable[[str], None]


def run_bench(
    *,
    rounds: int = 5,
    seconds_per_measure: float = 1.0,
    on_progress: OnProgress = lambda _: None,
) -> BenchReport:
    """Measure every contender this machine has; ``on_progress`` hears what is measured now.

    Whatever ends it (an exception of ``on_progress``, Ctrl-C, SIGTERM), no process and no file
    of it stays. Raises SetupError if the far end or this project's own proxy doesn't serve.
    """
    raise_file_limit()
    prefix = file_prefix("harness-bench")
    with _exit_on_sigterm(), tempfile.TemporaryDirectory(prefix=prefix) as name:
        directory = Path(name)
        with (
            open_far_end(directory) as far_port,
            open_contenders(far_port, directory) as (targets, missing),
        ):
            run = _Run(targets, missing, seconds_per_measure, on_progress)
            run.weigh()
            for number in range(1, rounds + 1):
                run.take_turns(number)
    return BenchReport(
        samples=run.samples,
        missing=missing,
        machine=_machine(),
        rounds=rounds,
        seconds_per_measure=seconds_per_measure,
    )


class _Run:
    """The samples of one run, as they grow."""

    def __init__(
        self,
        targets: dict[str, Target],
        missing: dict[str, str],
        seconds: float,
        on_progress: OnProgress,
    ) -> None:
        self.samples: Samples = {name: {} for name in targets}
        self._targets = targets
        self._missing = missing
        self._seconds = seconds
        self._on_progress = on_progress

    def weigh(self) -> None:
        """Measure memory once, while the contenders are fresh."""
        room = (raise_file_limit() - SPARE_DESCRIPTORS) // 2
        wanted = int(IDLE_CONNECTIONS * min(1.0, self._seconds / SHORT_S))
        connections = max(1, min(wanted, room))
        for name in (PROXY, HAPROXY):
            if name in self._targets:
                self._on_progress(f"memory of idle connections: {name}")
                size = self._ask(name, partial(idle_bytes, self._targets[name], connections))
                if size is not None:
                    self._note(name, "idle_bytes", size)

    def take_turns(self, number: int) -> None:
        """One round: each measure of each contender."""
        for title, measure in (
            ("round trips", self._round_trips),
            ("new connections", self._connections),
            ("bulk", self._bulk),
        ):
            for name in tuple(self._targets):
                self._on_progress(f"round {number}, {title}: {name}")
                self._ask(name, partial(measure, name, self._targets[name]))

    def _round_trips(self, name: str, target: Target) -> None:
        took_s = round_trips_s(target, self._seconds)
        if not target.delay_s:
            self._note(name, "round_trip_s", median(took_s))
            return
        # Who has slept as long wakes up as slowly: that is the machine's doing, not the fault's.
        paced_s = round_trips_s(self._targets[PROXY], self._seconds, pause_s=target.delay_s)
        baseline_s = median(paced_s)
        for key, share in (("late_p50_s", 0.5), ("late_p99_s", 0.99)):
            self._note(name, key, lateness_s(took_s, baseline_s, target.delay_s, share))

    def _connections(self, name: str, target: Target) -> None:
        if not target.delay_s:
            self._note(name, "connections_per_s", connections_per_s(target, self._seconds))

    def _bulk(self, name: str, target: Target) -> None:
        self._note(name, "bulk_bytes_per_s", bulk_bytes_per_s(target, self._seconds))

    def _note(self, name: str, key: str, value: float) -> None:
        self.samples[name].setdefault(key, []).append(value)

    def _ask(self, name: str, call: Callable[[], T]) -> T | None:
        """Measure; a contender of others that breaks is out, and the rest goes on."""
        try:
            return call()
        except OSError as error:
            if name not in FOREIGN:
                raise SetupError(f"{name} broke in the middle of the benchmark: {error}") from error
            self._missing[name] = f"it broke in the middle: {error}"
            del self._targets[name], self.samples[name]
            return None


@contextmanager
def _exit_on_sigterm() -> Iterator[None]:
    """Let SIGTERM unwind the stack as Ctrl-C does, so that everything is tidied up."""
    if threading.current_thread() is not threading.main_thread():
        yield  # only the main thread may set handlers, and only it is interrupted
        return
    before = signal.signal(signal.SIGTERM, _raise_exit)
    try:
        yield
    finally:
        signal.signal(signal.SIGTERM, before)


def _raise_exit(number: int, _: FrameType | None) -> None:
    raise SystemExit(128 + number)


def _machine() -> dict[str, str]:
    return {
        "system": f"{platform.system()} {platform.release()}",
        "Python": platform.python_version(),
        "processors": str(os.cpu_count()),
    }
