import pytest

from harness.checks.connections_peak import ConnectionsPeak
from harness.history import (
    ClientEndClosed,
    ConnectionClosed,
    ConnectionOpened,
    FaultFired,
    RunStarted,
    SocketClosed,
)

LEAVING = {
    "closed at both ends": (ConnectionClosed, {"connection": 1}),
    "client's FIN": (ClientEndClosed, {"connection": 1}),
    "ended by a fault": (FaultFired, {"connection": 1, "ends": True}),
    "socket closed": (SocketClosed, {"local_port": 5}),
}


@pytest.mark.parametrize(("kind", "values"), LEAVING.values(), ids=LEAVING)
def test_a_connection_that_the_client_has_done_with_makes_room(story, kind, values):
    story.tell(ConnectionOpened, 1, connection=1, client_port=5)
    story.tell(kind, 2, **values)
    story.tell(ConnectionOpened, 3, connection=2, client_port=6)
    story.ends()
    story.judge(ConnectionsPeak(at_most=1), "pass", saying="1 connection open")


def test_one_too_many_at_once_fails_and_shows_them_last_first(story):
    story.tell(ConnectionOpened, 1, connection=1)
    story.tell(ConnectionClosed, 2, connection=1)
    story.tell(ConnectionOpened, 3, connection=2)
    story.tell(ConnectionOpened, 4, connection=3)
    story.judge(ConnectionsPeak(at_most=1), "fail", 3, 2, saying="2 connections")


def test_a_fault_that_does_not_end_the_connection_frees_nothing(story):
    story.tell(ConnectionOpened, 1, connection=1)
    story.tell(FaultFired, 2, connection=1, ends=False)
    story.tell(ConnectionOpened, 3, connection=2)
    story.judge(ConnectionsPeak(at_most=1), "fail")


def test_the_limit_is_size_and_overflow_unless_given(story):
    story.tell(RunStarted, pool_size=1, pool_max_overflow=1)
    for i in (1, 2):
        story.tell(ConnectionOpened, i, connection=i)
    story.ends()
    story.judge(ConnectionsPeak(), "pass", 2, 1)
    story.tell(ConnectionOpened, 3, connection=3)
    story.judge(ConnectionsPeak(), "fail", 4, 2, 1)


def test_events_told_late_are_put_in_order(story):
    story.tell(ConnectionOpened, 3, connection=2)
    story.tell(ConnectionOpened, 1, connection=1)
    story.tell(ConnectionClosed, 2, connection=1)
    story.ends()
    story.judge(ConnectionsPeak(at_most=1), "pass")


def test_without_a_limit_or_a_connection_it_is_unknown(story):
    story.judge(ConnectionsPeak(), "unknown", saying="how large")
    story.judge(ConnectionsPeak(at_most=1), "unknown", saying="no connection")


def test_what_cancels_a_query_is_no_connection_of_the_pool(story):
    story.tell(ConnectionOpened, 0, connection=1)
    story.tell(ConnectionOpened, 1, connection=2)
    story.tell(ConnectionClosed, 2, connection=2, purpose="cancel")
    story.ends()
    story.judge(ConnectionsPeak(at_most=1), "pass")


@pytest.mark.parametrize(
    ("fabric", "late_s", "verdict"),
    [("loopback", 0.001, "pass"), ("loopback", 0.02, "fail"), ("virtual", 0.001, "fail")],
)
def test_in_real_time_an_end_seen_just_after_its_replacement_is_no_overlap(
    story, fabric, late_s, verdict
):
    story.tell(RunStarted, 0, fabric=fabric)
    story.tell(ConnectionOpened, 1, connection=1)
    story.tell(ConnectionOpened, 2, connection=2)
    story.tell(ClientEndClosed, 2 + late_s, connection=1)
    story.ends()
    story.judge(ConnectionsPeak(at_most=1), verdict)
