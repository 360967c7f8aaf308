"""The small tools below the shells: bells, alarms, tasks that end with a block."""

import pytest
import trio
from trio.testing import wait_all_tasks_blocked

from harness.fabric import Bell, LoopbackFabric, open_tasks

LATE_S = 5.0


async def test_a_ring_before_the_wait_is_kept():
    bell = Bell()
    bell.ring()
    bell.ring()
    with trio.fail_after(LATE_S):
        await bell.wait()
    with trio.move_on_after(0.01) as second:
        await bell.wait()
    assert second.cancelled_caught


async def test_a_cancelled_wait_leaves_the_bell_whole():
    bell = Bell()
    with trio.move_on_after(0.01):
        await bell.wait()
    bell.ring()
    with trio.fail_after(LATE_S):
        await bell.wait()


async def test_a_ring_wakes_the_task_that_waits():
    bell, woken = Bell(), []

    async def listener():
        await bell.wait()
        woken.append(True)

    async with trio.open_nursery() as nursery:
        nursery.start_soon(listener)
        await wait_all_tasks_blocked()
        bell.ring()
    assert woken == [True]


async def test_alarms_ring_in_order_never_early_and_not_when_cancelled():
    fabric, rung = LoopbackFabric(), []
    async with fabric.running():
        now, done = trio.current_time(), trio.Event()
        for delay_s in (0.03, 0.01, 0.02):
            when = now + delay_s
            fabric.call_at(when, lambda w=when: rung.append((w, trio.current_time())))
        fabric.call_at(now + 0.015, lambda: rung.append("cancelled")).cancel()
        fabric.call_at(now + 0.04, done.set)
        with trio.fail_after(LATE_S):
            await done.wait()
    assert [when for when, _ in rung] == sorted(now + d for d in (0.01, 0.02, 0.03))
    assert all(at >= when for when, at in rung)


async def test_an_alarm_in_the_past_rings_at_once():
    fabric, done = LoopbackFabric(), trio.Event()
    async with fabric.running():
        fabric.call_at(trio.current_time() - 1.0, done.set)
        with trio.fail_after(LATE_S):
            await done.wait()


async def test_tasks_end_with_their_block():
    ended = trio.Event()

    async def background():
        try:
            await trio.sleep_forever()
        finally:
            ended.set()

    async with open_tasks() as tasks:
        tasks.start_soon(background)
        await wait_all_tasks_blocked()
    assert ended.is_set()


async def test_the_blocks_exception_stays_what_it_is():
    async def block():
        async with open_tasks() as tasks:
            tasks.start_soon(trio.sleep_forever)
            raise KeyError

    with pytest.raises(KeyError):
        await block()


async def test_a_background_tasks_exception_comes_as_a_group():
    async def breaks():
        raise KeyError

    async def block():
        async with open_tasks() as tasks:
            tasks.start_soon(breaks)
            await trio.sleep_forever()

    with pytest.raises(ExceptionGroup):
        await block()
