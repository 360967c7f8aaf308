import pytest

from harness.checks.connections_opened import ConnectionsOpened
from harness.history import ConnectionClosed, ConnectionOpened, FaultArmed, Healed


@pytest.fixture
def three(story):
    for i in range(3):
        story.tell(ConnectionOpened, i, connection=i + 1)
    return story


def test_within_both_limits_passes(three):
    three.ends()
    three.judge(ConnectionsOpened(at_most=3, at_least=3), "pass", 0, 1, 2)


def test_too_many_fails_and_shows_those_beyond_the_limit(three):
    three.judge(ConnectionsOpened(at_most=1), "fail", 1, 2, saying="3 connections opened")


def test_too_few_fails_once_the_workload_is_over(three):
    three.judge(ConnectionsOpened(at_least=4), "unknown")
    three.tell(Healed, 5)
    three.judge(ConnectionsOpened(at_least=4), "fail", 0, 1, 2)


def test_what_recovery_opens_does_not_count(three):
    three.tell(Healed, 5)
    three.tell(ConnectionOpened, 5, connection=4)
    three.ends()
    three.judge(ConnectionsOpened(at_most=3), "pass")


def test_none_at_all_counts_if_the_proxy_was_there(story):
    story.tell(FaultArmed, index=0)
    story.ends()
    story.judge(ConnectionsOpened(at_most=0), "pass")


def test_without_the_proxy_it_is_unknown(story):
    story.ends()
    story.judge(ConnectionsOpened(at_most=0), "unknown")


def test_no_limit_is_a_mistake():
    with pytest.raises(ValueError, match="give at_most or at_least"):
        ConnectionsOpened()


def test_what_cancels_a_query_is_no_connection_of_the_pool(three):
    three.tell(ConnectionClosed, 3, connection=2, purpose="cancel")
    three.ends()
    three.judge(ConnectionsOpened(at_most=2), "pass", 0, 2)
