"""The socket that asyncio sees, driven by hand: no loop, no time."""

import errno
import io
import os
import select
import socket

import pytest

from harness.errors import SetupError
from harness.fabric.virtual import aio_loop
from harness.fabric.virtual.aio_loop import VirtualLoop
from harness.fabric.virtual.aio_selector import READ, WRITE, ReadySelector
from harness.fabric.virtual.aio_socket import AioSocket, Mirror
from harness.fabric.virtual.network import Network

HOST = "127.0.0.1"


def pair(network, selector, host=HOST):
    """A connected client and server, and the listener."""
    family = socket.AF_INET6 if ":" in host else socket.AF_INET
    listener, client = (AioSocket(network, selector, family) for _ in range(2))
    listener.bind((host, 0))
    listener.listen()
    client.connect_ex(listener.getsockname())
    network.run_until(network.now + 1)
    server, _ = listener.accept()
    return client, server, listener


def polls(fd):
    poll = select.poll()
    poll.register(fd, select.POLLIN)
    return bool(poll.poll(0))


@pytest.fixture
def selector():
    return ReadySelector()


@pytest.fixture
def network():
    return Network()


@pytest.fixture(params=["eventfd", "socketpair"])
def mirror(request, monkeypatch):
    if request.param == "socketpair":
        monkeypatch.delattr(os, "eventfd", raising=False)
    made = Mirror()
    yield made
    made.close()


def test_a_mirror_polls_as_readable_while_it_is_told_so(mirror):
    seen = [polls(mirror.fd)]
    for readable in (True, True, False, False, True):
        mirror.show(readable)
        seen.append(polls(mirror.fd))
    assert seen == [False, True, True, False, False, True]


def test_it_passes_for_a_socket_of_the_standard_library(network, selector):
    with AioSocket(network, selector) as sock:
        assert isinstance(sock, socket.socket)
        assert (sock.family, sock.type) == (socket.AF_INET, socket.SOCK_STREAM)
        assert sock.proto == socket.IPPROTO_TCP
        assert sock.getblocking()
        sock.settimeout(3)
        assert (sock.timeout, sock.gettimeout()) == (3, 3)
        sock.setblocking(False)
        assert not sock.getblocking()
        sock.setsockopt(socket.IPPROTO_TCP, socket.TCP_NODELAY, 1)
        assert sock.getsockopt(socket.IPPROTO_TCP, socket.TCP_NODELAY) == 1
        assert sock.fileno() >= 0
    assert sock.fileno() == -1
    assert repr(sock) == "<closed socket>"
    sock.close()


@pytest.mark.parametrize("host", [HOST, "::1"])
def test_bytes_and_addresses_are_those_of_the_network(network, selector, host):
    client, server, listener = pair(network, selector, host)
    assert client.getpeername() == server.getsockname()
    assert len(client.getpeername()) == (4 if ":" in host else 2)
    assert client.sendmsg([b"ab", memoryview(b"cd")]) == 4
    buffer = bytearray(3)
    assert server.recv_into(buffer) == 3
    assert (bytes(buffer), server.recv(10)) == (b"abc", b"d")
    with pytest.raises(BlockingIOError):
        server.recv(1)
    client.shutdown(socket.SHUT_WR)
    assert server.recv(1) == b""
    for sock in (client, server, listener):
        sock.close()


def test_a_name_is_a_literal_or_localhost(network, selector):
    with AioSocket(network, selector) as sock:
        with pytest.raises(socket.gaierror, match="no host is called 'nowhere' here"):
            sock.connect(("nowhere", 80))
        assert sock.connect_ex(("localhost", 80)) in {errno.ECONNREFUSED, errno.EINPROGRESS}
    with AioSocket(network, selector, socket.AF_INET6) as sock:
        sock.bind(("", 0))
        assert sock.getsockname()[0] == "::"


def test_what_would_outlive_it_or_block_is_refused(network, selector):
    with AioSocket(network, selector) as sock:
        for refused in (sock.detach, sock.dup, sock.makefile):
            with pytest.raises(io.UnsupportedOperation, match="virtual network has no"):
                refused()
        with pytest.raises(io.UnsupportedOperation):
            sock.sendmsg([b"x"], [(1, 1, b"")])


def test_a_dropped_socket_warns_and_gives_its_descriptor_back(network, selector):
    sock = AioSocket(network, selector)
    fd = sock.fileno()
    with pytest.warns(ResourceWarning, match="unclosed <virtual socket"):
        del sock
    assert network.sockets() == []
    with pytest.raises(OSError, match="Bad file descriptor"):
        os.close(fd)


def test_the_selector_tells_what_is_ready_in_the_order_it_became_so(network, selector):
    woken = []
    selector.on_wake = lambda: woken.append(True)
    ends = [pair(network, selector) for _ in range(3)]
    for _, server, _ in ends:
        selector.register(server.fileno(), READ, server)
    assert selector.select(5) == []
    assert (selector.idle, selector.rest_s) == (True, 5)
    for client, _, _ in reversed(ends):
        client.send(b"x")
    ready = selector.select(5)
    assert [key.data for key, _ in ready] == [server for _, server, _ in reversed(ends)]
    assert {mask for _, mask in ready} == {READ}
    assert woken
    assert not selector.idle
    first = ends[0][1]
    selector.modify(first.fileno(), READ | WRITE, "both")
    assert [mask for key, mask in selector.select() if key.data == "both"] == [READ | WRITE]
    selector.unregister(first)
    with pytest.raises(KeyError):
        selector.get_key(first.fileno())
    assert len(selector.get_map()) == 2
    for sock in (sock for three in ends for sock in three):
        sock.close()
    assert selector.select() == []
    selector.close()


def test_the_selector_watches_nothing_else(network, selector):
    with pytest.raises(ValueError, match="no socket of the virtual network"):
        selector.register(0, READ)
    with AioSocket(network, selector) as sock:
        selector.register(sock, READ)
        with pytest.raises(KeyError, match="watched already"):
            selector.register(sock, READ)


def test_an_asyncio_it_does_not_know_is_refused(network, monkeypatch):
    monkeypatch.setattr(aio_loop, "_PRIVATE", ("_gone",))
    with pytest.raises(SetupError, match="asyncio of this Python has no _gone"):
        VirtualLoop(network)
