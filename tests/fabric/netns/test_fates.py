import pytest

from harness.fabric.netns.fates import Departure, departures
from harness.fabric.netns.ip import ACK, FIN, RST, SYN, build, key_of, parse, turned
from harness.fabric.netns.tracking import Tracker
from harness.packet import DROPPED, Forged, Forwarded, Refusal
from harness.timeline import Side

CLIENT, SERVER = ("198.18.1.2", 40_000), ("198.18.31.2", 80)
KEY = key_of(CLIENT, SERVER)
ROUTER = "198.18.1.1"
ISN, OTHER_ISN = 1_000, 9_000


@pytest.fixture
def tracker():
    """One that has seen a handshake and ten bytes downstream, of which five are acknowledged."""
    tracker = Tracker(lambda client, server: Side.CLIENT if client == CLIENT[0] else None)
    back = turned(KEY)
    for raw in (
        build(KEY, SYN, seq=ISN),
        build(back, SYN | ACK, seq=OTHER_ISN, ack=ISN + 1),
        build(back, ACK, seq=OTHER_ISN + 1, ack=ISN + 1, payload=b"0123456789"),
        build(KEY, ACK, seq=ISN + 1, ack=OTHER_ISN + 6),
    ):
        tracker.track(parse(raw))
    return tracker


def data(payload=b"hello", flags=ACK, ack=OTHER_ISN + 6, seq=ISN + 1):
    return build(KEY, flags, seq=seq, ack=ack, payload=payload)


def carried_out(tracker, raw, fate):
    segment = parse(raw)
    half, packet = tracker.track(segment)
    return half, departures(segment, packet, half, fate, ROUTER)


def test_each_delay_is_a_departure_in_order(tracker):
    half, leaving = carried_out(tracker, data(), Forwarded((0.5, 0.0)))
    assert leaving == [Departure(data(), 0.5, half), Departure(data(), 0.0, half)]


def test_a_drop_is_none(tracker):
    assert carried_out(tracker, data(), DROPPED)[1] == []


def test_what_is_late_by_itself_keeps_no_order(tracker):
    fate = Forwarded((0.5,), in_order=False)
    assert carried_out(tracker, data(), fate)[1] == [Departure(data(), 0.5, None)]


def test_a_damaged_packet_is_another_one_of_the_same_size(tracker):
    ((bad, _, _),) = carried_out(tracker, data(), Forwarded(damaged=True))[1]
    assert bad != data()
    assert bad[:24] == data()[:24]
    assert len(bad) == len(data())


@pytest.mark.parametrize("flags", [ACK, ACK | FIN])
def test_a_reset_comes_back_in_the_other_end_s_name(tracker, flags):
    (departure,) = carried_out(tracker, data(flags=flags), Refusal.RESET)[1]
    answer = parse(departure.raw)
    assert (answer.key, answer.flags, answer.seq) == (turned(KEY), RST, OTHER_ISN + 6)
    assert departure[1:] == (0.0, None)


@pytest.mark.parametrize(("refusal", "code"), [(Refusal.UNREACHABLE, 1), (Refusal.NO_ROUTE, 0)])
def test_icmp_comes_back_from_the_router(tracker, refusal, code):
    (departure,) = carried_out(tracker, data(), refusal)[1]
    raw = departure.raw
    assert raw[12:20] == bytes([198, 18, 1, 1, 198, 18, 1, 2])
    assert (raw[9], raw[20], raw[21]) == (1, 3, code)


@pytest.mark.parametrize("refusal", list(Refusal))
def test_nothing_answers_a_rst(tracker, refusal):
    assert carried_out(tracker, data(b"", flags=RST), refusal)[1] == []


def test_an_acknowledgement_that_is_reset_is_only_lost(tracker):
    assert carried_out(tracker, data(b""), Refusal.RESET)[1] == []


def test_a_probe_that_is_reset_is_told(tracker):
    (departure,) = carried_out(tracker, data(b"", seq=ISN), Refusal.RESET)[1]
    assert parse(departure.raw).flags == RST


def test_forged_resets_go_to_both_ends_behind_the_packet(tracker):
    half, leaving = carried_out(tracker, data(), Forged())
    assert leaving[0] == Departure(data(), 0.0, half)
    ends = [(parse(raw), delay_s, order) for raw, delay_s, order in leaving[1:]]
    assert {segment.flags for segment, _, _ in ends} == {RST | ACK}
    assert [(s.key, s.seq, s.ack, delay_s, order) for s, delay_s, order in ends] == [
        # To the server: behind this packet, or else where it said that it was.
        (KEY, ISN + 6, OTHER_ISN + 11, 0.0, half),
        (KEY, ISN + 1, OTHER_ISN + 11, 0.0, half),
        # To the client: behind all that was sent to it, or else where it says that it is.
        (turned(KEY), OTHER_ISN + 11, ISN + 6, 0.0, half.other),
        (turned(KEY), OTHER_ISN + 6, ISN + 6, 0.0, half.other),
    ]


def test_a_forged_reset_for_a_connect_acknowledges_it():
    tracker = Tracker(lambda client, server: Side.CLIENT)
    _, leaving = carried_out(tracker, build(KEY, SYN, seq=ISN), Forged())
    resets = [parse(departure.raw) for departure in leaving[1:]]
    assert [(r.key, r.seq, r.ack) for r in resets] == [
        (KEY, ISN + 1, 0),
        (turned(KEY), 0, ISN + 1),
    ]
