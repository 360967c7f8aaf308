from harness.checks.no_crosstalk import NoCrosstalk
from harness.history import CallInvoked, CallOk, RunStarted


def test_own_replies_pass(story):
    story.call("a")
    story.call("b")
    story.ends()
    story.judge(NoCrosstalk(), "pass", saying="0 of 2 replies")


def test_a_foreign_reply_fails_and_names_both_calls(story):
    owner = story.tell(CallInvoked, nonce="a")
    story.tell(CallInvoked, nonce="b")
    got = story.tell(CallOk, 1, nonce="b", reply_nonce="a")
    story.judge(NoCrosstalk(), "fail", got, owner)


def test_a_foreign_reply_of_a_call_nobody_made_fails(story):
    got = story.tell(CallOk, 1, nonce="b", reply_nonce="ghost")
    story.judge(NoCrosstalk(), "fail", got)


def test_an_unreadable_reply_belongs_to_nobody(story):
    story.tell(CallOk, nonce="a", reply_nonce="")
    story.ends()
    story.judge(NoCrosstalk(), "unknown", saying="no reply named")


def test_an_origin_that_lets_nothing_be_known_is_unknown(story):
    story.tell(RunStarted, origin_tells=())
    story.call("a", unsafe=True)
    story.ends()
    story.judge(NoCrosstalk(), "unknown", saying="nobody knows what this origin replies")
