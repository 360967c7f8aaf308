"""The same seed gives the same order of tasks, and a trio that can't is refused."""

import threading
from random import Random
from types import SimpleNamespace

import pytest
import trio
from virtually import virtually

from harness.errors import SetupError
from harness.fabric.virtual import determinism
from harness.fabric.virtual.determinism import deterministic_scheduling


async def race(_=None):
    order = []

    async def step(number):
        for _ in range(5):
            order.append(number)
            await trio.lowlevel.checkpoint()

    async with trio.open_nursery() as nursery:
        for number in range(8):
            nursery.start_soon(step, number)
    return tuple(order)


def test_one_seed_one_order_and_another_seed_another():
    orders = {seed: {virtually(race, seed=seed) for _ in range(3)} for seed in range(10)}
    assert all(len(found) == 1 for found in orders.values())
    assert len(set.union(*orders.values())) > 5


def test_objects_in_memory_make_no_difference():
    first = virtually(race, seed=3)
    ballast = [object() for _ in range(10_000)]
    assert virtually(race, seed=3) == first
    assert ballast


def test_the_scheduler_is_given_back_as_it_was():
    generator, switch = trio._core._run._r, trio._core._run._ALLOW_DETERMINISTIC_SCHEDULING
    before = generator.getstate()
    with deterministic_scheduling(1):
        assert trio._core._run._ALLOW_DETERMINISTIC_SCHEDULING is True
        assert generator.getstate() != before
    assert trio._core._run._ALLOW_DETERMINISTIC_SCHEDULING is switch
    assert generator.getstate() == before


@pytest.mark.parametrize(
    "private",
    [
        SimpleNamespace(),
        SimpleNamespace(_ALLOW_DETERMINISTIC_SCHEDULING=False, _r=None),
        SimpleNamespace(_r=Random(1)),
    ],
    ids=["nothing", "no-generator", "no-switch"],
)
def test_a_trio_with_other_names_is_refused(monkeypatch, private):
    monkeypatch.setattr(trio._core, "_run", private)
    monkeypatch.setattr(determinism, "_tested", [])
    with pytest.raises(SetupError, match="can't be made repeatable"), deterministic_scheduling(1):
        pass


def test_a_trio_that_ignores_the_seed_is_refused(monkeypatch):
    monkeypatch.setattr(trio._core._run, "_r", Unseedable())
    monkeypatch.setattr(determinism, "_tested", [])
    with pytest.raises(SetupError, match="can't be made repeatable"), deterministic_scheduling(1):
        pass


class Unseedable(Random):
    def seed(self, *args):
        super().seed()


def test_two_threads_take_turns():
    found, inside = [], []

    def run(seed):
        with deterministic_scheduling(seed):
            inside.append(seed)
            found.append((seed, len(inside)))
            trio.run(race)
            inside.remove(seed)

    threads = [threading.Thread(target=run, args=(seed,)) for seed in range(4)]
    for thread in threads:
        thread.start()
    for thread in threads:
        thread.join()
    assert sorted(found) == [(seed, 1) for seed in range(4)]


def test_the_random_module_is_seeded_too():
    import random

    async def draw(_):
        return random.random()

    before = random.getstate()
    assert virtually(draw, seed=1) == virtually(draw, seed=1) != virtually(draw, seed=2)
    assert random.getstate() == before
