from harness.checks.acquire_within import AcquireWithin
from harness.history import CallFailed, CallInvoked, CallUnknown, Healed

CHECK = AcquireWithin(within_s=1.0)


def test_served_in_time_passes_and_shows_the_longest_wait(story):
    story.call("a", took_s=0.2)
    asked, ran, _ = story.call("b", took_s=0.4)
    story.ends()
    story.judge(CHECK, "pass", asked, ran, saying="the longest 200ms")


def test_executed_too_late_fails(story):
    asked, ran, _ = story.call("a", took_s=4)
    story.judge(CHECK, "fail", asked, ran, saying="1 of 1 call waited longer")


def test_told_too_late_that_there_is_no_connection_fails(story):
    asked = story.tell(CallInvoked, 0, nonce="a")
    told = story.tell(CallFailed, 3, nonce="a", kind="pool_timeout")
    story.judge(CHECK, "fail", asked, told)


def test_other_errors_and_recovery_probes_tell_no_wait(story):
    story.tell(CallInvoked, 0, nonce="a")
    story.tell(CallUnknown, 3, nonce="a", kind="reset")
    story.tell(Healed, 5)
    story.call("b", 6, took_s=9)
    story.ends()
    story.judge(CHECK, "unknown", saying="no call reached")


def test_a_call_with_no_outcome_may_still_be_waiting(story):
    story.call("a")
    story.tell(CallInvoked, 1, nonce="b")
    story.ends()
    story.judge(CHECK, "unknown", saying="have no outcome")
