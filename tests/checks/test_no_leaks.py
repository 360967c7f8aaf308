import pytest

from harness.checks.no_leaks import NoLeaks
from harness.history import (
    ClientClosed,
    ClientEndClosed,
    ConnectionClosed,
    ConnectionOpened,
    Dialed,
    Leaked,
    SocketClosed,
)


@pytest.fixture
def used(story):
    """A client that used one connection and was closed."""
    story.tell(Dialed, 1, local_port=5)
    story.tell(ConnectionOpened, 1, connection=1, client_port=5)
    story.tell(ClientClosed, 9)
    return story


def test_a_client_that_closes_its_socket_passes(used):
    used.tell(SocketClosed, 9, local_port=5)
    used.tell(ConnectionClosed, 9.1, connection=1)
    used.ends()
    used.judge(NoLeaks(), "pass")


def test_a_connection_and_socket_left_open_fail(used):
    used.ends()
    used.judge(NoLeaks(), "fail", 1, 0, saying="1 connection at the proxy, 1 client socket")


def test_a_connection_which_the_proxy_had_to_end_fails(story):
    opened = story.tell(ConnectionOpened, 1, connection=1)
    story.tell(ClientClosed, 9)
    story.tell(ConnectionClosed, 10, connection=1, by="proxy")
    story.ends()
    story.judge(NoLeaks(), "fail", opened)


def test_a_connection_the_client_had_ended_before_the_proxy_let_go_passes(story):
    story.tell(ConnectionOpened, 1, connection=1)
    story.tell(ClientEndClosed, 8, connection=1)
    story.tell(ClientClosed, 9)
    story.tell(ConnectionClosed, 10, connection=1, by="proxy")
    story.ends()
    story.judge(NoLeaks(), "pass")


def test_a_dead_socket_kept_after_the_proxy_ended_it_fails(used):
    used.tell(ConnectionClosed, 2, connection=1, by="fault:reset")
    used.ends()
    used.judge(NoLeaks(), "fail", 0, saying="left open: 1 client socket")


def test_a_port_used_twice_is_two_sockets(used):
    used.tell(SocketClosed, 2, local_port=5)
    used.tell(ConnectionClosed, 2, connection=1)
    again = used.tell(Dialed, 3, local_port=5)
    used.ends()
    used.judge(NoLeaks(), "fail", again)


def test_what_the_runner_found_fails_even_if_the_client_never_closed(story):
    found = story.tell(Leaked, 9, what="tasks", count=2)
    story.judge(NoLeaks(), "fail", found, saying="2 tasks")


def test_a_client_never_closed_is_unknown(story):
    story.tell(ConnectionOpened, connection=1)
    story.ends()
    story.judge(NoLeaks(), "unknown", saying="never closed")


def test_without_a_connection_it_is_unknown(story):
    story.tell(ClientClosed)
    story.ends()
    story.judge(NoLeaks(), "unknown", saying="no witness")


def test_a_connection_the_proxy_ended_while_the_client_was_at_work_is_no_leak(story):
    story.tell(ConnectionOpened, 1, connection=1)
    story.tell(ConnectionClosed, 2, connection=1, by="proxy")
    story.tell(ClientClosed, 9)
    story.ends()
    story.judge(NoLeaks(), "pass")
