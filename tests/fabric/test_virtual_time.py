"""Virtual time: it jumps, it never sleeps, and it knows when nothing can happen any more."""

import gc
import time
import weakref

import pytest
import trio
from virtually import Guarded, virtually

from harness.fabric.virtual import clock as clocks

HOUR_S = 3600.0


def test_an_hour_of_sleep_takes_no_time():
    async def main(_):
        await trio.sleep(HOUR_S)
        return trio.current_time()

    began = time.monotonic()
    assert virtually(main) == HOUR_S
    assert time.monotonic() - began < HOUR_S / 100


def test_alarms_and_deadlines_come_in_the_order_of_their_instants():
    async def main(fabric):
        order = []

        async def sleep(delay_s):
            await trio.sleep(delay_s)
            order.append(trio.current_time())

        for when in (3.0, 1.0):
            fabric.call_at(when, lambda: order.append(trio.current_time()))
        fabric.call_at(2.5, lambda: order.append("taken back")).cancel()
        async with trio.open_nursery() as nursery:
            for delay_s in (4.0, 2.0):
                nursery.start_soon(sleep, delay_s)
        return order

    assert virtually(main) == [1.0, 2.0, 3.0, 4.0]


def test_a_deadlock_is_told_with_what_each_task_waits_for():
    async def waits_for_its_lock(lock):
        async with lock:
            pass

    async def main(_):
        lock = trio.Lock()
        await lock.acquire()
        async with trio.open_nursery() as nursery:
            nursery.start_soon(waits_for_its_lock, lock)

    guard = Guarded()
    virtually(main, guard=guard)
    assert len(guard.told) == 1
    assert guard.told[0].startswith("deadlock: every task waits and nothing is on its way")
    assert "waits in waits_for_its_lock" in guard.told[0]


def test_a_receive_that_nobody_answers_is_a_deadlock():
    async def main(fabric):
        port = fabric.listen("127.0.0.1", 0)
        stream = await trio.open_tcp_stream("127.0.0.1", port.number)
        async with stream:
            await stream.receive_some(1)

    guard = Guarded()
    virtually(main, guard=guard)
    assert "waits in main" in guard.told[0]


async def busy_for_ever(_=None):
    while True:
        await trio.lowlevel.checkpoint()


def test_a_busy_loop_comes_to_its_deadline():
    async def main(_):
        with trio.move_on_after(2.0):
            await busy_for_ever()
        return trio.current_time()

    assert virtually(main) == pytest.approx(2.0, abs=3 * clocks.BUSY_TURN_S)


def test_what_is_busy_for_a_moment_takes_no_time():
    async def main(_):
        for _ in range(clocks.BUSY_TURNS // 2):
            await trio.lowlevel.checkpoint()
        return trio.current_time()

    assert virtually(main) == 0.0


def test_tasks_that_are_never_idle_and_have_no_deadline_are_a_livelock(monkeypatch):
    monkeypatch.setattr(clocks, "TURNS_LIMIT", 5000)
    guard = Guarded()
    virtually(busy_for_ever, guard=guard)
    assert guard.told == ["livelock: tasks run on and on and are never idle"]


def test_a_run_without_end_is_told_to_its_guard():
    async def main(_):
        for day in range(1, 100):
            await trio.sleep_until(86_400 * day)

    guard = Guarded()
    virtually(main, guard=guard)
    assert guard.told == ["the run: it was not over after 2.592e+06 s"]


def test_time_stands_still_while_a_thread_works():
    async def main(_):
        with trio.move_on_after(HOUR_S) as scope:
            await trio.to_thread.run_sync(time.sleep, 0.05)
        return scope.cancelled_caught, trio.current_time()

    assert virtually(main) == (False, 0.0)


def test_garbage_is_collected_when_the_clock_says_so(monkeypatch):
    monkeypatch.setattr(clocks, "COLLECT_TURNS", 50)

    class Ring:
        pass

    async def main(_):
        ring = Ring()
        ring.itself = ring
        gone = []
        weakref.finalize(ring, lambda: gone.append(trio.current_time()))
        del ring
        assert not gc.isenabled()
        for _ in range(200):
            await trio.sleep(1)
        return gone

    first, again = virtually(main), virtually(main)
    assert first == again
    assert len(first) == 1
    assert gc.isenabled()


def test_the_guard_hears_that_the_loop_turns():
    async def main(_):
        for _ in range(10):
            await trio.sleep(1)

    guard = Guarded()
    virtually(main, guard=guard)
    assert guard.turns >= 10


def test_an_exception_of_the_program_comes_out_as_it_is():
    async def main(_):
        raise KeyError("mine")

    with pytest.raises(KeyError, match="mine"):
        virtually(main)
