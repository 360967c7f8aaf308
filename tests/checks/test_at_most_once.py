from harness.checks.at_most_once import AtMostOnce
from harness.history import CallFailed, CallInvoked, Executed, RunStarted


def test_each_unsafe_call_executed_once_passes(story):
    story.call("a", unsafe=True)
    story.call("b", unsafe=True)
    story.ends()
    story.judge(AtMostOnce(), "pass")


def test_a_second_execution_on_another_backend_fails(story):
    _, first, _ = story.call("a", unsafe=True)
    second = story.tell(Executed, 1, nonce="a", backend="green", unsafe=True)
    story.judge(AtMostOnce(), "fail", first, second, saying="1 ran more than once")


def test_a_safe_call_may_run_twice(story):
    story.call("a", runs=2)
    story.call("b", unsafe=True)
    story.ends()
    story.judge(AtMostOnce(), "pass")


def test_a_reply_that_nobody_computed_fails(story):
    _, answered = story.call("a", unsafe=True, runs=0)
    story.call("b", unsafe=True)
    story.judge(AtMostOnce(), "fail", answered, saying="1 returned without having run")


def test_certainly_not_done_but_executed_fails(story):
    story.tell(CallInvoked, nonce="a", unsafe=True)
    ran = story.tell(Executed, 0.1, nonce="a", unsafe=True)
    told = story.tell(CallFailed, 0.2, nonce="a")
    story.judge(AtMostOnce(), "fail", ran, told, saying="1 ran though called failed")


def test_without_unsafe_calls_it_is_unknown(story):
    story.call("a", runs=2)
    story.ends()
    story.judge(AtMostOnce(), "unknown", saying="no unsafe call")


def test_without_a_ledger_it_is_unknown(story):
    story.call("a", unsafe=True, runs=0)
    story.ends()
    story.judge(AtMostOnce(), "unknown", saying="no execution at all")


def test_a_history_that_stops_early_could_still_show_a_second_run(story):
    story.call("a", unsafe=True)
    story.judge(AtMostOnce(), "unknown", saying="stops before the run's end")


def test_an_origin_that_lets_nothing_be_known_is_unknown(story):
    story.tell(RunStarted, origin_tells=())
    story.call("a", unsafe=True)
    story.ends()
    story.judge(AtMostOnce(), "unknown", saying="counts no executions")
