"""Virtual time, and what the network forgets: calls in order, limits, nothing left behind."""

import math
from types import SimpleNamespace

import pytest
from hypothesis import given
from hypothesis import strategies as st
from wires import SERVER, Tap, connected, dialing, listening, outcome, run

from harness.fabric.virtual import linux, schedule
from harness.fabric.virtual import network as networks
from harness.fabric.virtual.network import Network
from harness.fabric.virtual.socket import Socket
from harness.packet import Forwarded, PacketKind
from harness.timeline import Direction, Side

# --- the schedule -------------------------------------------------------------------------------


@given(st.lists(st.tuples(st.integers(0, 20), st.booleans()), max_size=200))
def test_calls_are_made_in_order_of_time_and_then_of_asking_unless_taken_back(asked):
    network, made = Network(), []
    dues = [
        network.call_at(when, lambda n=n: made.append((network.now, n)))
        for n, (when, _) in enumerate(asked)
    ]
    for due, (_, keep) in zip(dues, asked, strict=True):
        if not keep:
            due.cancel()
            due.cancel()
    network.run_until(30)
    expected = sorted((when, n) for n, (when, keep) in enumerate(asked) if keep)
    assert made == expected
    assert (network.now, network.next_due()) == (30, math.inf)


def test_a_call_made_later_is_told_its_own_instant_and_may_ask_for_more():
    network, seen = Network(), []

    def first():
        seen.append(network.now)
        network.call_at(1.5, lambda: seen.append(network.now))
        network.call_at(9.0, lambda: seen.append(network.now))

    network.call_at(1.0, first)
    network.run_until(2.0)
    assert (seen, network.now, network.next_due()) == ([1.0, 1.5], 2.0, 9.0)


def test_a_call_for_the_past_is_made_at_the_next_chance_and_time_never_goes_back():
    network, seen = Network(), []
    network.run_until(5.0)
    network.call_at(1.0, lambda: seen.append(network.now))
    network.run_until(4.0)
    assert (seen, network.now) == ([5.0], 5.0)


def test_calls_that_were_taken_back_take_no_room():
    network = Network()
    for _ in range(100_000):
        network.call_at(1.0, lambda: None).cancel()
    assert len(network._heap) < 1_000


def test_only_so_many_calls_can_be_due(monkeypatch):
    monkeypatch.setattr(schedule, "CALLS_MAX", 3)
    network = Network()
    for _ in range(3):
        network.call_at(1.0, lambda: None)
    with pytest.raises(RuntimeError, match="more than 3"):
        network.call_at(1.0, lambda: None)


# --- packets ------------------------------------------------------------------------------------


def test_a_filter_sees_who_dialed_where_it_goes_and_how_much_it_carries():
    network = Network(mss_bytes=100)
    network.expose(SERVER, Side.CLIENT)
    listener = listening(network)
    tap = Tap(network)
    client = dialing(network)
    server, _ = listener.accept()
    client.send(bytes(150))
    server.recv(1_000)
    server.send(b"pong")
    client.close()
    flow = tap.seen[0][1].flow
    assert {packet.flow for _, packet in tap.seen} == {flow}
    assert flow == (client._bound, SERVER, Side.CLIENT)
    told = [
        (packet.kind.value, packet.direction.value, packet.offset, packet.size_bytes)
        for _, packet in tap.seen
        if packet.kind is not PacketKind.ACK
    ]
    assert told == [
        ("syn", "upstream", 0, 0),
        ("syn_ack", "downstream", 0, 0),
        ("data", "upstream", 0, 100),
        ("data", "upstream", 100, 50),
        ("data", "downstream", 0, 4),
        ("rst", "upstream", 150, 0),
    ]


def test_a_flow_to_an_address_that_nobody_exposed_is_on_the_backends_side():
    network = Network()
    network.expose(("0.0.0.0", 9000), Side.CLIENT)
    assert network.side_of(SERVER) is Side.BACKEND
    assert network.side_of(("127.0.0.1", 9000)) is Side.CLIENT


def test_no_filter_and_no_delay_mean_that_nothing_is_ever_due():
    network = Network()
    client, server = connected(network)
    client.send(bytes(1_000_000))
    server.recv(10)
    client.close()
    server.close()
    assert network.next_due() == math.inf


def test_setting_and_clearing_a_filter_in_the_middle_loses_nothing():
    network = Network(mss_bytes=1_000)
    client, server = connected(network)
    got = bytearray()
    for turn in range(20):
        network.filter = (lambda packet, now: Forwarded((0.01,))) if turn % 3 == 0 else None
        network.delay = (lambda packet: 0.005) if turn % 4 == 1 else None
        client.send(bytes([turn]) * 2_500)
        if turn % 5 == 0:
            run(network, limit=network.now + 0.001)
    while len(got) < 50_000:
        if server.readable:
            got += server.recv(1_000)
        network.run_until(network.next_due() if network.next_due() < math.inf else network.now)
    assert bytes(got) == b"".join(bytes([turn]) * 2_500 for turn in range(20))


def test_what_goes_on_between_two_ends_never_calls_itself():
    network = Network(mss_bytes=10)
    client, server = connected(network)
    network.filter = lambda packet, now: None
    data = bytes(100_000)
    client.send(data)
    assert len(server.recv(200_000)) == len(data)


def test_only_so_many_packets_are_on_their_way(monkeypatch):
    monkeypatch.setattr(networks, "PACKETS_MAX", 5)
    network = Network(mss_bytes=1)
    client, server = connected(network)
    network.delay = lambda packet: 0.01
    client.send(bytes(range(50)))
    assert network._under_way == 5
    got = bytearray()
    while len(got) < 50:
        network.run_until(network.next_due())
        if server.readable:
            got += server.recv(100)
    assert bytes(got) == bytes(range(50))


# --- nothing is left behind ---------------------------------------------------------------------


def held(network):
    ends = sum(len(ends) for ends in network._ends.values())
    return SimpleNamespace(ends=ends, ports=len(network.ports._claims))


def test_a_closed_connection_is_forgotten_after_time_wait():
    network = Network()
    client, server = connected(network)
    client.close()
    server.close()
    assert held(network).ends == 1
    network.run_until(linux.TIME_WAIT_S)
    network._forget_lingering()
    assert (held(network).ends, held(network).ports) == (0, 0)


def test_an_orphan_whose_peer_never_closes_is_forgotten_and_answers_by_rst():
    network = Network()
    client, server = connected(network)
    client.close()
    network.run_until(linux.TIME_WAIT_S + 1)
    server.close()
    assert held(network).ends == 0


def test_a_reset_leaves_nothing():
    network = Network()
    client, server = connected(network)
    client.abort()
    server.close()
    assert (held(network).ends, held(network).ports) == (0, 0)


def test_closing_a_listener_ends_what_was_half_open():
    network = Network()
    listener = listening(network)
    network.delay = lambda packet: 0.1
    client = dialing(network)
    run(network, limit=0.15)
    assert held(network).ends == 2
    listener.close()
    run(network)
    assert outcome(lambda: client.send(b"x")) == "ECONNRESET"
    assert (held(network).ends, held(network).ports) == (0, 0)


def test_only_so_many_ends_linger(monkeypatch):
    monkeypatch.setattr(networks, "LINGERING_MAX", 10)
    network = Network()
    listener = listening(network)
    for _ in range(50):
        dialing(network).close()
        listener.accept()[0].close()
    assert 0 < held(network).ends <= 10


def from_port_40000(network):
    sock = Socket(network)
    sock.setsockopt(linux.SOL_SOCKET, linux.SO_REUSEADDR, 1)
    sock.bind(("127.0.0.1", 40_000))
    return sock


def test_a_new_connection_of_the_same_name_replaces_one_in_time_wait():
    network = Network()
    listener = listening(network)
    for _ in range(3):
        client = from_port_40000(network)
        client.connect(SERVER)
        server, _ = listener.accept()
        client.send(b"hello")
        assert server.recv(10) == b"hello"
        client.close()
        server.close()


def test_the_same_connection_can_not_be_made_twice():
    network = Network()
    listener = listening(network)
    first, second = from_port_40000(network), from_port_40000(network)
    first.connect(SERVER)
    assert outcome(lambda: second.connect(SERVER)) == "EADDRNOTAVAIL"
    assert outcome(lambda: second.connect(("127.0.0.1", 9))) == "ECONNREFUSED"
    assert listener.readable


def test_a_connection_that_one_end_forgot_gives_way_to_a_new_one_of_the_same_name():
    network = Network()
    listener = listening(network)
    first = from_port_40000(network)
    first.connect(SERVER)
    old, _ = listener.accept()
    Tap(network, lambda packet, now: Forwarded(()) if packet.kind is PacketKind.RST else None)
    first.abort()
    second = from_port_40000(network)
    second.connect(SERVER)
    new, _ = listener.accept()
    second.send(b"hello")
    assert new.recv(10) == b"hello"
    assert outcome(lambda: old.recv(10)) == "ECONNRESET"


def test_directions_are_told_from_who_dialed():
    network = Network()
    client, server = connected(network)
    tap = Tap(network)
    server.send(b"x")
    assert [p.direction for _, p in tap.seen] == [Direction.DOWNSTREAM, Direction.UPSTREAM]
    assert client.recv(1) == b"x"
