import pytest

from harness.checks.every_call_ends import EveryCallEnds
from harness.history import CallCancelled, CallInvoked, CallOk, CallUnknown


def test_calls_that_end_in_time_pass(story):
    story.call("a", timeout_s=1.0)
    story.ends()
    story.judge(EveryCallEnds(), "pass")


@pytest.mark.parametrize("check", [EveryCallEnds(), EveryCallEnds(within_s=2.0)])
def test_an_end_too_late_fails(story, check):
    asked = story.tell(CallInvoked, 0, nonce="a", timeout_s=1.0)
    ended = story.tell(CallUnknown, 2.01, nonce="a")
    story.judge(check, "fail", asked, ended, saying="1 ended late")


def test_a_call_without_a_timeout_only_has_to_end(story):
    story.call("a", took_s=1000.0)
    story.ends(2000)
    story.judge(EveryCallEnds(), "pass")


def test_a_cancelled_call_must_let_go_soon(story):
    asked = story.tell(CallInvoked, 0, nonce="a", timeout_s=10.0)
    cancelled = story.tell(CallCancelled, 1, nonce="a")
    ended = story.tell(CallOk, 1.5, nonce="a")
    story.judge(EveryCallEnds(margin_s=0.2), "fail", asked, cancelled, ended)
    story.ends()
    story.judge(EveryCallEnds(), "pass")


def test_a_call_that_never_ends_fails_when_the_run_is_over_or_its_time_is(story):
    asked = story.tell(CallInvoked, 0, nonce="a", timeout_s=1.0)
    story.judge(EveryCallEnds(), "unknown", saying="1 of 1 calls have no outcome")
    story.tell(CallInvoked, 5, nonce="b")
    story.judge(EveryCallEnds(), "fail", asked)
    story.ends(6)
    story.judge(EveryCallEnds(), "fail", asked, 1, saying="2 never")


def test_what_hung_at_the_end_fails(story):
    story.call("a")
    end = story.ends(hung="the client's close")
    story.judge(EveryCallEnds(), "fail", end, saying="the client's close hung")


def test_without_calls_it_is_unknown(story):
    story.ends()
    story.judge(EveryCallEnds(), "unknown", saying="no call was made")
