"""Bytes that nobody sent: once a connection, before whatever comes next, and nothing else."""

from fake_shell import DOWN, UP, Play, fault, when


def test_the_text_comes_on_an_idle_connection():
    play = Play(fault("insert", when(idle_s=1.0), text="junk"))
    play.ask(b"?").reply(b"!").wait(0.9)
    assert play.passed(DOWN) == b"!"
    play.wait(0.2)
    assert play.passed(DOWN) == b"!junk"


def test_it_comes_once_and_later_replies_pass_as_they_are():
    play = Play(fault("insert", when(idle_s=1.0), text="junk"))
    play.ask(b"?").reply(b"!").wait(5.0).ask(b"?").reply(b"?!").wait(5.0)
    assert play.passed(DOWN) == b"!junk?!"
    assert play.passed(UP) == b"??"
    assert len(play.fired) == 1


def test_it_comes_at_a_point_within_a_reply():
    play = Play(fault("insert", when(response=1, byte=2), text="-"))
    play.ask(b"?").reply(b"abcd").wait(1.0)
    assert play.passed(DOWN) == b"ab-cd"


def test_upstream_it_reaches_the_server():
    play = Play(fault("insert", when(idle_s=1.0), text="junk", direction="upstream"))
    play.ask(b"?").reply(b"!").wait(2.0)
    assert play.passed(UP) == b"?junk"
    assert play.passed(DOWN) == b"!"
