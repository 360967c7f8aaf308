import pytest

from harness import history as ev
from harness.campaign.story import LINES_LIMIT, story
from harness.checks import Finding, Verdict

ASKED = {"phase": "load", "unsafe": True, "expected_bytes": 9}


def finding(*evidence, check="no_crosstalk"):
    return Finding(check, Verdict.FAIL, "A reply must…", "each its own", "1 of 9 foreign", evidence)


def invoked(at_s, nonce, caller):
    return ev.CallInvoked(at_s=at_s, nonce=nonce, caller=caller, **ASKED)


def ok(at_s, nonce, reply):
    counted = {"reply_bytes": 9, "expected_bytes": 9}
    return ev.CallOk(at_s=at_s, nonce=nonce, took_s=0.1, reply_nonce=reply, **counted)


@pytest.fixture
def history():
    """Two callers swap replies; long before and after, others call in peace."""
    made = ev.History()
    for number in range(30):
        made.add(invoked(number / 100, f"early-{number}", 1))
    made.add(ev.ConnectionOpened(at_s=1.0, connection=3))
    made.add(invoked(1.5, "n-1", 1))
    made.add(invoked(1.5, "n-2", 2))
    made.add(ev.Executed(at_s=1.6, nonce="n-2", backend="blue", unsafe=True))
    made.add(ok(1.7, "n-1", "n-2"))
    made.add(ev.FaultFired(at_s=9.0, index=0, fault="close", connection=3))
    return made


def test_it_follows_the_calls_of_the_evidence_in_the_order_of_time(history):
    lines = story(history, finding(34, 32))
    assert lines[0] == "no_crosstalk failed: 1 of 9 foreign"
    assert [line.split("  ")[0] for line in lines[1:]] == [
        "1.0000 s", "1.5000 s", "1.5000 s", "1.6000 s", "1.7000 s",
    ]  # fmt: skip
    assert lines[-1] == ("1.7000 s  caller 1      call n-1 ok after 100ms, with the reply to n-2")


def test_it_says_who(history):
    who = [line.split("  ")[1].strip() for line in story(history, finding(34))[1:]]
    assert who == ["connection 3", "caller 1", "caller 2", "origin", "caller 1"]


def test_causes_come_before_what_they_cause(history):
    assert not any("close" in line for line in story(history, finding(34)))


def test_it_has_at_most_ten_lines(history):
    for number in range(40):
        history.add(ev.FaultFired(at_s=9.1, index=0, fault="reset", connection=number + 1))
    lines = story(history, finding(*range(34, 44)))
    assert len(lines) == LINES_LIMIT == 10


def test_evidence_that_is_missing_from_the_history_is_left_out(history):
    assert len(story(history, finding(4711))) > 1


def test_a_finding_without_evidence_is_still_told(history):
    assert story(ev.History(), finding()) == ["no_crosstalk failed: 1 of 9 foreign"]
