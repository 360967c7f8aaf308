"""What callers of the pool can rely on, one behaviour each, in virtual time."""

import errno
import gc
from collections import deque
from random import Random

import pytest
import trio
from pool_fakes import FakeCertificateError, FakeConnector
from trio.testing import wait_all_tasks_blocked

from harness.pool import (
    Acquired,
    AttemptFailed,
    Closed,
    ConnectFailed,
    LeakDetected,
    Pool,
    PoolClosed,
    PoolSettings,
    PoolTimeout,
)

REFUSED = ConnectionRefusedError(errno.ECONNREFUSED, "refused")


def make_pool(connector=None, *, on_event=None, **settings):
    settings.setdefault("timeout_s", 10.0)
    return Pool(
        connector or FakeConnector(),
        PoolSettings(**settings),
        random=Random(1),
        on_event=on_event,
    )


async def hold(pool, seconds, order=None, name=None):
    async with pool.acquire() as connection:
        connection.use()
        if order is not None:
            order.append(name)
        await trio.sleep(seconds)
        connection.unuse()


async def test_a_released_connection_is_reused(autojump_clock):
    connector = FakeConnector()
    async with make_pool(connector) as pool:
        for _ in range(3):
            await hold(pool, 0)
    assert len(connector.opened) == 1


async def test_no_more_than_size_and_overflow_are_ever_open(autojump_clock):
    connector = FakeConnector(connect_s=0.1, close_s=0.05)
    async with make_pool(connector, size=2, max_overflow=1) as pool, trio.open_nursery() as nursery:
        for _ in range(20):
            nursery.start_soon(hold, pool, 0.2)
    assert connector.most_open == 3


async def test_overflow_is_closed_when_nobody_waits(autojump_clock):
    connector = FakeConnector()
    async with make_pool(connector, size=1, max_overflow=2) as pool:
        async with trio.open_nursery() as nursery:
            for _ in range(3):
                nursery.start_soon(hold, pool, 1)
        await wait_all_tasks_blocked()
        assert len(connector.opened) == 3
        assert len(connector.open) == pool.stats().open == 1


async def test_callers_are_served_in_the_order_they_came(autojump_clock):
    order = []
    async with make_pool(size=1, max_overflow=0) as pool, trio.open_nursery() as nursery:
        for name in range(6):
            nursery.start_soon(hold, pool, 0.1, order, name)
            await wait_all_tasks_blocked()
    assert order == list(range(6))


async def test_the_connection_used_last_is_reused_first(autojump_clock):
    async with make_pool(size=2) as pool:
        first, second = await pool.lease(), await pool.lease()
        first.release()
        await trio.sleep(1)
        second.release()
        await trio.sleep(1)
        with await pool.lease() as third:
            assert third.connection is second.connection


async def test_a_caller_waits_no_longer_than_its_timeout(autojump_clock):
    async with make_pool(size=1, max_overflow=0) as pool:
        with await pool.lease():
            start = trio.current_time()
            with pytest.raises(PoolTimeout, match="1 in use") as caught:
                await pool.lease(timeout_s=2)
            assert trio.current_time() - start == pytest.approx(2)
            assert caught.value.kind == "pool_timeout"
            assert not caught.value.sent
        assert pool.stats().timeouts == 1
        assert pool.stats().waiters == 0


async def test_the_timeout_covers_queue_ping_and_connect_together(autojump_clock):
    connector = FakeConnector(connect_s=2, ping_s=1.5)
    settings = {"size": 1, "max_overflow": 0, "pre_ping": True, "bypass_window_s": 0}
    async with make_pool(connector, ping_timeout_s=2, **settings) as pool:
        lease = await pool.lease()
        lease.connection.answers_ping = False
        async with trio.open_nursery() as nursery:
            nursery.start_soon(trio.sleep, 1)
            await trio.sleep(1)
            lease.release()
            await trio.sleep(1)
        start = trio.current_time()
        with pytest.raises(ConnectFailed, match="still connecting") as caught:
            await pool.lease(timeout_s=3)
        assert trio.current_time() - start == pytest.approx(3)
        assert caught.value.kind == "timeout"
        await hold(pool, 0)  # the connect went on, and became somebody else's
    assert len(connector.opened) == 2


async def test_a_stale_connection_is_closed_as_soon_as_it_dies(autojump_clock):
    connector, news = FakeConnector(), []
    async with make_pool(connector, on_event=news.append) as pool:
        await hold(pool, 0)
        await trio.sleep(5)
        connector.opened[0].dead.set()
        await wait_all_tasks_blocked()
        assert connector.opened[0].closed
        assert pool.stats().open == 0
    assert [item.reason for item in news if isinstance(item, Closed)] == ["stale"]


async def test_a_connection_that_dies_while_in_use_is_not_handed_on(autojump_clock):
    connector = FakeConnector()
    async with make_pool(connector, size=1, max_overflow=0) as pool:
        lease = await pool.lease()
        async with trio.open_nursery() as nursery:
            nursery.start_soon(hold, pool, 0)
            await wait_all_tasks_blocked()
            lease.connection.dead.set()
            lease.release()
    assert len(connector.opened) == 2
    assert connector.opened[0].closed


async def test_a_failed_ping_costs_the_caller_nothing_but_time(autojump_clock):
    connector = FakeConnector()
    async with make_pool(connector, pre_ping=True) as pool:
        await hold(pool, 0)
        await trio.sleep(1)
        connector.opened[0].answers_ping = False
        await hold(pool, 0)
    assert connector.opened[0].closed
    assert len(connector.opened) == 2


async def test_a_ping_that_hangs_is_a_failed_ping(autojump_clock):
    connector = FakeConnector(ping_s=60)
    async with make_pool(connector, pre_ping=True, ping_timeout_s=0.5) as pool:
        await hold(pool, 0)
        await trio.sleep(1)
        start = trio.current_time()
        await hold(pool, 0)
        assert trio.current_time() - start == pytest.approx(0.5)


async def test_one_failed_ping_is_enough_for_all_that_were_idle_for_longer(autojump_clock):
    connector = FakeConnector()
    async with make_pool(connector, size=4, pre_ping=True) as pool:
        leases = [await pool.lease() for _ in range(3)]
        for lease in leases:
            await trio.sleep(1)
            lease.release()
        await trio.sleep(1)
        with await pool.lease() as third:  # the one used last, so it is alive later than the others
            third.connection.answers_ping = False
        await trio.sleep(1)
        await hold(pool, 0)
    assert [connection.pings for connection in connector.opened] == [0, 0, 2, 0]
    assert all(connection.closed for connection in connector.opened[:3])


async def test_a_failed_ping_says_nothing_of_those_that_were_used_since(autojump_clock):
    connector = FakeConnector()
    async with make_pool(connector, size=2, pre_ping=True) as pool:
        first, second = await pool.lease(), await pool.lease()
        first.release()
        await trio.sleep(1)
        connector.opened[0].answers_ping = False
        connector.ping_s = 0.1
        async with trio.open_nursery() as nursery:
            nursery.start_soon(hold, pool, 0)
            await wait_all_tasks_blocked()
            second.release()
        assert not connector.opened[1].closed


async def test_a_connection_used_a_moment_ago_is_not_pinged(autojump_clock):
    connector = FakeConnector()
    async with make_pool(connector, pre_ping=True, bypass_window_s=0.5) as pool:
        await hold(pool, 0)
        await trio.sleep(0.4)
        await hold(pool, 0)
        assert connector.opened[0].pings == 0
        await trio.sleep(0.6)
        await hold(pool, 0)
        assert connector.opened[0].pings == 1


async def test_after_a_suspicious_death_idle_ones_must_answer_a_ping(autojump_clock):
    connector = FakeConnector()
    async with make_pool(connector) as pool:
        first, second = await pool.lease(), await pool.lease()
        second.release()
        first.discard()
        first.release(suspicious=True)
        await hold(pool, 0)
        await hold(pool, 0)
        assert connector.opened[1].pings == 1


async def test_an_idle_connection_is_closed_at_its_timeout(autojump_clock):
    connector, news = FakeConnector(), []
    async with make_pool(connector, idle_timeout_s=3, on_event=news.append) as pool:
        await hold(pool, 0)
        await trio.sleep(2.9)
        assert not connector.opened[0].closed
        await trio.sleep(0.2)
        assert connector.opened[0].closed
    assert news[-1].reason == "idle_timeout"


async def test_a_connection_too_old_is_closed_idle_or_when_released(autojump_clock):
    connector = FakeConnector()
    async with make_pool(connector, recycle_s=3) as pool:
        first = await pool.lease()
        await hold(pool, 0)
        await trio.sleep(3.1)
        assert connector.opened[1].closed
        assert not connector.opened[0].closed
        first.release()
        await wait_all_tasks_blocked()
        assert connector.opened[0].closed


async def test_min_idle_is_kept_ready(autojump_clock):
    connector = FakeConnector(connect_s=0.1)
    async with make_pool(connector, size=3, min_idle=2) as pool:
        await trio.sleep(0.2)
        assert pool.stats().idle == 2
        with await pool.lease():
            await trio.sleep(0.2)
            assert pool.stats().idle == 2
        connector.open[0].dead.set()
        connector.open[1].dead.set()
        await trio.sleep(0.2)
        assert pool.stats().idle == 2


async def test_a_refused_connect_is_retried_until_it_works(autojump_clock):
    connector = FakeConnector(deque([REFUSED] * 4))
    async with make_pool(connector) as pool:
        await hold(pool, 0)
        assert pool.stats().failed_connects == 4
    assert len(connector.attempts) == 5


async def test_at_the_end_of_its_budget_the_caller_is_told_why_connects_failed(autojump_clock):
    connector = FakeConnector(deque([REFUSED] * 1000))
    async with make_pool(connector) as pool:
        with pytest.raises(ConnectFailed, match="refused") as caught:
            await pool.lease(timeout_s=5)
    assert caught.value.kind == "refused"
    assert caught.value.__cause__ is REFUSED


async def test_while_connects_fail_one_attempt_is_made_at_a_time(autojump_clock):
    connector, news = FakeConnector(deque([REFUSED] * 1000)), []
    async with (
        make_pool(connector, on_event=news.append, backoff_base_s=1, backoff_cap_s=1) as pool,
        trio.open_nursery() as nursery,
    ):
        for _ in range(10):
            nursery.start_soon(hold, pool, 0)
        await trio.sleep(9)
        nursery.cancel_scope.cancel()
    while_failing = [side_by_side for at, side_by_side in connector.attempts if at > 0]
    pauses = [item.retry_in_s for item in news if isinstance(item, AttemptFailed)]
    assert len(while_failing) > 5
    assert set(while_failing) == {1}
    assert max(pauses) <= 1


async def test_the_first_success_serves_everybody(autojump_clock):
    connector, news = FakeConnector(deque([REFUSED] * 8)), []
    async with (
        make_pool(connector, size=8, on_event=news.append) as pool,
        trio.open_nursery() as nursery,
    ):
        for _ in range(8):
            nursery.start_soon(hold, pool, 60)
    served = [item.at for item in news if isinstance(item, Acquired)]
    assert len(served) == 8
    assert max(served) == min(served)


async def test_a_hanging_connect_is_given_up_and_tried_again(autojump_clock):
    connector = FakeConnector(deque([1000]))
    async with make_pool(connector, connect_timeout_s=2) as pool:
        start = trio.current_time()
        await hold(pool, 0)
        assert 2 <= trio.current_time() - start < 3


async def test_a_permanent_failure_reaches_the_callers_at_once(autojump_clock):
    error = FakeCertificateError("wrong host")
    connector = FakeConnector(deque([error] * 5))
    async with make_pool(connector) as pool:
        start = trio.current_time()
        with pytest.raises(ConnectFailed, match="wrong host") as caught:
            await pool.lease()
        assert trio.current_time() == start
        assert caught.value.__cause__ is error


async def test_a_cancelled_callers_connect_becomes_somebody_elses(autojump_clock):
    connector = FakeConnector(connect_s=1)
    async with make_pool(connector) as pool:
        with trio.move_on_after(0.5):
            await pool.lease()
        start = trio.current_time()
        await hold(pool, 0)
        assert trio.current_time() - start == pytest.approx(0.5)
    assert len(connector.opened) == 1


async def test_a_connection_granted_in_the_tick_of_a_cancel_goes_to_the_next(autojump_clock):
    order = []
    async with make_pool(size=1, max_overflow=0) as pool, trio.open_nursery() as nursery:
        lease = await pool.lease()
        unlucky = trio.CancelScope()

        async def first():
            with unlucky:
                await hold(pool, 0, order, "first")

        nursery.start_soon(first)
        await wait_all_tasks_blocked()
        nursery.start_soon(hold, pool, 0, order, "second")
        await wait_all_tasks_blocked()
        on_event = pool._on_event

        def cancel_when_granted(news):
            if isinstance(news, Acquired):
                unlucky.cancel()

        pool._on_event = cancel_when_granted
        lease.release()
        await wait_all_tasks_blocked()
        pool._on_event = on_event
        assert order[-1] == "second"
        assert pool.stats().in_use == 0


@pytest.mark.parametrize("end", ["raise", "cancel", "discard"])
async def test_a_connection_not_finished_cleanly_is_closed(autojump_clock, end):
    connector = FakeConnector()
    async with make_pool(connector) as pool:
        with trio.CancelScope() as scope:
            try:
                with await pool.lease() as lease:
                    if end == "raise":
                        1 / 0  # noqa: B018 - raises
                    if end == "cancel":
                        scope.cancel()
                        await trio.lowlevel.checkpoint()
                    lease.discard()
            except ZeroDivisionError:
                pass
        assert connector.opened[0].closed
        assert pool.stats().open == 0


async def test_a_second_release_does_nothing(autojump_clock):
    async with make_pool() as pool:
        lease = await pool.lease()
        lease.release()
        with await pool.lease() as other:
            lease.release()
            assert pool.stats().in_use == 1
            assert other.connection is lease.connection


async def test_a_lost_lease_is_reported_with_its_place_and_its_slot_comes_back(autojump_clock):
    connector, news = FakeConnector(), []
    async with make_pool(connector, size=1, max_overflow=0, on_event=news.append) as pool:
        lease = await pool.lease()
        assert lease.where.startswith(__file__)
        forgotten = [lease]
        del lease
        with pytest.warns(ResourceWarning, match=r"test_pool.py:\d+ was never released"):
            forgotten.clear()
        gc.collect()
        await hold(pool, 0)
        assert pool.stats().leaks == 1
    assert connector.opened[0].closed
    assert [item.where.split(":")[0] for item in news if isinstance(item, LeakDetected)] == [
        __file__
    ]


async def test_drain_lets_go_of_what_is_there_and_goes_on_with_new_ones(autojump_clock):
    connector = FakeConnector()
    async with make_pool(connector) as pool:
        first, second = await pool.lease(), await pool.lease()
        second.release()
        pool.drain()
        await wait_all_tasks_blocked()
        assert connector.opened[1].closed
        assert not connector.opened[0].closed
        await hold(pool, 0)
        first.release()
        await wait_all_tasks_blocked()
        assert [connection.closed for connection in connector.opened] == [True, True, False]


async def test_a_full_queue_refuses_one_more_at_once(autojump_clock):
    async with make_pool(size=1, max_overflow=0, max_waiters=1) as pool:
        with await pool.lease():
            async with trio.open_nursery() as nursery:
                nursery.start_soon(hold, pool, 0)
                await wait_all_tasks_blocked()
                with pytest.raises(PoolTimeout, match="queue is full"):
                    await pool.lease()
                nursery.cancel_scope.cancel()


async def test_closing_refuses_waiters_and_gives_users_a_bounded_grace(autojump_clock):
    connector = FakeConnector()
    async with make_pool(connector, size=1, max_overflow=0) as pool, trio.open_nursery() as nursery:
        lease = await pool.lease()

        async def waiter():
            with pytest.raises(PoolClosed):
                await pool.lease()
            assert trio.current_time() == start

        nursery.start_soon(waiter)
        await wait_all_tasks_blocked()
        start = trio.current_time()
        await pool.aclose(grace_s=3)
        assert trio.current_time() - start == pytest.approx(3)
        assert lease.connection.aborted
        lease.release()
        with pytest.raises(PoolClosed):
            await pool.lease()


async def test_a_user_that_finishes_within_the_grace_is_left_alone(autojump_clock):
    connector = FakeConnector()
    async with make_pool(connector) as pool, trio.open_nursery() as nursery:
        nursery.start_soon(hold, pool, 1)
        await wait_all_tasks_blocked()
        start = trio.current_time()
        await pool.aclose(grace_s=30)
        assert trio.current_time() - start == pytest.approx(1)
    assert not connector.opened[0].aborted


async def test_a_close_that_hangs_is_bounded(autojump_clock):
    connector = FakeConnector(close_s=1000)
    start = trio.current_time()
    async with make_pool(connector, close_timeout_s=0.5) as pool:
        await hold(pool, 0)
    assert trio.current_time() - start == pytest.approx(0.5)
    assert connector.opened[0].aborted


async def test_closing_ends_connects_and_pings_under_way(autojump_clock):
    connector = FakeConnector(deque([0, 1000]), ping_s=1000)
    async with make_pool(connector, pre_ping=True, ping_timeout_s=900, size=2) as pool:
        await hold(pool, 0)
        await trio.sleep(1)
        with trio.move_on_after(1):
            async with trio.open_nursery() as nursery:
                nursery.start_soon(hold, pool, 0)
                nursery.start_soon(hold, pool, 0)
        start = trio.current_time()
        assert (pool.stats().checking, pool.stats().connecting) == (1, 1)
    assert trio.current_time() == start
    assert not connector.open


async def test_the_blocks_own_exception_comes_out_as_it_is(autojump_clock):
    connector = FakeConnector()
    with pytest.raises(ZeroDivisionError):  # noqa: PT012 - the block is what is tested
        async with make_pool(connector) as pool:
            lease = await pool.lease()
            raise ZeroDivisionError
    assert connector.opened[0].closed
    lease.release()


async def test_a_cancelled_block_closes_everything_at_once(autojump_clock):
    connector = FakeConnector(close_s=1000)
    with trio.move_on_after(1) as scope:
        async with make_pool(connector) as pool:
            await hold(pool, 0)
            await trio.sleep_forever()
    assert scope.cancelled_caught
    assert trio.current_time() == scope.deadline
    assert not connector.open


async def test_a_cancelled_close_drops_what_is_left(autojump_clock):
    connector = FakeConnector()
    async with make_pool(connector) as pool:
        lease = await pool.lease()
        with trio.move_on_after(1):
            await pool.aclose(grace_s=1000)
        assert lease.connection.closed
        lease.release()


async def test_an_observer_that_raises_harms_nobody(autojump_clock, caplog):
    async with make_pool(on_event=lambda _news: 1 / 0) as pool:
        await hold(pool, 0)
    assert "on_event failed" in caplog.text


async def test_a_pool_is_opened_once_and_before_it_is_used(autojump_clock):
    pool = make_pool()
    with pytest.raises(RuntimeError, match="isn't open yet"):
        await pool.lease()
    async with pool:
        with pytest.raises(ValueError, match="more than 0 seconds"):
            await pool.lease(timeout_s=0)
    with pytest.raises(RuntimeError, match="opened once"):
        await pool.__aenter__()


async def test_many_impatient_callers_leave_every_slot_free(autojump_clock):
    random, connector = Random(7), FakeConnector(connect_s=0.002, close_s=0.001)

    async def impatient():
        await trio.sleep(random.choice([0, 0.001, 0.002]))
        with trio.move_on_after(random.choice([0.001, 0.005, 0.05])):
            await hold(pool, 0.001)

    async with make_pool(connector, size=2, max_overflow=1) as pool:
        async with trio.open_nursery() as nursery:
            for _ in range(300):
                nursery.start_soon(impatient)
        await hold(pool, 0)
        assert pool.stats().in_use == pool.stats().waiters == 0
    assert connector.most_open <= 3
    assert not connector.open
