import pytest

from harness.checks.clean_checkout import CleanCheckout
from harness.history import DirtyCheckout, RunStarted


@pytest.fixture
def database(story):
    story.tell(RunStarted, origin_tells=("executions", "names", "sessions"))
    story.call("a")
    story.call("b")
    return story


def finds(story, what):
    return story.tell(DirtyCheckout, 2, nonce="b", left_by="a", what=what)


def test_a_call_that_finds_nothing_passes(database):
    database.ends()
    database.judge(CleanCheckout(), "pass", saying="0 calls found an open transaction")


def test_an_open_transaction_of_another_call_fails(database):
    found = finds(database, "transaction")
    database.judge(CleanCheckout(), "fail", found, saying="1 call found an open transaction")


def test_a_setting_that_another_call_changed_fails(database):
    found = finds(database, "session")
    database.judge(CleanCheckout(), "fail", found, saying="1 call found changed settings")


def test_settings_may_be_left_out(database):
    finds(database, "session")
    database.ends()
    database.judge(CleanCheckout(session=False), "pass")
    found = finds(database, "transaction")
    database.judge(CleanCheckout(session=False), "fail", found)


def test_an_origin_without_sessions_cannot_tell(story):
    story.tell(RunStarted)
    story.call("a")
    story.ends()
    story.judge(CleanCheckout(), "unknown", saying="can't tell")


def test_without_a_call_it_is_unknown(story):
    story.tell(RunStarted, origin_tells=("sessions",))
    story.ends()
    story.judge(CleanCheckout(), "unknown", saying="no call at all")


def test_a_history_that_stops_early_could_still_show_something(database):
    database.judge(CleanCheckout(), "unknown", saying="stops before the run's end")
