import pytest

from harness.checks.fifo_waiters import FifoWaiters
from harness.history import CallFailed, CallInvoked, CallOk, Executed, RunStarted


@pytest.fixture
def busy(story):
    """A pool of one, held until 1 s by the first call."""
    story.tell(RunStarted, pool_size=1, pool_max_overflow=0)
    story.call("holder", 0, took_s=1)
    return story


def waiter(story, nonce, came_s, served_s, phase="work"):
    asked = story.tell(CallInvoked, came_s, nonce=nonce, phase=phase)
    ran = story.tell(Executed, served_s, nonce=nonce)
    story.tell(CallOk, served_s + 0.1, nonce=nonce)
    return [asked, ran]


def test_waiters_served_in_order_pass(busy):
    waiter(busy, "a", 0.1, 1.1)
    waiter(busy, "b", 0.2, 1.3)
    busy.ends()
    busy.judge(FifoWaiters(), "pass", saying="0 of 2 waiters")


def test_an_overtaken_waiter_fails_and_both_are_shown(busy):
    a = waiter(busy, "a", 0.1, 1.5)
    b = waiter(busy, "b", 0.2, 1.1)
    busy.judge(FifoWaiters(), "fail", *a, *b, saying="1 of 2 waiters overtaken")


@pytest.mark.parametrize(("came_s", "served_s"), [(0.101, 1.1), (0.2, 1.499)])
def test_what_is_closer_than_the_tolerance_has_no_order(busy, came_s, served_s):
    waiter(busy, "a", 0.1, 1.5)
    waiter(busy, "b", came_s, served_s)
    busy.ends()
    busy.judge(FifoWaiters(), "pass")
    busy.judge(FifoWaiters(tolerance_s=0), "fail")


def test_a_waiter_that_starves_until_its_timeout_is_overtaken(busy):
    asked = busy.tell(CallInvoked, 0.1, nonce="a")
    gave_up = busy.tell(CallFailed, 2, nonce="a", kind="pool_timeout")
    b = waiter(busy, "b", 0.2, 1.1)
    busy.judge(FifoWaiters(), "fail", asked, gave_up, *b)


def test_giving_up_overtakes_nobody(busy):
    waiter(busy, "a", 0.1, 2)
    busy.tell(CallInvoked, 0.2, nonce="b")
    busy.tell(CallFailed, 1, nonce="b", kind="pool_timeout")
    busy.ends()
    busy.judge(FifoWaiters(), "pass")


def test_phases_are_queues_of_their_own(busy):
    waiter(busy, "a", 0.1, 1.5, phase="slow")
    waiter(busy, "b", 0.2, 1.1, phase="quick")
    busy.ends()
    busy.judge(FifoWaiters(), "pass")


def test_if_nobody_had_to_wait_it_is_unknown(busy):
    waiter(busy, "a", 2, 2.1)
    waiter(busy, "b", 3, 3.1)
    busy.ends()
    busy.judge(FifoWaiters(), "unknown", saying="fewer than two")


def test_without_the_size_of_the_pool_it_is_unknown(story):
    story.ends()
    story.judge(FifoWaiters(), "unknown", saying="how large")
