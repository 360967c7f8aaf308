"""Faults that a client's own kernel or the listening port performs, in a namespace of their own."""

import errno
import select
import socket
import struct
from contextlib import suppress

import pytest

from harness.errors import SetupError
from harness.fabric.netns.backlog import Crowd, is_full, listen_drops
from harness.fabric.netns.diag import destroy
from harness.fabric.netns.namespaces import Namespaces
from harness.fabric.netns.netlink import Netlink
from harness.fabric.netns.operations import SetLink

HOME = "127.0.0.1"
BACKLOG = 64
PATIENCE_S = 20.0
SHORT_S = 0.3
"""Less than the second after which a kernel sends SYN again."""


@pytest.fixture
def space():
    """Namespaces with one host, whose loopback is up."""
    try:
        with Namespaces(["host"]) as spaces:
            Netlink(spaces).perform([SetLink("host", "lo", up=True)])
            yield spaces
    except SetupError as error:
        pytest.skip(f"needs network namespaces: {error}")


@pytest.fixture
def ends(space):
    """A listening socket, and what makes clients of it; all are closed at the end."""
    opened = []

    def made(listens: bool = False):
        sock = space.socket("host", socket.AF_INET, socket.SOCK_STREAM)
        opened.append(sock)
        if listens:
            sock.bind((HOME, 0))
            sock.listen(BACKLOG)
            sock.setblocking(False)
        else:
            sock.settimeout(PATIENCE_S)
        return sock

    yield made
    for sock in opened:
        sock.close()


def accepted(listener):
    """The next connection that is real; the queue may hold dead ones before it."""
    while True:
        assert select.select([listener], [], [], PATIENCE_S)[0]
        with suppress(BlockingIOError):
            sock, address = Crowd.accept(listener)
            sock.settimeout(PATIENCE_S)
            return sock, address


# --- SOCK_DESTROY ---------------------------------------------------------------------------


def joined(ends):
    listener, client = ends(listens=True), ends()
    client.connect(listener.getsockname())
    return client, accepted(listener)[0]


def test_a_destroyed_socket_is_aborted_for_its_owner_and_reset_for_the_other_end(space, ends):
    client, server = joined(ends)
    with server:
        assert destroy(space, "host", client.getsockname()[1])
        with pytest.raises(ConnectionAbortedError):
            client.recv(1)
        with pytest.raises(ConnectionResetError):
            server.recv(1)


def test_only_the_socket_that_dialed_from_the_port_is_destroyed(space, ends):
    listener = ends(listens=True)
    struck, spared = ends(), ends()
    for client in (struck, spared):
        client.connect(listener.getsockname())
    servers = [accepted(listener)[0] for _ in range(2)]
    assert destroy(space, "host", struck.getsockname()[1])
    servers[1].sendall(b"still here")
    assert spared.recv(10) == b"still here"
    for server in servers:
        server.close()


def test_nobody_is_destroyed_who_is_not_there_or_left(space, ends):
    client, server = joined(ends)
    port = client.getsockname()[1]
    assert not destroy(space, "host", port + 1)
    client.close()  # it waits for the other end's FIN, and no program holds it
    with server:
        assert not destroy(space, "host", port)
        assert server.recv(1) == b""


def test_a_kernel_that_cannot_is_told_in_words(space, monkeypatch):
    refusal = struct.pack("=i", -errno.EOPNOTSUPP)
    monkeypatch.setattr("harness.fabric.netns.diag._held", lambda *_: [bytes(48)])
    monkeypatch.setattr("harness.fabric.netns.diag._answers", lambda _: [(2, refusal)])
    with pytest.raises(SetupError, match="CONFIG_INET_DIAG_DESTROY"):
        destroy(space, "host", 1)


# --- a queue that is full -------------------------------------------------------------------


@pytest.fixture
def crowded(space, ends):
    """A listener whose queue is full, who fills it, and how many were turned away so far."""
    listener, crowd = ends(listens=True), Crowd()
    crowd.fill(listener, lambda *kind: space.socket("host", *kind))

    def turned_away():
        with space.inside("host"):
            return listen_drops()

    yield listener, crowd, turned_away
    crowd.leave()


def test_a_full_queue_leaves_a_connect_without_an_answer(crowded, ends):
    listener, _, turned_away = crowded
    assert is_full(listener)
    assert turned_away() == 0  # who fills it was let in
    client = ends()
    client.settimeout(SHORT_S)
    with pytest.raises(TimeoutError):
        client.connect(listener.getsockname())
    assert turned_away() == 1


def test_who_comes_after_healing_is_served_and_who_filled_the_queue_is_never_seen(crowded, ends):
    listener, crowd, _ = crowded
    crowd.leave()
    listener.listen(BACKLOG)
    client = ends()
    client.connect(listener.getsockname())
    server, address = accepted(listener)
    with server:
        assert address == client.getsockname()
        with pytest.raises(BlockingIOError):
            crowd.accept(listener)


def test_who_waited_already_is_served_in_the_end(space, ends):
    listener, crowd, early = ends(listens=True), Crowd(), ends()
    early.connect(listener.getsockname())
    crowd.fill(listener, lambda *kind: space.socket("host", *kind))
    crowd.leave()
    server, address = accepted(listener)
    with server:
        assert address == early.getsockname()


def test_a_connect_that_was_turned_away_comes_through_a_second_later(crowded, ends):
    listener, crowd, turned_away = crowded
    client = ends()
    client.setblocking(False)
    client.connect_ex(listener.getsockname())
    assert select.select([], [client], [], SHORT_S)[1] == []
    assert turned_away() >= 1
    crowd.leave()
    listener.listen(BACKLOG)
    server, address = accepted(listener)
    with server:
        assert address == client.getsockname()
