import pytest

from harness.checks.error_names_cause import ErrorNamesCause
from harness.history import CallFailed, CallInvoked, CallUnknown


def fails(story, **how):
    story.tell(CallInvoked, nonce="a")
    return story.tell(CallFailed, nonce="a", **how)


def test_a_named_cause_passes(story):
    fails(story, kind="refused")
    story.ends()
    story.judge(ErrorNamesCause(), "pass", saying="0 of 1 error")


@pytest.mark.parametrize(
    ("how", "saying"),
    [
        ({"kind": "other", "message": "KeyError: 7"}, "other: KeyError: 7"),
        ({"message": " "}, "reset: (no message)"),
    ],
)
def test_a_nameless_or_silent_error_fails(story, how, saying):
    story.judge(ErrorNamesCause(), "fail", fails(story, **how), saying=saying)


def test_calls_that_all_went_well_had_no_cause_to_name(story):
    story.call("a")
    story.ends()
    story.judge(ErrorNamesCause(), "pass", saying="no call failed")


def test_an_abandoned_call_needs_no_cause(story):
    story.tell(CallInvoked, nonce="a")
    story.tell(CallUnknown, nonce="a", kind="abandoned", message="")
    story.ends()
    story.judge(ErrorNamesCause(), "pass")


def test_without_calls_it_is_unknown(story):
    story.ends()
    story.judge(ErrorNamesCause(), "unknown")
