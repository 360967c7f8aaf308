import pytest

from harness.checks.detects_within import DetectsWithin
from harness.history import (
    ClientClosing,
    ClientEndClosed,
    ConnectionOpened,
    Dialed,
    FaultFired,
    SocketClosed,
)

CHECK = DetectsWithin(within_s=1.0)


@pytest.fixture
def struck(story):
    """A connection that a fault ended at 5 s, its socket watched."""
    story.tell(Dialed, 1, local_port=7)
    story.tell(ConnectionOpened, 1, connection=1, client_port=7)
    story.tell(FaultFired, 5, connection=1, ends=True)
    return story


def test_a_socket_closed_in_time_passes(struck):
    struck.tell(SocketClosed, 5.5, local_port=7)
    struck.ends()
    struck.judge(CHECK, "pass", 2, 1)


def test_a_socket_closed_late_or_never_fails(struck):
    struck.ends()
    struck.judge(CHECK, "fail", 2, 1)
    struck.tell(SocketClosed, 6.5, local_port=7)
    struck.judge(CHECK, "fail", 2, 1, saying="1 of 1 connection closed later")


def test_a_close_of_the_whole_client_detects_nothing(struck):
    struck.tell(ClientClosing, 5.5)
    struck.tell(SocketClosed, 5.6, local_port=7)
    struck.ends()
    struck.judge(CHECK, "unknown", saying="1 were open at the end")


def test_the_next_connection_on_the_port_is_another(struck):
    struck.tell(SocketClosed, 5.5, local_port=7)
    struck.tell(ConnectionOpened, 6, connection=2, client_port=7)
    struck.tell(FaultFired, 7, connection=2, ends=True)
    struck.tell(SocketClosed, 9, local_port=7)
    struck.judge(CHECK, "fail", 5, 4)


def test_a_strike_on_a_connection_the_client_had_left_is_nothing_to_detect(story):
    story.tell(ConnectionOpened, 1, connection=1)
    story.tell(ClientEndClosed, 2, connection=1)
    story.tell(FaultFired, 5, connection=1, ends=True)
    story.ends()
    story.judge(CHECK, "unknown", saying="no fault ended")


def test_without_a_watch_on_sockets_only_a_fin_tells(story):
    for i in (1, 2):
        story.tell(ConnectionOpened, 1, connection=i)
        story.tell(FaultFired, 5, connection=i, ends=True)
    story.tell(ClientEndClosed, 5.1, connection=1)
    story.ends()
    story.judge(CHECK, "unknown", saying="1 had a socket nobody watched")
