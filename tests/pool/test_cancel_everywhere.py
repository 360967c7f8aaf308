"""One caller is cancelled at each scheduler step in turn; nobody may notice, nothing is lost."""

import errno
from collections import deque
from functools import partial

import pytest
import trio
from pool_fakes import CancelAtStep, FakeConnector
from pool_servers import polite, reply, serve

from harness.pool import HttpClient, Pool, PoolSettings, PoolTimeout

MAX_STEPS = 5_000
SETTINGS = PoolSettings(
    size=1, max_overflow=0, timeout_s=20, pre_ping=True, bypass_window_s=0, ping_timeout_s=2
)


def sweep(run):
    """Call ``run(step)`` for every step in the victim's life; returns how many there were."""
    for step in range(1, MAX_STEPS):
        if not run(step):
            return step - 1
    raise AssertionError("the victim never comes to its end")


async def run_victim(body, step):
    """Run ``body()``, cancelled after so many steps of all tasks; tells if it got that far."""
    with trio.CancelScope() as scope:
        instrument = CancelAtStep(step, scope)
        trio.lowlevel.add_instrument(instrument)
        try:
            await body()
        finally:
            trio.lowlevel.remove_instrument(instrument)
    return instrument.done


async def check_slots(pool):
    """Everything is back: nobody uses or awaits anything, and the pool still serves."""
    with trio.fail_after(10):
        async with pool.acquire():
            pass
    stats = pool.stats()
    assert (stats.in_use, stats.waiters, stats.checking) == (0, 0, 0)
    assert stats.open + stats.connecting + stats.closing <= 1


def script(kind):
    refused = ConnectionRefusedError(errno.ECONNREFUSED, "refused")
    return deque([refused, refused] if kind == "failing" else [])


@pytest.mark.parametrize("victim", range(3))
@pytest.mark.parametrize("kind", ["healthy", "failing", "failed-pings", "discarding"])
def test_a_cancelled_caller_loses_no_slot_no_connection_and_no_wake_up(kind, victim):
    async def main(step):
        connector = FakeConnector(script(kind), connect_s=0.5, ping_s=0.5, close_s=0.5)
        served, reached = [], False
        async with Pool(connector, SETTINGS) as pool:

            async def calls(number):
                for _ in range(3):
                    with await pool.lease() as lease:
                        lease.connection.use()
                        try:
                            await trio.sleep(0.5)
                        finally:
                            lease.connection.unuse()
                        lease.connection.answers_ping = kind != "failed-pings"
                        if kind == "discarding":
                            lease.discard()
                    served.append(number)

            async def cancelled():
                nonlocal reached
                reached = await run_victim(lambda: calls(victim), step)

            async with trio.open_nursery() as nursery:
                for number in range(3):
                    if number == victim:
                        nursery.start_soon(cancelled)
                    else:
                        nursery.start_soon(calls, number)
            assert all(served.count(number) == 3 for number in range(3) if number != victim)
            await check_slots(pool)
        assert connector.most_open == 1
        assert not connector.open
        return reached

    def run(step):
        return trio.run(main, step, clock=trio.testing.MockClock(autojump_threshold=0))

    assert sweep(run) >= 20


async def shaky(peer, resets):
    """Answer each call with its target; the first so many connections end at their third call."""
    for number in range(100):
        request = await peer.request()
        if request is None:
            return
        if peer.number <= resets and number == 2:
            peer.reset()
            return
        await peer.send(reply(request[1].encode()))


@pytest.mark.parametrize("victim", range(3))
@pytest.mark.parametrize("kind", ["healthy", "resetting"])
def test_a_cancelled_http_call_spoils_nothing_for_the_others(kind, victim):
    server_script = partial(shaky, resets=2 if kind == "resetting" else 0)

    async def main(step):
        reached = False
        settings = PoolSettings(size=1, max_overflow=0, timeout_s=20)
        async with (
            serve(server_script) as server,
            HttpClient("127.0.0.1", server.port, settings=settings) as client,
        ):

            async def calls(number):
                for turn in range(3):
                    target = f"/{number}/{turn}"
                    response = await client.request("GET", target, body=b"x" * number)
                    assert response.body == target.encode()

            async def cancelled():
                nonlocal reached
                reached = await run_victim(lambda: calls(victim), step)

            async with trio.open_nursery() as nursery:
                for number in range(3):
                    if number == victim:
                        nursery.start_soon(cancelled)
                    else:
                        nursery.start_soon(calls, number)
            await check_slots(client.pool)
        return reached

    assert sweep(lambda step: trio.run(main, step)) >= 30


@pytest.mark.parametrize("use", ["idle", "in-use", "waiting"])
def test_a_pool_can_be_cancelled_at_every_step_of_its_life(use):
    async def main(step):
        connector = FakeConnector(connect_s=0.5, ping_s=0.5, close_s=0.5)

        async def life():
            async with Pool(connector, SETTINGS) as pool:
                with await pool.lease() as lease:
                    if use == "idle":
                        lease.release()
                    if use == "waiting":
                        with pytest.raises(PoolTimeout):
                            await pool.lease(timeout_s=1)
                    await pool.aclose(grace_s=1)

        with trio.fail_after(10):
            reached = await run_victim(life, step)
        assert not connector.open
        return reached

    def run(step):
        return trio.run(main, step, clock=trio.testing.MockClock(autojump_threshold=0))

    assert sweep(run) >= 10


def test_a_polite_server_needs_no_cancelling():
    """The control: the same scene without a cancel ends well."""

    async def main():
        async with serve(polite) as server, HttpClient("127.0.0.1", server.port) as client:
            assert (await client.request("GET", "/")).status == 200

    trio.run(main)
