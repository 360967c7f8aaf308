"""Client libraries as they are, on the virtual network: plain and over TLS."""

from contextlib import asynccontextmanager

import pytest
import trio
from kit import virtually
from talkers import ALL, ON_ASYNCIO, Aiohttp, Asyncpg, HttpxOnAsyncio, Redis, Talk

HOUR_S = 3600.0


def names(talker):
    return talker.__name__


every_talker = pytest.mark.parametrize("talker", ALL, ids=names)
plain_and_tls = pytest.mark.parametrize("tls", [False, True], ids=["plain", "tls"])


@asynccontextmanager
async def talking(world, talker, authority, tls, idle_s=None, timeout_s=None):
    """A server, and a library that talks to it."""
    context = authority.server() if tls else None
    serve, around = talker.server(world.note, context, idle_s)
    async with world.serving(serve, around) as port:
        talk = Talk(world, talker())
        await talk.do("open", port, authority.client() if tls else None, timeout_s)
        yield talk
        await talk.do("close")
        await trio.sleep(1)


@every_talker
@plain_and_tls
def test_calls_share_a_connection(authority, talker, tls):
    async def main(world):
        async with talking(world, talker, authority, tls) as talk:
            for number in range(20):
                await talk.do("ask", number)
                await trio.sleep(1)
        return world.accepted()

    assert virtually(main) == 1


@every_talker
@plain_and_tls
def test_an_idle_connection_is_not_kept_for_an_hour(authority, talker, tls):
    async def main(world):
        async with talking(world, talker, authority, tls) as talk:
            for number in range(4):
                await talk.do("ask", number)
                await trio.sleep(HOUR_S)
        assert world.network.now > 4 * HOUR_S
        return world.accepted()

    # redis has no limit on how long a connection may be idle
    assert virtually(main) == (1 if talker is Redis else 4)


@every_talker
@plain_and_tls
def test_a_connection_that_its_server_closed_is_replaced(authority, talker, tls):
    async def main(world):
        async with talking(world, talker, authority, tls, idle_s=20.0) as talk:
            for number in range(3):
                await talk.do("ask", number)
                await trio.sleep(30)
        return world.accepted()

    assert virtually(main) == 3


@every_talker
@plain_and_tls
def test_after_a_reset_the_next_calls_work(authority, talker, tls):
    async def main(world):
        async with talking(world, talker, authority, tls) as talk:
            await talk.do("ask", 1)
            world.reset_all()
            await trio.sleep(1)
            if talker is Redis:  # which sees that a connection ended, but not that it was reset
                with pytest.raises(Exception, match=r"reset by peer|_add_writer"):
                    await talk.do("ask", 2)
            await talk.do("ask", 3)
        return world.accepted()

    assert virtually(main) == 2


@every_talker
@plain_and_tls
def test_a_reset_in_mid_call_is_an_error_of_that_call_only(authority, talker, tls):
    async def main(world):
        async with talking(world, talker, authority, tls) as talk:
            await talk.do("ask", 1)
            async with trio.open_nursery() as nursery:

                async def strike():
                    await trio.sleep(5)
                    world.reset_all()

                nursery.start_soon(strike)
                try:
                    await talk.do("ask", 2, 10.0)
                    world.note("answered")  # a library may call again by itself
                except Exception as error:  # noqa: BLE001 - whatever a library raises
                    world.note(f"failed: {type(error).__name__}")
                assert world.network.now >= 5
            await talk.do("ask", 3)

    virtually(main)


@every_talker
@plain_and_tls
def test_a_timeout_of_minutes_ends_after_minutes(authority, talker, tls):
    limit_s, slow_s = 300.0, 590.0

    async def main(world):
        async with talking(world, talker, authority, tls, timeout_s=limit_s) as talk:
            await talk.do("ask", 1)
            began = world.network.now
            with pytest.raises(Exception, match=r".*") as caught:
                await talk.do("ask", 2, slow_s)
            took_s = world.network.now - began
            assert "Timeout" in type(caught.value).__name__
            await trio.sleep(slow_s * 2)
            await talk.do("ask", 3)
        return took_s

    # aiohttp rounds long timeouts up to the next whole second of its clock
    assert limit_s <= virtually(main) <= limit_s + 1.0


@every_talker
@plain_and_tls
def test_a_cancelled_call_leaves_its_library_usable(authority, talker, tls):
    async def main(world):
        async with talking(world, talker, authority, tls, timeout_s=60.0) as talk:
            with trio.move_on_after(3) as scope:
                await talk.do("ask", 1, 30.0)
            assert scope.cancelled_caught
            await talk.do("ask", 2)

    virtually(main)


def slots_lost(authority, talker, tls):
    """At which steps a cancelled call takes the only slot of the pool with it, and all steps."""

    async def torture(step, world):
        async with talking(world, talker, authority, tls, timeout_s=60.0) as talk:
            took = []
            with trio.CancelScope() as scope:
                if step:
                    world.bridge.call_after(step, scope.cancel)
                await talk.do("ask", 1, on_end=took.append)
            assert scope.cancelled_caught or talker is Redis or not step
            try:
                await talk.do("ask", 2)
            except Exception as error:  # noqa: BLE001 - whatever a library raises
                return f"{type(error).__name__}: {error}"
        return took[0]

    steps = virtually(lambda world: torture(0, world))
    lost = []
    for step in range(1, steps):
        then = virtually(lambda world, s=step: torture(s, world))
        if not isinstance(then, int):
            lost.append((step, then))
    return lost, steps


@pytest.mark.parametrize("talker", [Aiohttp, Redis, Asyncpg], ids=names)
@plain_and_tls
def test_no_step_at_which_a_call_is_cancelled_costs_a_connection(authority, talker, tls):
    # redis doesn't heed a cancellation where Python 3.11's wait_for() swallows it
    lost, steps = slots_lost(authority, talker, tls)
    assert steps > 3
    assert lost == []


@plain_and_tls
def test_the_steps_at_which_a_library_loses_a_slot_are_the_same_every_time(authority, tls):
    first = slots_lost(authority, HttpxOnAsyncio, tls)
    assert first == slots_lost(authority, HttpxOnAsyncio, tls)
    assert all("PoolTimeout" in then for _, then in first[0])


def test_only_libraries_on_asyncio_have_steps():
    assert {talker.runs_on for talker in ON_ASYNCIO} == {"asyncio"}
