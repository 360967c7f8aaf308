import pytest

from harness.checks.latency import Latency
from harness.history import CallFailed, CallInvoked, Healed


@pytest.fixture
def hundred(story):
    """Calls that took 1, 2, … 100 ms."""
    story.slowest = [story.call(str(i), took_s=i / 1000)[-1] for i in range(1, 101)][::-1]
    return story


@pytest.mark.parametrize(
    ("name", "rank_s"), [("p50_s", 0.05), ("p95_s", 0.095), ("p99_s", 0.099), ("max_s", 0.1)]
)
def test_a_percentile_is_the_nearest_rank(hundred, name, rank_s):
    hundred.ends()
    hundred.judge(Latency(**{name: rank_s}), "pass")
    hundred.judge(Latency(**{name: rank_s - 0.0005}), "fail")


def test_the_slowest_calls_are_shown_first(hundred):
    found = hundred.judge(Latency(p50_s=1, p99_s=0.098), "fail", *hundred.slowest[:2])
    assert found.expected == "p50 at most 1s, p99 at most 98ms"
    assert found.actual == "p50 50ms, p99 99ms of 100 calls"


def test_of_few_calls_a_high_percentile_is_the_slowest(story):
    story.call("a", took_s=0.1)
    slow = story.call("b", took_s=0.3)[-1]
    story.judge(Latency(p99_s=0.2), "fail", slow)
    story.ends()
    story.judge(Latency(p50_s=0.2), "pass")


def test_failed_calls_and_recovery_do_not_count(story):
    story.tell(CallInvoked, nonce="a")
    story.tell(CallFailed, 9, nonce="a", took_s=9)
    story.tell(Healed, 10)
    story.call("b", 11, took_s=9)
    story.ends()
    story.judge(Latency(max_s=0.1), "unknown", saying="no call succeeded")


def test_no_limit_is_a_mistake():
    with pytest.raises(ValueError, match="give p50 or p95 or p99 or max"):
        Latency()
