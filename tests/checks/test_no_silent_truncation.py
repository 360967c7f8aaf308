import pytest

from harness.checks.no_silent_truncation import NoSilentTruncation
from harness.history import CallFailed, CallOk, RunStarted


def test_whole_replies_pass(story):
    story.call("a")
    story.ends()
    story.judge(NoSilentTruncation(), "pass")


@pytest.mark.parametrize("wrong", [{"reply_bytes": 4}, {"reply_bytes": 11}, {"intact": False}])
def test_a_cut_longer_or_changed_reply_fails(story, wrong):
    story.call("a")
    bad = story.tell(CallOk, 1, nonce="b", **wrong)
    story.judge(NoSilentTruncation(), "fail", bad, saying="1 of 2 replies")


def test_the_sizes_are_told(story):
    story.tell(CallOk, nonce="a", reply_bytes=4)
    story.judge(NoSilentTruncation(), "fail", 0, saying="with 4B of 10B")


def test_without_replies_it_is_unknown(story):
    story.tell(CallFailed, nonce="a")
    story.ends()
    story.judge(NoSilentTruncation(), "unknown")


def test_an_origin_that_lets_nothing_be_known_is_unknown(story):
    story.tell(RunStarted, origin_tells=())
    story.call("a", unsafe=True)
    story.ends()
    story.judge(NoSilentTruncation(), "unknown", saying="nobody knows what this origin replies")
