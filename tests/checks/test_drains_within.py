import pytest

from harness.checks.drains_within import DrainsWithin
from harness.history import BackendRetired, ClientClosing, ConnectionClosed, ConnectionOpened

CHECK = DrainsWithin(within_s=2.0)


@pytest.fixture
def drained(story):
    """A connection to blue, which is retired at 5 s, and one to green."""
    story.tell(ConnectionOpened, 1, connection=1, backend="blue")
    story.tell(ConnectionOpened, 2, connection=2, backend="green")
    story.tell(BackendRetired, 5, backend="blue", drain=True)
    return story


def test_connections_that_end_in_time_pass(drained):
    drained.tell(ConnectionClosed, 6, connection=1)
    drained.ends()
    drained.judge(CHECK, "pass", 2, 0, saying="0 of 1 connection")


def test_a_connection_that_lives_longer_fails(drained):
    drained.tell(ConnectionClosed, 7.5, connection=1)
    drained.judge(CHECK, "fail", 2, 0)


def test_a_connection_that_never_ends_fails(drained):
    drained.ends()
    drained.judge(CHECK, "fail", 2, 0)


def test_a_client_closed_too_soon_shows_nothing(drained):
    drained.tell(ClientClosing, 6)
    drained.tell(ConnectionClosed, 6.1, connection=1)
    drained.ends()
    drained.judge(CHECK, "unknown", saying="1 were open until the client closed")


def test_a_connection_that_had_ended_before_is_none_to_drain(story):
    story.tell(ConnectionOpened, 1, connection=1, backend="blue")
    story.tell(ConnectionClosed, 2, connection=1)
    story.tell(BackendRetired, 5, backend="blue", drain=True)
    story.ends()
    story.judge(CHECK, "unknown", saying="nothing was open")


def test_a_retirement_without_draining_is_none(story):
    story.tell(BackendRetired, 5, drain=False)
    story.ends()
    story.judge(CHECK, "unknown", saying="no backend was drained")
