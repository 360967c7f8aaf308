"""Calls from trio to asyncio: outcomes, cancellation at an exact step, and the end of it all."""

import asyncio

import pytest
import trio
from kit import HOST, virtually

from harness.fabric.virtual.aio import EndedCancelled

HOUR_S = 3600.0


def test_the_outcome_of_a_call_is_its_caller_s():
    async def good(value):
        await asyncio.sleep(1)
        return value

    async def bad():
        raise KeyError("mine")

    async def main(world):
        assert await world.bridge.run(good, 7) == 7
        with pytest.raises(KeyError, match="mine"):
            await world.bridge.run(bad)

    virtually(main)


@pytest.mark.parametrize("error", [SystemExit, KeyboardInterrupt])
def test_even_an_exit_of_the_client_is_its_caller_s(error):
    async def leave():
        raise error

    async def main(world):
        with pytest.raises(error):
            await world.bridge.run(leave)
        await world.bridge.run(asyncio.sleep, 1)

    virtually(main)


def test_a_call_cancelled_from_within_is_an_exception_of_its_own():
    async def cancels_itself():
        asyncio.current_task().cancel()
        await asyncio.sleep(1)

    async def main(world):
        with pytest.raises(EndedCancelled):
            await world.bridge.run(cancels_itself)

    virtually(main)


def test_trio_s_cancellation_becomes_asyncio_s_at_the_same_instant_and_waits_for_the_end():
    log = []

    async def slow_to_end():
        try:
            await asyncio.sleep(HOUR_S)
        except asyncio.CancelledError:
            log.append(asyncio.get_running_loop().time())
            await asyncio.sleep(2)
            log.append(asyncio.get_running_loop().time())
            raise

    async def main(world):
        with trio.move_on_after(10) as scope:
            await world.bridge.run(slow_to_end)
        return scope.cancelled_caught, trio.current_time()

    assert virtually(main) == (True, 12.0)
    assert log == [10.0, 12.0]


def test_who_does_not_heed_it_is_left_behind_after_a_grace():
    async def deaf():
        while True:
            try:
                await asyncio.sleep(HOUR_S)
            except asyncio.CancelledError:
                if asyncio.get_running_loop().time() > 20:
                    raise

    async def main(world):
        with trio.move_on_after(10):
            await world.bridge.run(deaf)
        return trio.current_time()

    assert virtually(main) == 15.0


def test_an_answer_is_not_lost_to_a_cancellation_that_was_not_heeded():
    async def finishes():
        try:
            await asyncio.sleep(HOUR_S)
        except asyncio.CancelledError:
            return "done"

    async def main(world):
        with trio.move_on_after(10) as scope:
            answer = await world.bridge.run(finishes)
        return answer, scope.cancelled_caught

    assert virtually(main) == ("done", False)


def test_a_call_can_be_cancelled_at_each_of_its_steps_and_no_other():
    steps = 5

    async def counts(seen):
        for number in range(steps):
            seen.append(number)
            await asyncio.sleep(0)

    async def main(world):
        took = []
        await world.bridge.run(counts, [], on_end=took.append)
        assert took == [steps + 1]
        for step in range(1, steps + 3):
            seen, told = [], []
            with trio.CancelScope() as scope:
                await world.bridge.run(
                    counts,
                    seen,
                    cancel_at_step=step,
                    on_cancel=lambda t=told, s=scope: (t.append(True), s.cancel()),
                )
            assert scope.cancelled_caught == bool(told) == (step <= steps)
            assert len(seen) == min(step, steps)

    virtually(main)


def test_a_scope_cancelled_after_a_step_cancels_before_the_loop_turns_again():
    async def counts(seen):
        while True:
            seen.append(len(seen))
            await asyncio.sleep(0)

    async def main(world):
        for step in (1, 2, 7):
            seen = []
            with trio.CancelScope() as scope:
                world.bridge.call_after(step, scope.cancel)
                await world.bridge.run(counts, seen)
            assert len(seen) == step

    virtually(main)


def test_insisting_cancels_again_and_again():
    async def stubborn():
        heard = 0
        while heard < 3:
            try:
                await asyncio.sleep(HOUR_S)
            except asyncio.CancelledError:
                heard += 1
        raise asyncio.CancelledError

    async def main(world):
        with trio.move_on_after(1):
            await world.bridge.run(stubborn, insist=True)
        return trio.current_time()

    assert virtually(main) == 1.0


def test_what_is_left_when_the_bridge_closes_is_ended():
    log = []

    async def leave_behind():
        async def forever():
            try:
                await asyncio.sleep(1e9)
            finally:
                log.append("ended")

        leave_behind.task = asyncio.ensure_future(forever())
        await asyncio.sleep(0)

    async def main(world):
        async def serve(stream):
            await stream.receive_some(1)

        async with world.serving(serve) as port:
            await world.bridge.run(leave_behind)
            leave_behind.streams = await world.bridge.run(asyncio.open_connection, HOST, port)

    virtually(main)
    assert log == ["ended"]


def test_call_soon_threadsafe_wakes_a_loop_at_rest():
    async def main(world):
        await trio.sleep(5)
        rung = trio.Event()
        world.bridge.loop.call_soon_threadsafe(rung.set)
        with trio.fail_after(1):
            await rung.wait()

    virtually(main)
