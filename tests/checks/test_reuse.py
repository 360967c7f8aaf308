from harness.checks.reuse import Reuse
from harness.history import ConnectionClosed, ConnectionOpened, Healed

CHECK = Reuse(at_least=0.9)


def connection(story, ordinal, exchanges, at_s=1.0):
    opened = story.tell(ConnectionOpened, at_s, connection=ordinal)
    story.tell(ConnectionClosed, at_s + 1, connection=ordinal, exchanges=exchanges)
    return opened


def test_connections_used_again_and_again_pass(story):
    connection(story, 1, 95)
    connection(story, 2, 5)
    story.ends()
    story.judge(CHECK, "pass", saying="98.0%: 100 exchanges over 2 connections")


def test_a_connection_for_each_exchange_fails_and_shows_the_least_used(story):
    more = connection(story, 1, 2)
    less = connection(story, 2, 1)
    story.judge(CHECK, "fail", less, more, saying="33.3%")


def test_unused_and_recovery_connections_do_not_count(story):
    connection(story, 1, 0)
    connection(story, 2, 100)
    story.tell(Healed, 4)
    connection(story, 3, 1, at_s=5)
    story.ends()
    story.judge(CHECK, "pass", saying="99.0%")


def test_an_open_connection_has_exchanges_nobody_counted(story):
    connection(story, 1, 1)
    story.tell(ConnectionOpened, 3, connection=2)
    story.ends()
    story.judge(CHECK, "unknown", saying="1 connection never closed")


def test_without_exchanges_it_is_unknown(story):
    story.ends()
    story.judge(CHECK, "unknown", saying="no closed connection")
