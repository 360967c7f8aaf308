from harness.checks.retry_amplification import RetryAmplification
from harness.history import CallFailed, CallInvoked, Healed

CHECK = RetryAmplification(at_most=1.5)


def test_a_few_repeats_pass(story):
    story.call("a")
    _, first, second, _ = story.call("b", runs=2)
    story.ends()
    story.judge(CHECK, "pass", first, second, saying="1.5: 3 executions for 2 calls, 2 for one")


def test_many_repeats_fail_though_other_calls_never_arrived(story):
    _, *ran, _ = story.call("a", runs=3)
    story.tell(CallInvoked, 1, nonce="b")
    story.tell(CallFailed, 2, nonce="b")
    story.judge(CHECK, "fail", *ran)


def test_without_executions_of_the_workload_it_is_unknown(story):
    story.tell(Healed)
    story.call("a", 1)
    story.ends()
    story.judge(CHECK, "unknown", saying="executed no call")
