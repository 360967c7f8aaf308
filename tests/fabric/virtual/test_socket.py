"""What a program sees of a simulated socket besides bytes: names, options, readiness, the watcher.

What Linux does call by call is compared with the kernel itself in ``tests/arms``.
"""

import errno
import gc

import pytest
from wires import SERVER, Tap, connected, dialing, drop_all, listening, outcome, run

from harness.fabric.virtual import linux
from harness.fabric.virtual.network import Network
from harness.fabric.virtual.socket import Socket
from harness.packet import DROPPED
from harness.timeline import Side


class Watcher:
    def __init__(self):
        self.told = []

    def dialed(self, port, outcome_errno, began):
        self.told.append(("dialed", port, errno.errorcode.get(outcome_errno, "ok"), began))

    def closed(self, port):
        self.told.append(("closed", port))

    def lost(self, port):
        self.told.append(("lost", port))


def watched():
    network = Network()
    network.watcher = Watcher()
    network.expose(SERVER, Side.CLIENT)
    return network, network.watcher.told


# --- the watcher --------------------------------------------------------------------------------


def test_the_watcher_hears_of_dialing_and_closing():
    network, told = watched()
    listener, client = listening(network), dialing(network)
    port = client.getsockname()[1]
    client.close()
    client.close()
    assert told == [("dialed", port, "ok", 0.0), ("closed", port)]
    assert listener.readable


def test_the_watcher_hears_of_a_refusal_and_of_no_close_after_it():
    network, told = watched()
    client = Socket(network)
    assert outcome(lambda: client.connect(SERVER)) == "ECONNREFUSED"
    client.close()
    assert [(what, why) for what, _, why, _ in told] == [("dialed", "ECONNREFUSED")]


def test_the_watcher_hears_of_an_attempt_when_it_ends_and_since_when_it_went_on():
    network, told = watched()
    network.run_until(5.0)
    Tap(network, drop_all)
    client = dialing(network)
    assert told == []
    run(network)
    assert told == [("dialed", client.getsockname()[1], "ETIMEDOUT", 5.0)]


def test_an_attempt_that_is_closed_meanwhile_was_cancelled():
    network, told = watched()
    Tap(network, drop_all)
    client = dialing(network)
    client.close()
    assert [entry[2] for entry in told] == ["ECANCELED"]


def test_the_watcher_hears_of_a_socket_that_nobody_closed():
    network, told = watched()
    listener, client = listening(network), dialing(network)
    server, _ = listener.accept()
    port = client.getsockname()[1]
    del client
    gc.collect()
    assert told[-1] == ("lost", port)
    assert server.recv(1) == b""


def test_the_watcher_hears_nothing_of_connections_to_backends_or_of_accepted_ones():
    network = Network()
    network.watcher = Watcher()
    client, server = connected(network)
    server.close()
    client.close()
    assert network.watcher.told == []


# --- readiness ----------------------------------------------------------------------------------


def test_changes_are_told_while_readiness_is_seen():
    network = Network()
    client, server = connected(network)
    told = []
    server.on_change = lambda: told.append((server.readable, server.writable))
    client.send(b"x")
    client.close()
    assert told[0] == (True, True)
    assert len(told) >= 2


def test_closing_tells_who_waits():
    network = Network()
    client, _ = connected(network)
    told = []
    client.on_change = lambda: told.append(client.closed)
    client.close()
    assert told == [True]


def test_a_writer_is_told_once_there_is_room():
    network = Network()
    client, server = connected(network)
    while client.writable:
        client.send(bytes(1 << 16))
    told = []
    client.on_change = lambda: told.append(client.writable)
    while server.readable:
        server.recv(1 << 16)
    assert told[-1]


def test_a_listener_is_readable_once_somebody_waits():
    network = Network()
    listener, told = listening(network), []
    listener.on_change = lambda: told.append(listener.readable)
    dialing(network)
    assert told == [True]


# --- names --------------------------------------------------------------------------------------


def test_ports_are_given_in_order_and_skip_what_is_in_use():
    network = Network()
    taken = Socket(network)
    taken.bind(("127.0.0.1", 32_769))
    ports = []
    listener = listening(network)
    for _ in range(3):
        ports.append(dialing(network).getsockname()[1])
        listener.accept()[0].close()
    assert ports == [32_768, 32_770, 32_771]


def test_ports_begin_again_and_run_out_in_the_end():
    network = Network()
    network.ports._next = linux.EPHEMERAL_PORTS.stop - 1
    sockets = [Socket(network) for _ in range(len(linux.EPHEMERAL_PORTS) + 1)]
    for sock in sockets[:-1]:
        sock.bind(("127.0.0.1", 0))
    assert sockets[0].getsockname()[1] == 60_999
    assert sockets[1].getsockname()[1] == 32_768
    assert outcome(lambda: sockets[-1].bind(("127.0.0.1", 0))) == "EADDRNOTAVAIL"


def test_unbound_sockets_connect_from_the_hosts_address():
    network = Network()
    network.source_host = "127.0.1.7"
    listener = Socket(network)
    listener.bind(("", 8000))
    listener.listen()
    client = dialing(network)
    server, address = listener.accept()
    assert address == client.getsockname()
    assert address[0] == "127.0.1.7"
    assert server.getsockname() == client.getpeername() == SERVER


def test_ipv6_is_a_family_of_its_own():
    network = Network()
    listener = Socket(network, linux.AF_INET6)
    listener.bind(("0:0:0:0:0:0:0:1", 443, 0, 0))
    listener.listen()
    client = Socket(network, linux.AF_INET6)
    client.connect(("::1", 443, 0, 0))
    assert client.getpeername() == listener.getsockname() == ("::1", 443)
    other = Socket(network)
    assert outcome(lambda: other.connect(("::1", 443))) == "EAFNOSUPPORT"
    assert outcome(lambda: other.connect(("127.0.0.1", 443))) == "ECONNREFUSED"


@pytest.mark.parametrize("host", ["localhost", "example.org", "1.2.3"])
def test_names_are_not_resolved(host):
    assert outcome(lambda: Socket(Network()).connect((host, 80))) == "EINVAL"


def test_what_is_no_port_is_refused():
    with pytest.raises(OverflowError):
        Socket(Network()).bind(("127.0.0.1", 65_536))


def test_there_is_only_tcp_over_ip():
    assert outcome(lambda: Socket(Network(), 1)) == "EAFNOSUPPORT"


def test_the_wildcard_as_a_destination_is_this_host():
    network = Network()
    listener = listening(network)
    client = Socket(network)
    client.connect(("0.0.0.0", listener.getsockname()[1]))
    assert client.getpeername() == SERVER


def test_a_socket_shows_where_it_stands():
    network = Network()
    listener = listening(network)
    client = dialing(network)
    assert repr(listener) == "127.0.0.1:8000 listening"
    assert repr(client) == "127.0.0.1:32768 - 127.0.0.1:8000 established"
    client.close()
    assert repr(client) == "closed"
    assert client.fileno() == -1


def test_every_call_on_a_closed_socket_says_so():
    sock = Socket(Network())
    sock.close()
    calls = (
        lambda: sock.bind(SERVER),
        lambda: sock.connect(SERVER),
        sock.listen,
        sock.accept,
        lambda: sock.send(b"x"),
        lambda: sock.recv(1),
        lambda: sock.recv_into(bytearray(1)),
        lambda: sock.shutdown(1),
        sock.getsockname,
        sock.getpeername,
        lambda: sock.getsockopt(1, 4),
        lambda: sock.setsockopt(1, 4, 1),
    )
    assert {outcome(call) for call in calls} == {"EBADF"}
    assert sock.readable
    assert sock.writable


# --- bytes --------------------------------------------------------------------------------------


def test_any_buffer_can_be_sent():
    network = Network()
    client, server = connected(network)
    for data in (b"ab", bytearray(b"cd"), memoryview(b"efgh")[::1], memoryview(b"ijkl").cast("H")):
        client.send(data)
    assert server.recv(100) == b"abcdefghijkl"


def test_what_was_sent_is_the_callers_to_change():
    network = Network()
    client, server = connected(network)
    data = bytearray(b"before")
    client.send(data)
    data[:] = b"after!"
    assert server.recv(100) == b"before"


def test_reading_into_a_buffer_minds_its_size():
    network = Network()
    client, server = connected(network)
    client.send(b"hello")
    buffer = bytearray(4)
    assert (server.recv_into(buffer, 2), server.recv_into(buffer)) == (2, 3)
    assert buffer == b"llo\0"
    for call in (lambda: server.recv_into(buffer, 5), lambda: server.recv(-1)):
        with pytest.raises(ValueError, match="negative"):
            call()


# --- options ------------------------------------------------------------------------------------


def test_options_can_be_asked_for_as_bytes():
    sock = Socket(Network())
    sock.setsockopt(linux.SOL_SOCKET, linux.SO_LINGER, b"\1\0\0\0\5\0\0\0")
    sock.setsockopt(linux.IPPROTO_TCP, linux.TCP_NODELAY, b"\1\0\0\0")
    assert sock.getsockopt(linux.SOL_SOCKET, linux.SO_LINGER, 8) == b"\1\0\0\0\5\0\0\0"
    assert sock.getsockopt(linux.SOL_SOCKET, linux.SO_LINGER) == 1
    assert sock.getsockopt(linux.SOL_SOCKET, linux.SO_TYPE, 4) == b"\1\0\0\0"
    assert sock.getsockopt(linux.IPPROTO_TCP, linux.TCP_NODELAY) == 1
    assert sock.getsockopt(linux.SOL_SOCKET, 77, 4) == bytes(4)


@pytest.mark.parametrize(
    ("level", "option", "value"),
    [(1, 13, b"\1"), (1, 13, 5), (6, 4, 0), (6, 18, -1), (1, 9, b"\1")],
)
def test_values_that_make_no_sense_are_refused(level, option, value):
    assert outcome(lambda: Socket(Network()).setsockopt(level, option, value)) == "EINVAL"


def test_the_numbers_of_other_systems_mean_the_same():
    sock = Socket(Network())
    sock.setsockopt(0xFFFF, 0x0004, 1)
    assert sock.getsockopt(linux.SOL_SOCKET, linux.SO_REUSEADDR) == 1
    assert sock.getsockopt(0xFFFF, 0x1007) == 0
    sock.setsockopt(0xFFFF, 0x0200, 1)
    assert sock.getsockopt(0xFFFF, 0x0200) == 1
    assert Socket(Network(), 30).family == linux.AF_INET6


def test_accepted_sockets_inherit_options_and_keep_their_own():
    network = Network()
    listener = listening(network)
    listener.setsockopt(linux.SOL_SOCKET, linux.SO_KEEPALIVE, 1)
    dialing(network)
    server, _ = listener.accept()
    server.setsockopt(linux.SOL_SOCKET, linux.SO_KEEPALIVE, 0)
    assert listener.getsockopt(linux.SOL_SOCKET, linux.SO_KEEPALIVE) == 1


def test_a_receive_buffer_bounds_what_a_peer_can_send():
    network = Network()
    listener = listening(network)
    listener.setsockopt(linux.SOL_SOCKET, linux.SO_RCVBUF, 2_000)
    client = Socket(network)
    client.setsockopt(linux.SOL_SOCKET, linux.SO_SNDBUF, 5_000)
    client.connect(SERVER)
    assert client.send(bytes(10_000)) == 7_000
    assert client.unsent_bytes == 5_000


# --- the end ------------------------------------------------------------------------------------


def test_sockets_are_listed_in_order_until_they_are_closed_or_lost():
    network = Network()
    first, second, third = (Socket(network) for _ in range(3))
    assert network.sockets() == [first, second, third]
    second.close()
    del first
    assert network.sockets() == [third]


def test_there_are_only_so_many_sockets(monkeypatch):
    monkeypatch.setattr(linux, "SOCKETS_MAX", 2)
    network = Network()
    held = [Socket(network) for _ in range(2)]
    assert outcome(lambda: Socket(network)) == "EMFILE"
    held.pop().close()
    Socket(network)


def test_shutting_a_dialing_socket_down_makes_it_new():
    network = Network()
    listener = listening(network)
    Tap(network, lambda packet, now: DROPPED if now < 1 else None)
    client = dialing(network)
    client.shutdown(linux.SHUT_WR)
    assert client.getsockopt(linux.SOL_SOCKET, linux.SO_ERROR) == errno.ECONNRESET
    network.run_until(1.0)
    client.connect(SERVER)
    assert client.writable
    assert listener.readable
