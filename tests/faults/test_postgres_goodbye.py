"""PostgreSQL's farewell comes between two messages, whatever the connection is at."""

import itertools

import pytest
from fake_shell import DOWN, Play, fault, when
from hypothesis import given
from hypothesis import strategies as st

from harness.wire import postgres as pg

READY = b"Z\0\0\0\x05I"
LOGIN = b"R\0\0\0\x08\0\0\0\0" + READY
ROW = b"D\0\0\0\x0d\0\1\0\0\0\3abc"
REPLY = ROW + b"C\0\0\0\x0dSELECT 1\0" + READY


def play(**conditions):
    return Play(fault("goodbye", when(**conditions)), protocol="postgres")


def said(play):
    """The messages that the client read, and how its end came."""
    messages = list(pg.Reader().feed(play.passed(DOWN)))
    return [type(message).__name__ for message in messages], play.ends(DOWN)


def test_an_idle_session_is_told_and_closed():
    session = play(idle_s=1.0).ask().reply(LOGIN).wait(2.0)
    *_, last = pg.Reader().feed(session.passed(DOWN))
    assert (last.code, last.is_fatal) == ("57P01", True)
    assert session.ends(DOWN) == ["close"]


def test_a_query_that_waits_is_answered_by_it():
    session = play(at_s=5.0).phase("load").ask().reply(LOGIN).wait(4.0).ask(b"Q").wait(2.0)
    names, ends = said(session)
    assert names == ["Authentication", "ReadyForQuery", "ErrorResponse"]
    assert ends == ["close"]


@given(st.lists(st.integers(1, len(REPLY) - 1), max_size=4), st.binary(max_size=9))
def test_a_reply_that_has_begun_is_let_through_whole(cuts, after):
    session = play(response=2).ask().reply(LOGIN).ask(b"Q")
    places = sorted({0, *cuts, len(REPLY)})
    for begin, end in itertools.pairwise(places):
        session.reply(REPLY[begin:end] + (after if end == len(REPLY) else b""))
    names, ends = said(session)
    assert names[2:] == ["DataRow", "CommandComplete", "ReadyForQuery", "ErrorResponse"]
    assert ends == ["close"]


def test_without_a_condition_it_follows_the_login():
    names, ends = said(play().ask().wait(9.0).reply(LOGIN))
    assert (names, ends) == (["Authentication", "ReadyForQuery", "ErrorResponse"], ["close"])


def test_healed_it_says_nothing():
    session = play(response=2).ask().reply(LOGIN).ask(b"Q").reply(ROW).heal().reply(READY).wait(9.0)
    assert said(session) == (["Authentication", "ReadyForQuery", "DataRow", "ReadyForQuery"], [])


@pytest.mark.parametrize("tail", [b"Z\0\0\0\x05X", b"Z\0\0\0\6I", b"z\0\0\0\5I"])
def test_what_only_looks_like_the_end_of_a_reply_is_not(tail):
    session = play(response=1).ask().reply(tail)
    assert (session.passed(DOWN), session.ends(DOWN)) == (tail, [])
