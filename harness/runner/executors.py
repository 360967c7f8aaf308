"""Where runs are carried out: here, in processes, or wherever an executor of others brings them.

Everything that makes many runs submits them to a ``concurrent.futures.Executor``, so that a
cluster engine's can stand where ours does. ``open_executor`` opens the one that is named::

    process                    processes of this machine; with one job, this very process
    dask:ADDRESS               a Dask cluster, by the address of its scheduler
    MODULE:FACTORY[:ADDRESS]   what the factory returns, given the address if there is one

What is sent to a worker is plain values and names: a scenario carries its own text, a client is
found there by the name or the path that was given here.
"""

from __future__ import annotations

import importlib
import multiprocessing
import os
import signal
import sys
import threading
from collections.abc import Callable, Generator, Iterable, Iterator
from concurrent.futures import (
    FIRST_COMPLETED,
    BrokenExecutor,
    CancelledError,
    Executor,
    Future,
    ProcessPoolExecutor,
    wait,
)
from contextlib import contextmanager, suppress
from itertools import islice
from multiprocessing.connection import wait as wait_for_end
from multiprocessing.queues import SimpleQueue
from pathlib import Path
from types import FrameType
from typing import Any, TypeVar

from harness.errors import SIGNALLED, HarnessError, InputError, Problem, SetupError
from harness.registry import did_you_mean
from harness.result import Progress
from harness.runner.oversight import Interrupted

T = TypeVar("T")
R = TypeVar("R")

PROCESS, DASK = "process", "dask"
JOBS_LIMIT = 256
"""No more processes than this, however many jobs are asked for."""
AHEAD = 2
"""So many runs are submitted for each job: one is made while the next one waits for its turn."""
CONNECT_LIMIT_S = 10.0
"""How long a cluster may take to answer."""
RELAY_LIMIT_S = 1.0
"""How long the last news of workers that were ended may take."""

_FORMS = "write process, dask:ADDRESS or MODULE:FACTORY[:ADDRESS]"
_INSTALL = "pip install distributed"

Listener = Callable[[Progress], None]


def check_executor(spec: str) -> None:
    """Raise InputError if this names no executor, SetupError if what it needs isn't installed."""
    name, colon, rest = spec.partition(":")
    if spec == PROCESS:
        return
    if name == DASK:
        if not rest:
            hint = "write dask:ADDRESS, such as dask:127.0.0.1:8786"
            raise InputError(Problem("--executor: dask needs its scheduler's address", hint))
        _dask()
    elif not colon or name == PROCESS:
        guess = did_you_mean(name, [PROCESS, DASK])
        hint = guess if guess.startswith("did") and name != PROCESS else _FORMS
        raise InputError(Problem(f"--executor: {spec!r} names no executor", hint))
    else:
        _factory(spec)


@contextmanager
def open_executor(
    spec: str = PROCESS,
    jobs: int = 1,
    on_progress: Listener = lambda _: None,
    *,
    confined: bool = False,
) -> Iterator[Executor]:
    """The executor of this name, ready for work; it and its work have ended when the block has.

    ``confined`` processes are in a user namespace, where they may make networks; there is no way
    back out of one, so even one job has a process of its own then.

    Within the block SIGINT and SIGTERM raise Interrupted. Workers in this process and in
    processes of their own report progress; others don't. Raises InputError if nothing is called
    so, SetupError if it can't be had.
    """
    check_executor(spec)
    with _interruptible():
        if spec != PROCESS:
            with _telling(on_progress), _foreign(spec) as executor:
                yield executor
        elif jobs <= 1 and not confined:
            with _telling(on_progress), Here() as executor:
                yield executor
        else:
            workers = max(1, min(jobs, JOBS_LIMIT))
            with _processes(workers, on_progress, confined=confined) as executor:
                yield executor


def completed(
    executor: Executor, work: Callable[[T], R], items: Iterable[T], jobs: int
) -> Generator[tuple[T, R], None, None]:
    """Each item with what ``work`` makes of it, as it ends, in no order.

    Few items at a time are taken and submitted, so there may be any number of them; ``work`` and
    items must be picklable. What ``work`` raises is raised here; an executor that breaks is a
    SetupError. What has not begun when the iteration ends early is not begun any more.
    """
    at_once = 1 if isinstance(executor, Here) else max(jobs, 1) * AHEAD
    rest = iter(items)
    waiting: dict[Future[R], T] = {}
    try:
        while True:
            for item in islice(rest, at_once - len(waiting)):
                waiting[_submitted(executor, work, item)] = item
            if not waiting:
                return
            done, _ = wait(waiting, return_when=FIRST_COMPLETED)
            for future in done:
                yield waiting.pop(future), _result(future, executor)
    except GeneratorExit:
        # Not on errors: then whoever opened the executor ends it, and up to Python 3.11 a process
        # pool that breaks while futures of it are cancelled loses its own thread.
        for future in waiting:
            future.cancel()
        raise


def tell_progress(news: Progress) -> None:
    """In a worker: tell whoever opened the executor, if it can be told."""
    for listener in _listeners[-1:]:
        listener(news)


def _submitted(executor: Executor, work: Callable[[T], R], item: T) -> Future[R]:
    try:
        return executor.submit(work, item)
    except BrokenExecutor as error:
        raise _broken(executor, error) from error


def _result(future: Future[R], executor: Executor) -> R:
    try:
        return future.result()
    except HarnessError:
        raise
    except (BrokenExecutor, CancelledError) as error:  # noqa: ASYNC103 - a future's, no task's
        raise _broken(executor, error) from error  # noqa: ASYNC104 - likewise
    except Exception as error:
        if _home(type(error)) == _home(type(executor)):
            raise _broken(executor, error) from error
        raise


def _home(kind: type[Any]) -> str:
    """The package that an executor, and errors of its own, come from."""
    return kind.__module__.partition(".")[0]


def _broken(executor: Executor, error: BaseException) -> SetupError:
    if isinstance(executor, ProcessPoolExecutor):
        return SetupError(
            "a process that runs scenarios was killed; there may be too little memory, "
            "try fewer --jobs"
        )
    told = f"{type(error).__name__}: {error}".rstrip(": ")
    return SetupError(f"the executor ({type(executor).__name__}) lost its work: {told}")


# --- here -----------------------------------------------------------------------------------


class Here(Executor):
    """Does the work at once, in the thread that submits it; an interruption goes right through."""

    def submit(self, fn: Callable[..., R], /, *args: Any, **kwargs: Any) -> Future[R]:
        """The result, which is there already."""
        future: Future[R] = Future()
        try:
            future.set_result(fn(*args, **kwargs))
        except Exception as error:  # noqa: BLE001 - it is raised where the result is asked for
            future.set_exception(error)
        return future


_listeners: list[Listener] = []
"""Who is told of progress in this process; the last one counts."""


@contextmanager
def _telling(listener: Listener) -> Iterator[None]:
    _listeners.append(listener)
    try:
        yield
    finally:
        _listeners.remove(listener)


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


# --- processes ------------------------------------------------------------------------------


class Processes(ProcessPoolExecutor):
    """Processes that end when their work is interrupted, instead of taking the next."""

    def submit(self, fn: Callable[..., R], /, *args: Any, **kwargs: Any) -> Future[R]:
        """The result that will be there."""
        return super().submit(_work_or_leave, fn, *args, **kwargs)


def _work_or_leave(work: Callable[..., R], *args: Any, **kwargs: Any) -> R:
    """In a worker: the result; a signal ends the process, once what the work had open is closed.

    To the pool an interruption is a result like any other: it would hand out more work, and the
    parent would wait for that.
    """
    try:
        return work(*args, **kwargs)
    except Interrupted as interrupted:
        os._exit(SIGNALLED + interrupted.number)


@contextmanager
def _processes(workers: int, on_progress: Listener, *, confined: bool) -> Iterator[Executor]:
    context = multiprocessing.get_context("spawn")  # fork would copy threads' locks in any state
    news: SimpleQueue[Progress | None] = context.SimpleQueue()
    others = multiprocessing.active_children()
    with (
        _relayed(news, on_progress),
        Processes(workers, context, initializer=_begin_work, initargs=(news, confined)) as pool,
    ):
        try:
            yield pool
        except BaseException:
            for process in multiprocessing.active_children():
                if process not in others:
                    process.terminate()
            pool.shutdown(wait=True, cancel_futures=True)
            raise


@contextmanager
def _relayed(news: SimpleQueue[Progress | None], on_progress: Listener) -> Iterator[None]:
    """Hand on what the workers report, while the block runs."""

    def relay() -> None:
        while (progress := news.get()) is not None:
            on_progress(progress)

    relaying = threading.Thread(target=relay, name="progress", daemon=True)
    relaying.start()
    try:
        yield
    finally:
        # A worker that was ended while it wrote holds the queue's lock for ever.
        ending = threading.Thread(target=news.put, args=(None,), name="no-more", daemon=True)
        ending.start()
        ending.join(RELAY_LIMIT_S)
        relaying.join(RELAY_LIMIT_S)


def _begin_work(news: SimpleQueue[Progress | None], confined: bool) -> None:
    """In a worker: report to the parent, and end when it does."""
    if confined:
        from harness.fabric.netns.entering import enter_user_namespace  # noqa: PLC0415 - Linux's own

        with suppress(SetupError):  # each run finds out for itself, and says so
            enter_user_namespace()  # while there is but one thread
    _listeners.append(news.put)
    signal.signal(signal.SIGINT, signal.SIG_IGN)  # the terminal's Ctrl-C is the parent's to handle
    threading.Thread(target=_end_with_parent, daemon=True).start()


def _end_with_parent() -> None:
    parent = multiprocessing.parent_process()
    if parent is not None:
        wait_for_end([parent.sentinel])
        os._exit(1)


# --- executors of others --------------------------------------------------------------------


@contextmanager
def _foreign(spec: str) -> Iterator[Executor]:
    name, _, address = spec.partition(":")
    with _on_dask(address) if name == DASK else _made_by(spec) as executor:
        try:
            yield executor
        except BaseException:
            _abandon(executor)
            raise


def _abandon(executor: Executor) -> None:
    """Begin nothing more; what runs on other machines may still come to its end there."""
    try:
        executor.shutdown(wait=False, cancel_futures=True)
    except TypeError:  # not every engine's executor knows the newer argument
        executor.shutdown(wait=False)


def _dask() -> Any:
    try:
        return importlib.import_module("distributed")
    except ImportError as error:
        raise SetupError(f"--executor dask: its package is missing: {_INSTALL}") from error


@contextmanager
def _on_dask(address: str) -> Iterator[Executor]:
    distributed = _dask()
    try:
        client = distributed.Client(address, timeout=CONNECT_LIMIT_S, set_as_default=False)
    except (OSError, ValueError) as error:
        why = f"no Dask scheduler answers at {address}: {error}"
        raise SetupError(f"--executor dask: {why}") from error
    with client, client.get_executor(pure=False) as executor:
        yield executor


def _factory(spec: str) -> tuple[Callable[..., Any], str]:
    """The factory that is named, and the address for it; modules of this folder are found, too."""
    module_name, _, rest = spec.partition(":")
    factory_name, _, address = rest.partition(":")
    here = str(Path.cwd())
    if here not in sys.path:
        sys.path.append(here)
    try:
        module = importlib.import_module(module_name)
    except Exception as error:
        text = f"--executor: importing {module_name!r} raised {type(error).__name__}: {error}"
        raise InputError(Problem(text, _FORMS)) from error
    factory = getattr(module, factory_name, None)
    if not callable(factory):
        known = [name for name, value in vars(module).items() if callable(value)]
        text = f"--executor: {module_name} has no factory {factory_name!r}"
        raise InputError(Problem(text, did_you_mean(factory_name, known) if known else _FORMS))
    return factory, address


@contextmanager
def _made_by(spec: str) -> Iterator[Executor]:
    factory, address = _factory(spec)
    try:
        executor = factory(address) if address else factory()
    except Exception as error:
        text = f"its factory raised {type(error).__name__}: {error}"
        raise SetupError(f"--executor {spec}: {text}") from error
    if not isinstance(executor, Executor):
        text = f"--executor: {spec} returned {type(executor).__name__}, which is no executor"
        raise InputError(Problem(text, "return a concurrent.futures.Executor"))
    with executor:
        yield executor
