"""TCP in virtual time: what a kernel's loopback can't show in a moment."""

import math
from random import Random

import pytest
from hypothesis import given
from hypothesis import strategies as st
from wires import (
    SERVER,
    Tap,
    connected,
    dialing,
    drained,
    drop_all,
    error_of,
    listening,
    outcome,
    run,
)

from harness.fabric.virtual import linux
from harness.fabric.virtual.network import Network
from harness.fabric.virtual.socket import Socket
from harness.packet import DROPPED, Forged, Forwarded, PacketKind, Refusal
from harness.timeline import Direction

UP, DOWN = Direction.UPSTREAM, Direction.DOWNSTREAM
SYN, SYN_ACK, DATA = PacketKind.SYN, PacketKind.SYN_ACK, PacketKind.DATA
ACK, FIN, RST = PacketKind.ACK, PacketKind.FIN, PacketKind.RST


def nth(kind, *ordinals, direction=UP, fate=DROPPED):
    """A rule for the n-th packets of a kind in a direction."""
    count = 0

    def rule(packet, now):
        nonlocal count
        if packet.kind is kind and packet.direction is direction:
            count += 1
            return fate if count in ordinals else None
        return None

    return rule


# --- handshake ----------------------------------------------------------------------------------


def test_syn_is_sent_again_at_linux_instants_and_given_up_at_131_seconds():
    network = Network()
    tap, client = Tap(network, drop_all), dialing(network)
    run(network)
    assert tap.instants(SYN) == [0, 1, 2, 3, 4, 5, 7, 11, 19, 35, 67]
    assert [packet.attempt for _, packet in tap.seen] == list(range(11))
    assert (network.now, error_of(client)) == (131.0, "ETIMEDOUT")


def test_connect_says_what_stage_it_is_at_and_then_how_it_ended():
    network = Network()
    Tap(network, drop_all)
    client = Socket(network)
    told = [outcome(lambda: client.connect(SERVER)) for _ in range(2)]
    run(network)
    told += [outcome(lambda: client.connect(SERVER)) for _ in range(2)]
    assert told == ["EINPROGRESS", "EALREADY", "ETIMEDOUT", "EINPROGRESS"]


def test_a_lost_syn_costs_a_second():
    network = Network()
    listener = listening(network)
    Tap(network, nth(SYN, 1))
    client = dialing(network)
    run(network, lambda: client.writable)
    assert (network.now, listener.readable) == (1.0, True)


def test_a_lost_syn_ack_is_sent_again_by_the_listener_until_it_forgets():
    network = Network()
    listener = listening(network)
    tap = Tap(network, lambda packet, now: DROPPED if packet.kind is not SYN else None)
    client = dialing(network)
    client.on_change = None
    run(network, limit=0.5)
    client.close()
    run(network)
    assert tap.instants(SYN_ACK) == [0, 1, 3, 7, 15, 31]
    assert (network.now, listener.readable) == (63.0, False)


def test_a_full_backlog_lets_syn_wait_for_its_next_attempt():
    network = Network()
    listener = listening(network, backlog=0)
    first, second = dialing(network), dialing(network)
    assert (first.writable, second.writable) == (True, False)
    listener.accept()
    run(network, lambda: second.writable)
    assert network.now == 1.0


def test_a_connection_is_made_once_the_queue_has_room_again_after_a_late_last_ack():
    network = Network()
    listener = listening(network, backlog=0)
    network.delay = lambda packet: 0.1
    first, second = dialing(network), dialing(network)
    run(network, limit=0.4)
    assert first.writable
    assert second.writable
    listener.accept()
    with pytest.raises(BlockingIOError):
        listener.accept()
    second.send(b"hello")
    run(network, lambda: listener.readable)
    late, _ = listener.accept()
    run(network, lambda: late.readable)
    assert late.recv(10) == b"hello"


@pytest.mark.parametrize(
    ("refusal", "told"),
    [
        (Refusal.RESET, "ECONNREFUSED"),
        (Refusal.UNREACHABLE, "EHOSTUNREACH"),
        (Refusal.NO_ROUTE, "ENETUNREACH"),
    ],
)
def test_a_refused_syn_ends_connect_at_once(refusal, told):
    network = Network()
    Tap(network, lambda packet, now: refusal)
    client = Socket(network)
    assert outcome(lambda: client.connect(SERVER)) == told
    assert network.next_due() == math.inf


def test_no_route_for_a_repeated_syn_is_told_only_when_it_gives_up():
    network = Network()
    Tap(network, lambda packet, now: Refusal.NO_ROUTE if packet.attempt else DROPPED)
    client = dialing(network)
    run(network)
    assert (network.now, error_of(client)) == (131.0, "ENETUNREACH")


def test_closing_a_dialing_socket_ends_its_attempts():
    network = Network()
    tap, client = Tap(network, drop_all), dialing(network)
    client.close()
    run(network)
    assert (network.now, tap.kinds()) == (0.0, ["syn"])


def test_a_syn_ack_for_nobody_is_answered_by_rst():
    network = Network()
    listener = listening(network)
    network.delay = lambda packet: 0.1
    client = dialing(network)
    run(network, limit=0.15)
    client.close()
    run(network)
    assert not listener.readable
    assert network.next_due() == math.inf


# --- retransmission -----------------------------------------------------------------------------


def test_unanswered_bytes_are_sent_again_with_doubling_pauses_for_924_seconds():
    network = Network()
    client, _ = connected(network)
    tap = Tap(network, drop_all)
    client.send(b"hello")
    run(network)
    instants = tap.instants(DATA)
    assert instants[:9] == [0, 0.2, 0.6, 1.4, 3.0, 6.2, 12.6, 25.4, 51.0]
    assert instants[9:] == [102.2, 204.6, 324.6, 444.6, 564.6, 684.6, 804.6]
    assert [packet.attempt for _, packet in tap.seen] == list(range(16))
    assert round(network.now, 6) == 924.6
    assert (error_of(client), outcome(lambda: client.send(b"x"))) == ("ETIMEDOUT", "EPIPE")


def test_what_icmp_said_meanwhile_is_the_reason_in_the_end():
    network = Network()
    client, _ = connected(network)
    Tap(network, lambda packet, now: Refusal.UNREACHABLE)
    client.send(b"hello")
    assert not client.readable
    run(network)
    assert (round(network.now, 6), error_of(client)) == (924.6, "EHOSTUNREACH")


def test_a_loss_is_mended_by_the_timer_and_bytes_stay_in_order():
    network = Network(mss_bytes=10)
    client, server = connected(network)
    tap, got = Tap(network, nth(DATA, 1)), bytearray()
    client.send(bytes(range(20)))
    assert not server.readable
    run(network, lambda: server.readable)
    drained(server, got)
    assert (round(network.now, 6), bytes(got)) == (0.2, bytes(range(20)))
    assert [packet.offset for _, packet in tap.seen if packet.kind is DATA] == [0, 10, 0]


def test_three_duplicate_acks_mend_a_loss_at_once():
    network = Network(mss_bytes=10)
    client, server = connected(network)
    tap, got = Tap(network, nth(DATA, 2)), bytearray()
    client.send(bytes(range(50)))
    drained(server, got)
    assert (network.now, bytes(got)) == (0.0, bytes(range(50)))
    assert [packet.offset for _, packet in tap.seen if packet.kind is DATA] == [
        0,
        10,
        20,
        30,
        40,
        10,
    ]


def test_several_holes_are_mended_one_answer_after_the_other():
    network = Network(mss_bytes=10)
    client, server = connected(network)
    Tap(network, nth(DATA, 1, 3, 5))
    got = bytearray()
    client.send(bytes(range(60)))
    run(network, lambda: drained(server, got) or len(got) == 60)
    assert (network.now, bytes(got)) == (0.0, bytes(range(60)))


def test_a_lost_fin_is_sent_again():
    network = Network()
    client, server = connected(network)
    tap = Tap(network, nth(FIN, 1, 2))
    client.close()
    run(network, lambda: server.readable)
    assert (tap.instants(FIN), server.recv(1)) == ([0, 0.2, 0.6], b"")


def test_a_lost_last_ack_is_sent_again_from_time_wait():
    network = Network()
    client, server = connected(network)
    client.shutdown(linux.SHUT_WR)
    tap = Tap(network, nth(ACK, 1))
    server.close()
    run(network)
    assert tap.kinds() == ["fin", "ack", "fin", "ack"]
    assert client.recv(1) == b""


def test_a_rto_follows_the_round_trips_that_were_measured():
    network = Network()
    network.delay = lambda packet: 0.5
    client, _ = connected(network)
    tap = Tap(network, drop_all)
    client.send(b"hello")
    run(network, limit=network.now + 10)
    first, second = tap.instants(DATA)[:2]
    # RFC 6298: the first measurement R gives SRTT = R and RTTVAR = R/2, so RTO = R + 4 * R/2.
    assert second - first == pytest.approx(3.0)


def test_a_segment_that_comes_twice_is_read_once():
    network = Network()
    client, server = connected(network)
    Tap(network, lambda packet, now: Forwarded((0.0, 0.1)))
    client.send(b"hello")
    run(network)
    assert (server.recv(10), outcome(lambda: server.recv(10))) == (b"hello", "EAGAIN")


def test_an_orphan_gives_up_sooner():
    network = Network()
    client, _ = connected(network)
    tap = Tap(network, drop_all)
    client.close()
    run(network)
    assert len(tap.instants(FIN)) == 1 + linux.ORPHAN_RETRIES
    assert network.now < 120


# --- order --------------------------------------------------------------------------------------


def test_packets_of_a_direction_keep_their_order_under_jitter():
    network = Network(mss_bytes=1)
    client, server = connected(network)
    delays = iter([0.05, 0.01, 0.03, 0.0, 0.02])
    landed = []
    Tap(network, lambda p, now: Forwarded((next(delays),)) if p.kind is DATA else None)
    server.on_change = lambda: landed.append((network.now, bytes(server._end.incoming.unread)))
    client.send(b"abcde")
    run(network, limit=0.06)
    assert [at for at, _ in landed] == [0.05] * 5
    assert [bytes_[-1:] for _, bytes_ in landed] == [b"a", b"b", b"c", b"d", b"e"]


def test_a_packet_that_may_overtake_does_and_the_bytes_are_put_in_order():
    network = Network(mss_bytes=1)
    client, server = connected(network)
    rule = nth(DATA, 1, fate=Forwarded((0.05,), in_order=False))
    tap = Tap(network, rule)
    client.send(b"ab")
    assert not server.readable
    run(network, limit=0.06)
    assert server.recv(2) == b"ab"
    assert tap.instants(DATA) == [0, 0]


def test_a_delay_holds_for_every_packet_and_for_both_directions():
    network = Network()
    network.delay = lambda packet: 0.25
    client, server = connected(network)
    begun = network.now
    client.send(b"ping")
    run(network, lambda: server.readable)
    server.send(server.recv(4))
    run(network, lambda: client.readable)
    assert network.now - begun == pytest.approx(0.5)


# --- windows ------------------------------------------------------------------------------------


def fill(sock, size=1 << 16):
    total = 0
    while True:
        try:
            total += sock.send(bytes(size))
        except BlockingIOError:
            return total


def test_a_peer_that_does_not_read_takes_a_bounded_amount_and_no_time():
    network = Network()
    client, server = connected(network)
    assert fill(client) == linux.SEND_BYTES + linux.RECEIVE_BYTES
    assert (client.writable, client.unsent_bytes) == (False, linux.SEND_BYTES)
    assert network.next_due() == math.inf
    got = bytearray()
    drained(server, got)
    assert len(got) == linux.SEND_BYTES + linux.RECEIVE_BYTES
    assert client.writable


def test_a_lost_window_update_is_asked_for():
    network = Network()
    client, server = connected(network)
    fill(client)
    tap = Tap(network, lambda p, now: DROPPED if p.direction is DOWN and now < 5 else None)
    got = bytearray()
    drained(server, got)
    assert len(got) == linux.RECEIVE_BYTES
    run(network, lambda: drained(server, got) or client.unsent_bytes == 0)
    assert 5 < network.now < 15
    assert [at for at in tap.instants(ACK) if at][:4] == [0.2, 0.2, 0.6, 0.6]


def test_a_window_update_that_was_lost_before_the_filter_was_cleared_is_made_up_for():
    network = Network()
    client, server = connected(network)
    fill(client)
    Tap(network, drop_all)
    drained(server, bytearray())
    network.filter = None
    run(network)
    assert (client.unsent_bytes < linux.SEND_BYTES, server.readable) == (True, True)


def test_zero_window_probes_go_on_for_as_long_as_they_are_answered():
    network = Network()
    client, server = connected(network)
    fill(client)
    Tap(network)
    run(network, limit=5_000)
    assert outcome(lambda: client.send(b"x")) == "EAGAIN"
    drained(server, bytearray())
    assert client.unsent_bytes == 0


def test_zero_window_probes_that_nobody_answers_end_the_connection():
    network = Network()
    client, _ = connected(network)
    fill(client)
    Tap(network, drop_all)
    run(network)
    assert (round(network.now, 6), error_of(client)) == (924.6, "ETIMEDOUT")


def test_small_reads_do_not_bring_small_segments():
    network = Network(mss_bytes=1_000)
    client, server = connected(network)
    tap = Tap(network)
    fill(client)
    tap.seen.clear()
    for _ in range(999):
        server.recv(1)
    assert tap.seen == []
    server.recv(1)
    assert [(p.kind, p.size_bytes) for _, p in tap.seen][:2] == [(ACK, 0), (DATA, 1_000)]


# --- signs of life ------------------------------------------------------------------------------


def keep_alive(sock, idle, interval, count):
    sock.setsockopt(linux.SOL_SOCKET, linux.SO_KEEPALIVE, 1)
    for option, value in (
        (linux.TCP_KEEPIDLE, idle),
        (linux.TCP_KEEPINTVL, interval),
        (linux.TCP_KEEPCNT, count),
    ):
        sock.setsockopt(linux.IPPROTO_TCP, option, value)


def test_keepalive_finds_a_silent_peer_after_idle_plus_count_times_interval():
    network = Network()
    client, _ = connected(network)
    keep_alive(client, 30, 5, 3)
    tap = Tap(network, drop_all)
    run(network)
    assert tap.instants(ACK) == [30, 35, 40]
    assert (network.now, error_of(client), tap.kinds()[-1]) == (45.0, "ETIMEDOUT", "rst")


def test_keepalive_leaves_a_peer_that_answers_alone():
    network = Network()
    client, server = connected(network)
    keep_alive(client, 30, 5, 3)
    tap = Tap(network)
    run(network, limit=100)
    assert tap.instants(ACK) == [30, 30, 60, 60, 90, 90]
    assert outcome(lambda: client.recv(1)) == "EAGAIN"
    server.send(b"x")
    assert client.recv(1) == b"x"


def test_without_a_filter_keepalive_asks_nothing_so_that_a_deadlock_shows():
    network = Network()
    client, _ = connected(network)
    keep_alive(client, 30, 5, 3)
    assert network.next_due() == math.inf


def test_keepalive_counts_from_the_last_bytes_even_if_they_came_by_the_short_cut():
    network = Network()
    client, server = connected(network)
    keep_alive(client, 30, 5, 3)
    network.run_until(20.0)
    server.send(b"x")
    Tap(network, drop_all)
    run(network)
    assert network.now == 20.0 + 30 + 3 * 5


def test_keepalive_learns_that_the_peer_has_forgotten_the_connection():
    network = Network()
    client, server = connected(network)
    keep_alive(client, 30, 5, 3)
    Tap(network, lambda packet, now: DROPPED if now < 1 else None)
    server.abort()
    run(network, lambda: client.readable)
    assert (network.now, outcome(lambda: client.recv(1))) == (30.0, "ECONNRESET")


@pytest.mark.parametrize("limit_ms", [500, 10_000])
def test_the_user_timeout_ends_waiting_for_an_answer(limit_ms):
    network = Network()
    client, _ = connected(network)
    client.setsockopt(linux.IPPROTO_TCP, linux.TCP_USER_TIMEOUT, limit_ms)
    Tap(network, drop_all)
    client.send(b"hello")
    run(network)
    assert (round(network.now, 6), error_of(client)) == (limit_ms / 1000, "ETIMEDOUT")


def test_the_user_timeout_ends_waiting_for_room_even_if_probes_are_answered():
    network = Network()
    client, _ = connected(network)
    client.setsockopt(linux.IPPROTO_TCP, linux.TCP_USER_TIMEOUT, 20_000)
    fill(client)
    Tap(network)
    run(network, lambda: client.readable)
    assert (round(network.now, 6), error_of(client)) == (20.0, "ETIMEDOUT")


# --- refusals -----------------------------------------------------------------------------------


def test_a_reset_from_the_way_ends_the_sender_and_the_other_end_hears_nothing():
    network = Network()
    client, server = connected(network)
    Tap(network, lambda packet, now: Refusal.RESET)
    client.send(b"hello")
    assert outcome(lambda: client.recv(1)) == "ECONNRESET"
    assert outcome(lambda: server.recv(1)) == "EAGAIN"


def on_data(fate):
    return lambda packet, now: fate if packet.kind is PacketKind.DATA else None


def test_forged_resets_end_both_ends_and_the_packet_before_them_arrives():
    network = Network()
    client, server = connected(network)
    tap = Tap(network, on_data(Forged()))
    client.send(b"hello")
    assert server.recv(9) == b"hello"
    for end in (client, server):
        assert outcome(lambda end=end: end.recv(1)) == "ECONNRESET"
        assert outcome(lambda end=end: end.send(b"more")) == "EPIPE"
    assert PacketKind.RST not in [packet.kind for _, packet in tap.seen]  # neither has sent one


def test_forged_resets_come_behind_what_is_still_under_way():
    network = Network()
    client, server = connected(network)
    network.delay = lambda packet: 0.1
    Tap(network, on_data(Forged()))
    client.send(b"hello")
    assert outcome(lambda: server.recv(1)) == "EAGAIN"
    run(network, lambda: client.readable)
    assert round(network.now, 6) == 0.1
    assert server.recv(9) == b"hello"
    assert outcome(lambda: server.recv(1)) == "ECONNRESET"
    assert outcome(lambda: client.recv(1)) == "ECONNRESET"


def test_a_damaged_packet_is_thrown_away_by_its_receiver_and_sent_again():
    network = Network()
    client, server = connected(network)
    damage = Forwarded(damaged=True)
    rule = on_data(damage)
    tap = Tap(network, lambda packet, now: None if packet.attempt else rule(packet, now))
    client.send(b"hello")
    assert outcome(lambda: server.recv(1)) == "EAGAIN"
    run(network, lambda: server.readable)
    assert server.recv(9) == b"hello"
    assert tap.instants(PacketKind.DATA) == [0.0, 0.2]


def test_rst_is_never_answered():
    network = Network()
    client, server = connected(network)
    tap = Tap(network, lambda packet, now: Refusal.RESET)
    client.abort()
    run(network)
    assert tap.kinds() == ["rst"]
    assert not server.readable


def test_an_acknowledgement_that_is_refused_is_only_lost():
    network = Network()
    client, server = connected(network)
    Tap(network, nth(ACK, 1, direction=DOWN, fate=Refusal.RESET))
    client.send(b"hello")
    run(network)
    assert server.recv(10) == b"hello"
    assert (client.readable, server.readable) == (False, False)


def test_a_peer_that_vanished_and_came_back_answers_by_rst():
    network = Network()
    client, server = connected(network)
    Tap(network, lambda packet, now: DROPPED if now < 3 else None)
    server.abort()
    client.send(b"hello")
    run(network, lambda: client.readable)
    assert (round(network.now, 6), outcome(lambda: client.recv(1))) == (3.0, "ECONNRESET")


def test_a_filter_set_late_wakes_what_was_waiting_without_timers():
    network = Network()
    client, server = connected(network)
    fill(client)
    assert network.next_due() == math.inf
    Tap(network, nth(ACK, 1, direction=DOWN))
    drained(server, bytearray())
    run(network, lambda: client.unsent_bytes == 0)
    assert client.unsent_bytes == 0


# --- laws ---------------------------------------------------------------------------------------

fates = st.one_of(
    st.none(),
    st.just(DROPPED),
    st.builds(
        Forwarded,
        st.lists(st.floats(0, 2), min_size=1, max_size=3).map(tuple),
        st.booleans(),
    ),
)


def pour(source, data, sent):
    """Send what goes; how much is sent by now."""
    try:
        while sent < len(data):
            sent += source.send(data[sent : sent + 5_000])
    except BlockingIOError:
        pass
    return sent


class Transfer:
    """Pours bytes into a client and reads them from whatever the listener accepts."""

    def __init__(self, network, data, chunk):
        self.network, self.data, self.chunk = network, data, chunk
        self.listener, self.client = listening(network), dialing(network)
        self.server, self.sent, self.got = None, 0, bytearray()
        self.outcome = None

    def run(self):
        run(self.network, self._step)
        return self.outcome

    def _step(self):
        try:
            self._pour()
            if self.server is None and self.listener.readable:
                self.server, _ = self.listener.accept()
            if self.server is not None and drained(self.server, self.got, self.chunk):
                self.outcome = "end"
        except OSError as error:
            self.outcome = error
        return self.outcome is not None

    def _pour(self):
        if self.sent < len(self.data) and self.client.writable:
            self.sent = pour(self.client, self.data, self.sent)
            if self.sent == len(self.data):
                self.client.shutdown(linux.SHUT_WR)


@given(
    rules=st.lists(fates, min_size=1, max_size=60),
    size=st.integers(1, 60_000),
    mss_bytes=st.sampled_from([1_448, 9_000, 65_483]),
    chunk=st.sampled_from([1_000, 100_000]),
)
def test_whatever_happens_to_packets_all_bytes_arrive_once_and_in_order(
    rules, size, mss_bytes, chunk
):
    network = Network(mss_bytes=mss_bytes)
    pending = iter(rules)
    network.filter = lambda packet, now: next(pending, None)
    transfer = Transfer(network, bytes(at % 251 for at in range(size)), chunk)
    outcome = transfer.run()
    if outcome == "end":
        assert bytes(transfer.got) == transfer.data
        transfer.server.close()
        run(network)
        assert transfer.client.recv(1) == b""
    else:  # a listener forgets a handshake once its SYN-ACK is unanswered six times
        assert isinstance(outcome, OSError)
        assert sum(rule == DROPPED for rule in rules) >= len(linux.SYN_ACK_INSTANTS_S)
        assert transfer.data.startswith(transfer.got)
    for sock in (transfer.client, transfer.listener, transfer.server):
        if sock is not None:
            sock.close()
    run(network)
    assert network.sockets() == []


@given(seed=st.integers(0, 2**32), loss=st.floats(0.05, 0.9))
def test_under_constant_loss_bytes_arrive_or_the_connection_says_so(seed, loss):
    rng, network = Random(seed), Network(mss_bytes=1_448)
    client, server = connected(network)
    network.filter = lambda packet, now: DROPPED if rng.random() < loss else None
    data, got = bytes(at % 251 for at in range(20_000)), bytearray()
    client.send(data)
    client.shutdown(linux.SHUT_WR)
    ended = []

    def step():
        try:
            if drained(server, got):
                ended.append("end")
        except OSError as error:
            ended.append(error)
        return bool(ended)

    run(network, step)
    assert data.startswith(got)
    if ended == ["end"]:
        assert got == data
    else:
        assert error_of(client) == "ETIMEDOUT"
