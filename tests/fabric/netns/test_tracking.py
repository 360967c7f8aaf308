import pytest
from hypothesis import given
from hypothesis import strategies as st

from harness.fabric.netns import tracking
from harness.fabric.netns.ip import ACK, FIN, RST, SYN, build, key_of, parse, turned
from harness.fabric.netns.tracking import Tracker
from harness.packet import Flow, Packet, PacketKind
from harness.timeline import Direction, Side

CLIENT, SERVER = ("198.18.1.2", 40_000), ("198.18.31.2", 80)
KEY = key_of(CLIENT, SERVER)
FLOW = Flow(CLIENT, SERVER, Side.CLIENT)
UP, DOWN = Direction.UPSTREAM, Direction.DOWNSTREAM
ISN = {UP: 2**32 - 3, DOWN: 5_000}
"""Where each end begins; upstream the numbers wrap soon."""


def side_of(client, server):
    return Side.CLIENT if (client, server) == (CLIENT[0], SERVER[0]) else None


class Conversation:
    """Segments by their place in the stream, and what the tracker makes of them."""

    def __init__(self, *, opened=True):
        self.tracker = Tracker(side_of)
        if opened:
            self.syn()
            self.syn_ack()

    def tell(self, direction, flags, seq, ack, size=0):
        key = KEY if direction is UP else turned(KEY)
        raw = build(key, flags, seq=seq % 2**32, ack=ack % 2**32, payload=b"x" * size)
        return self.tracker.track(parse(raw))

    def syn(self, isn=ISN[UP]):
        return self.tell(UP, SYN, isn, 0)[1]

    def syn_ack(self, isn=ISN[DOWN]):
        return self.tell(DOWN, SYN | ACK, isn, ISN[UP] + 1)[1]

    def send(self, direction, offset, size=0, flags=ACK, acked=0):
        other = direction.opposite
        return self.half_and_packet(direction, offset, size, flags, ISN[other] + 1 + acked)[1]

    def half_and_packet(self, direction, offset, size, flags, ack):
        return self.tell(direction, flags, ISN[direction] + 1 + offset, ack, size)


def packet(kind, direction, offset=0, size=0, attempt=0):
    return Packet(kind, FLOW, direction, offset, size, attempt)


def test_a_handshake_is_at_the_beginning_of_both_streams():
    talk = Conversation(opened=False)
    assert [talk.syn(), talk.syn_ack(), talk.send(UP, 0)] == [
        packet(PacketKind.SYN, UP),
        packet(PacketKind.SYN_ACK, DOWN),
        packet(PacketKind.ACK, UP),
    ]


def test_data_begins_at_0_and_fin_stands_behind_it():
    talk = Conversation()
    assert talk.send(UP, 0, 10) == packet(PacketKind.DATA, UP, 0, 10)
    assert talk.send(DOWN, 0, 4, acked=10) == packet(PacketKind.DATA, DOWN, 0, 4)
    assert talk.send(UP, 10, 7) == packet(PacketKind.DATA, UP, 10, 7)
    assert talk.send(UP, 17, flags=ACK | FIN) == packet(PacketKind.FIN, UP, 17)
    assert talk.send(UP, 18) == packet(PacketKind.ACK, UP, 18)


def test_data_that_ends_the_stream_is_data_and_fin_still_counts():
    talk = Conversation()
    assert talk.send(UP, 0, 10, flags=ACK | FIN) == packet(PacketKind.DATA, UP, 0, 10)
    assert talk.send(UP, 11) == packet(PacketKind.ACK, UP, 11)


def test_a_reset_has_its_place_and_no_attempt():
    talk = Conversation()
    talk.send(UP, 0, 10)
    resets = [talk.send(UP, 10, flags=RST), talk.send(UP, 10, flags=RST)]
    assert resets == [packet(PacketKind.RST, UP, 10)] * 2


def test_a_reset_that_refuses_a_syn_is_at_the_beginning():
    talk = Conversation(opened=False)
    talk.syn()
    assert talk.tell(DOWN, RST | ACK, 0, ISN[UP] + 1)[1] == packet(PacketKind.RST, DOWN)


def test_what_is_sent_again_counts_its_attempts():
    talk = Conversation(opened=False)
    assert [talk.syn().attempt for _ in range(3)] == [0, 1, 2]
    assert [talk.syn_ack().attempt for _ in range(3)] == [0, 1, 2]
    assert [talk.send(UP, 0, 10).attempt for _ in range(3)] == [0, 1, 2]
    assert [talk.send(UP, 10, 10).attempt for _ in range(2)] == [0, 1]
    assert [talk.send(UP, 20, flags=FIN | ACK).attempt for _ in range(3)] == [0, 1, 2]
    assert [talk.send(UP, 0, 20), talk.send(UP, 10, 5)] == [
        packet(PacketKind.DATA, UP, 0, 20, 3),
        packet(PacketKind.DATA, UP, 10, 5, 2),
    ]


def test_what_is_sent_again_with_more_behind_it_moves_on():
    talk = Conversation()
    talk.send(UP, 0, 10)
    assert talk.send(UP, 5, 10) == packet(PacketKind.DATA, UP, 5, 10, 1)
    assert talk.send(UP, 15, 3) == packet(PacketKind.DATA, UP, 15, 3)


def test_a_byte_that_is_sent_again_is_data_even_if_its_acknowledgement_was_seen():
    talk = Conversation()
    talk.send(UP, 0, 1)
    talk.send(DOWN, 0, acked=1)
    assert talk.send(UP, 0, 1) == packet(PacketKind.DATA, UP, 0, 1, 1)


@pytest.mark.parametrize("size", [0, 1])
def test_a_probe_is_an_acknowledgement_before_the_next_byte(size):
    talk = Conversation()
    talk.send(UP, 0, 10)
    talk.send(DOWN, 0, acked=10)
    probes = [talk.send(UP, 9, size), talk.send(UP, 9, size)]
    assert probes == [packet(PacketKind.ACK, UP, 9)] * 2
    assert talk.send(UP, 10, 4) == packet(PacketKind.DATA, UP, 10, 4)


def test_a_probe_of_a_silent_connection_has_no_place_before_the_first():
    talk = Conversation()
    assert talk.send(UP, -1) == packet(PacketKind.ACK, UP, 0)


def test_a_new_connection_of_the_same_ports_begins_anew():
    talk = Conversation()
    talk.send(UP, 0, 10)
    assert talk.syn(isn=77).attempt == 0
    talk.tell(DOWN, SYN | ACK, 99, 78)
    assert talk.tell(UP, ACK, 78, 100, size=3)[1] == packet(PacketKind.DATA, UP, 0, 3)
    assert len(talk.tracker) == 1


def test_a_new_connection_of_the_same_ports_knows_nothing_of_the_one_before():
    talk = Conversation()
    talk.send(DOWN, 0, 100)
    before = talk.tell(UP, ACK, ISN[UP] + 1, ISN[DOWN] + 101)[0]
    before.ordered_until = 60.0
    half = talk.tell(UP, SYN, 77, 0)[0]
    assert half is not before
    assert half.other is not before.other
    assert (half.ordered_until, half.acked, half.other.next, half.other.acked) == (0.0,) + (
        None,
    ) * 3


def test_a_connection_from_before_counts_from_its_first_packet():
    talk = Conversation(opened=False)
    assert talk.send(DOWN, 700, 10, acked=50) == packet(PacketKind.DATA, DOWN, 0, 10)
    assert talk.send(UP, 53, 5, acked=710) == packet(PacketKind.DATA, UP, 3, 5)
    assert talk.send(DOWN, 700, 10, acked=58) == packet(PacketKind.DATA, DOWN, 0, 10, 1)


def test_packets_that_nobody_saw_leave_the_places_right():
    talk = Conversation()
    talk.send(UP, 0, 10)
    assert talk.send(UP, 500_000, 10) == packet(PacketKind.DATA, UP, 500_000, 10)


def test_both_ends_are_known_as_far_as_they_have_come():
    talk = Conversation()
    talk.send(DOWN, 0, 30)
    half, _ = talk.half_and_packet(UP, 0, 10, ACK, ISN[DOWN] + 1 + 20)
    assert half.next == (ISN[UP] + 11) % 2**32
    assert (half.other.next, half.other.acked) == (ISN[DOWN] + 31, ISN[DOWN] + 21)


def test_connections_that_run_on_no_side_are_unknown():
    tracker = Tracker(lambda client, server: None)
    for flags in (SYN, SYN | ACK, ACK, RST):
        assert tracker.track(parse(build(KEY, flags, seq=1))) is None
    assert len(tracker) == 0


def test_memory_is_bounded(monkeypatch):
    monkeypatch.setattr(tracking, "FLOWS_LIMIT", 3)
    monkeypatch.setattr(tracking, "PLACES_LIMIT", 2)
    tracker = Tracker(side_of)
    for port in range(100):
        tracker.track(parse(build(key_of((CLIENT[0], port), SERVER), SYN, seq=1)))
        assert len(tracker) <= 3
    talk = Conversation()
    for offset in range(0, 40, 10):
        talk.send(UP, offset, 10)
    assert [talk.send(UP, offset, 10).attempt for offset in (0, 10, 20, 20, 0)] == [1, 1, 1, 2, 1]


@given(st.lists(st.tuples(st.integers(1, 2**20), st.integers(0, 2)), max_size=40))
def test_offsets_add_up_across_the_wrap(sent):
    talk = Conversation()
    talk.tracker.track(parse(build(KEY, SYN, seq=2**32 - 2**19)))
    written = 0
    for size, again in sent:
        size_bytes = size % 1_000 + 2
        for attempt in range(again + 1):
            seq = (2**32 - 2**19 + 1 + written) % 2**32
            raw = build(KEY, ACK, seq=seq, ack=1, payload=b"x" * size_bytes)
            seen = talk.tracker.track(parse(raw))[1]
            assert seen == packet(PacketKind.DATA, UP, written, size_bytes, attempt)
        written += size_bytes
