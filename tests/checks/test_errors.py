import pytest

from harness.checks.errors import Errors
from harness.history import (
    CallCancelled,
    CallFailed,
    CallInvoked,
    CallUnknown,
    FaultArmed,
    FaultFired,
    Healed,
)


def fails(story, nonce, at_s=1.0, told=CallFailed, **how):
    story.tell(CallInvoked, at_s, nonce=nonce)
    return story.tell(told, at_s, nonce=nonce, **how)


def test_no_errors_pass(story):
    story.call("a")
    story.ends()
    story.judge(Errors(at_most=0), "pass", saying="0 errors in 1 call")


def test_failed_and_unknown_calls_count(story):
    ids = [fails(story, "a"), fails(story, "b", told=CallUnknown)]
    story.judge(Errors(at_most=1), "fail", *ids, saying="2 errors in 2 calls: 1 reset, 1 timeout")
    story.ends()
    story.judge(Errors(at_most=2), "pass", *ids)


def test_a_kind_that_is_not_allowed_fails_and_comes_first(story):
    allowed, odd = fails(story, "a"), fails(story, "b", kind="tls")
    story.judge(Errors(at_most=5, only=("reset",)), "fail", odd, allowed)


@pytest.mark.parametrize("kind", ["cancelled", "abandoned"])
def test_what_the_harness_asked_for_is_no_error(story, kind):
    story.tell(CallCancelled, 1, nonce="a")
    fails(story, "a", told=CallUnknown, kind=kind)
    story.ends()
    story.judge(Errors(at_most=0), "pass")


def test_a_cancellation_nobody_asked_for_is_an_error(story):
    stray = fails(story, "a", told=CallUnknown, kind="cancelled")
    story.judge(Errors(at_most=0), "fail", stray, saying="1 cancelled")


def test_trouble_that_is_swallowed_fails_once_the_workload_is_over(story):
    story.call("a")
    story.judge(Errors(at_least=1), "unknown")
    story.tell(Healed, 5)
    story.judge(Errors(at_least=1), "fail")


def test_where_no_fault_fired_there_was_no_trouble_to_tell(story):
    story.call("a")
    story.tell(FaultArmed, index=0, fault="reset")
    story.ends()
    story.judge(Errors(at_least=1), "unknown", saying="no fault fired")
    story.tell(FaultFired, 1, index=0, fault="reset", connection=1)
    story.judge(Errors(at_least=1), "fail")


def test_errors_of_recovery_do_not_count(story):
    story.call("a")
    story.tell(Healed, 5)
    fails(story, "b", 6)
    story.ends()
    story.judge(Errors(at_most=0), "pass")


@pytest.mark.parametrize("check", [Errors(at_most=0), Errors(at_least=1)])
def test_a_call_without_an_outcome_leaves_it_open(story, check):
    story.tell(CallInvoked, nonce="a")
    story.ends()
    story.judge(check, "unknown", saying="1 of 1 calls have no outcome")


def test_without_calls_it_is_unknown(story):
    story.ends()
    story.judge(Errors(at_most=0), "unknown")


def test_no_demand_is_a_mistake():
    with pytest.raises(ValueError, match="give at_most or at_least or only"):
        Errors()


def test_as_many_errors_as_demanded_pass(story):
    told = fails(story, "a")
    story.ends()
    found = story.judge(Errors(at_least=1, at_most=1), "pass", told)
    assert found.expected == "at least 1 and at most 1 error before healing"


def test_a_demand_says_what_it_asks_for(story):
    found = story.judge(Errors(at_least=2, only=("reset", "closed")), "unknown")
    assert found.expected == "at least 2 errors before healing, only reset or closed"
