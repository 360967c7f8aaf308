"""The same seed, the same order of tasks: trio's scheduler made repeatable.

trio shuffles the tasks that can run on purpose, with a generator that nobody seeds, and gathers
them in sets ordered by memory addresses. For its own tests it has a switch that sorts them first.
Neither has a public name, so both private ones are touched in one function here and nowhere
else, and a self-test says at once if a release of trio works in another way.
"""

from __future__ import annotations

import threading
from collections.abc import Iterator
from contextlib import contextmanager
from random import Random
from types import ModuleType

import trio

from harness.errors import SetupError

_SWITCH = "_ALLOW_DETERMINISTIC_SCHEDULING"
_GENERATOR = "_r"
_TASKS = 6
_ROUNDS = 4
_turn = threading.RLock()
_tested: list[bool] = []


@contextmanager
def deterministic_scheduling(seed: object) -> Iterator[None]:
    """Inside the block, ``trio.run`` orders tasks by this seed alone.

    One block a process at a time: another thread waits for its turn. Raises SetupError if this
    trio can't be made repeatable.
    """
    with _turn:
        if not _tested:
            _test_scheduler()
            _tested.append(True)
        with _repeatable(seed):
            yield


@contextmanager
def _repeatable(seed: object) -> Iterator[None]:
    """The one place that knows trio's private names."""
    loop: ModuleType | None = getattr(getattr(trio, "_core", None), "_run", None)
    generator = getattr(loop, _GENERATOR, None)
    if loop is None or not hasattr(loop, _SWITCH) or not isinstance(generator, Random):
        raise _unfit()
    before, state = getattr(loop, _SWITCH), generator.getstate()
    setattr(loop, _SWITCH, True)
    generator.seed(f"schedule {seed}")
    try:
        yield
    finally:
        setattr(loop, _SWITCH, before)
        generator.setstate(state)


def _test_scheduler() -> None:
    """Whether the seed, and nothing else, chooses the order of tasks."""
    orders = []
    for seed in ("one", "one", "other", "third"):
        with _repeatable(seed):
            orders.append(trio.run(_order_of_tasks))
    first, again, *others = orders
    if first != again or all(order == first for order in others):
        raise _unfit()


async def _order_of_tasks() -> list[int]:
    """In which order tasks run that all can run."""
    order: list[int] = []

    async def step(number: int) -> None:
        for _ in range(_ROUNDS):
            order.append(number)
            await trio.lowlevel.checkpoint()

    async with trio.open_nursery() as nursery:
        for number in range(_TASKS):
            nursery.start_soon(step, number)
    return order


def _unfit() -> SetupError:
    return SetupError(
        f"trio {trio.__version__} can't be made repeatable: its scheduler works in a way that "
        "this version doesn't know; use a release of trio it was tested with"
    )
