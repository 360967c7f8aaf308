"""Many runs: one after the other in this process, or side by side in processes of their own.

A run in a process of its own shares no event loop with others, so what they do can't disturb its
verdict beyond the time they take.
"""

from __future__ import annotations

import multiprocessing
import os
import signal
import threading
from collections.abc import Callable, Iterator, Sequence
from concurrent.futures import Future, ProcessPoolExecutor, as_completed
from concurrent.futures.process import BrokenProcessPool
from contextlib import contextmanager
from dataclasses import dataclass
from multiprocessing.connection import wait
from multiprocessing.queues import SimpleQueue
from pathlib import Path
from types import FrameType

from harness.clients import load_client
from harness.errors import SetupError
from harness.result import Progress, RunResult
from harness.runner import kept
from harness.runner.run import run_scenario
from harness.runner.stage import Interrupted
from harness.scenario import Scenario

JOBS_LIMIT = 256


@dataclass(frozen=True, slots=True, kw_only=True)
class RunOptions:
    """How scenarios are run: by which client, with which seed, how often, how many at once.

    Repetitions have the same seed: where they differ, it is not by the harness's decisions.
    """

    client: str = "reference"
    seed: int | None = None
    repeat: int = 1
    jobs: int = 1
    keep: Path | None = None


def run_all(
    scenarios: Sequence[Scenario],
    options: RunOptions,
    on_progress: Callable[[Progress], None] = lambda _: None,
    on_result: Callable[[RunResult], None] = lambda _: None,
) -> list[RunResult]:
    """Every scenario, ``repeat`` times each, in the order of the scenarios.

    ``on_result`` is called as each run ends; with ``jobs`` that is not in order. Raises
    InputError if there is no such client, Interrupted on SIGINT or SIGTERM, after cleaning up.
    """
    load_client(options.client)  # its mistakes are told before anything runs
    tasks = [(s, n) for n in range(1, options.repeat + 1) for s in scenarios]

    def finish(result: RunResult) -> RunResult:
        if options.keep is not None:
            kept.keep(result, options.keep)
        on_result(result)
        return result

    if options.jobs <= 1 or len(tasks) <= 1:
        results = [finish(_run(s, options, n, on_progress)) for s, n in tasks]
    else:
        results = _run_side_by_side(tasks, options, on_progress, finish)
    places = {scenario.id: place for place, scenario in enumerate(scenarios)}
    return sorted(results, key=lambda result: (places[result.scenario.id], result.round))


def _run(
    scenario: Scenario,
    options: RunOptions,
    ordinal: int,
    on_progress: Callable[[Progress], None],
) -> RunResult:
    return run_scenario(
        scenario, options.client, seed=options.seed, ordinal=ordinal, on_progress=on_progress
    )


# --- side by side ---------------------------------------------------------------------------


def _run_side_by_side(
    tasks: Sequence[tuple[Scenario, int]],
    options: RunOptions,
    on_progress: Callable[[Progress], None],
    finish: Callable[[RunResult], RunResult],
) -> list[RunResult]:
    context = multiprocessing.get_context("spawn")  # fork would copy threads' locks in any state
    news: SimpleQueue[Progress | None] = context.SimpleQueue()
    workers = min(options.jobs, len(tasks), JOBS_LIMIT)
    with (
        _interruptible(),
        _relayed(news, on_progress),
        ProcessPoolExecutor(workers, context, initializer=_begin_work, initargs=(news,)) as pool,
    ):
        try:
            futures = [pool.submit(_work, s, options, n) for s, n in tasks]
            return [finish(_result(future)) for future in as_completed(futures)]
        except BaseException:
            for process in multiprocessing.active_children():
                process.terminate()
            pool.shutdown(wait=True, cancel_futures=True)
            raise


def _result(future: Future[RunResult]) -> RunResult:
    try:
        return future.result()
    except BrokenProcessPool as error:
        raise SetupError(
            "a process that runs scenarios was killed; there may be too little memory, "
            "try fewer --jobs"
        ) from error


@contextmanager
def _relayed(
    news: SimpleQueue[Progress | None], on_progress: Callable[[Progress], None]
) -> Iterator[None]:
    """Hand on what the workers report, while the block runs."""

    def relay() -> None:
        while (progress := news.get()) is not None:
            on_progress(progress)

    thread = threading.Thread(target=relay, name="progress", daemon=True)
    thread.start()
    try:
        yield
    finally:
        news.put(None)
        thread.join()


@contextmanager
def _interruptible() -> Iterator[None]:
    """Turn SIGINT and SIGTERM into Interrupted; the block's own clean-up ends the workers."""

    def interrupt(number: int, frame: FrameType | None) -> None:  # noqa: ARG001 - a handler's
        raise Interrupted(number)

    if threading.current_thread() is not threading.main_thread():
        yield
        return
    before = {number: signal.signal(number, interrupt) for number in _ENDING}
    try:
        yield
    finally:
        for number, handler in before.items():
            signal.signal(number, handler)


_ENDING = (signal.SIGINT, signal.SIGTERM)
_news: SimpleQueue[Progress | None] | None = None


def _begin_work(news: SimpleQueue[Progress | None]) -> None:
    """In a worker: report to the parent, and end when it does."""
    global _news  # noqa: PLW0603 - a worker is one process with one parent
    _news = news
    signal.signal(signal.SIGINT, signal.SIG_IGN)  # the terminal's Ctrl-C is the parent's to handle
    threading.Thread(target=_end_with_parent, daemon=True).start()


def _end_with_parent() -> None:
    parent = multiprocessing.parent_process()
    if parent is not None:
        wait([parent.sentinel])
        os._exit(1)


def _work(scenario: Scenario, options: RunOptions, ordinal: int) -> RunResult:
    assert _news is not None
    return _run(scenario, options, ordinal, _news.put)
