import struct

import pytest
from hypothesis import assume, given
from hypothesis import strategies as st

from harness.fabric.netns.ip import (
    ACK,
    FIN,
    HOST_UNREACHABLE,
    NET_UNREACHABLE,
    PSH,
    RST,
    SYN,
    build,
    checksum,
    damaged,
    ends_of,
    key_of,
    parse,
    reset_for,
    turned,
    unreachable,
)

CLIENT, SERVER = ("198.18.1.2", 40_000), ("198.18.31.2", 80)
KEY = key_of(CLIENT, SERVER)
numbers = st.integers(0, 2**32 - 1)
payloads = st.binary(max_size=300)
flag_bits = st.integers(0, 31)


def plain_sum(data):
    """The Internet checksum as RFC 1071 says it, word by word."""
    total = 0
    for first, second in zip(data[::2], [*data[1::2], 0], strict=False):
        total += first << 8 | second
        total = (total & 0xFFFF) + (total >> 16)
    return 0xFFFF - total


def ip_sum_is_right(raw):
    return plain_sum(raw[: (raw[0] & 15) * 4]) == 0


def tcp_sum_is_right(raw):
    start = (raw[0] & 15) * 4
    tcp = raw[start : struct.unpack_from("!H", raw, 2)[0]]
    return plain_sum(raw[12:20] + struct.pack("!HH", 6, len(tcp)) + tcp) == 0


def with_options(raw, words):
    """The same packet with that many words of IP options that say nothing."""
    total = struct.unpack_from("!H", raw, 2)[0] + 4 * words
    head = bytes([0x45 + words, 0]) + struct.pack("!H", total) + raw[4:10] + b"\0\0" + raw[12:20]
    return head + b"\1" * (4 * words) + raw[20:]


@given(st.binary(max_size=100))
def test_the_checksum_is_the_sum_of_words(data):
    assert checksum(data) == plain_sum(data)


@pytest.mark.parametrize("data", [b"", b"\0\0", b"\xff\xff", b"\xff\xff\xff\xff", b"\xff\xfe\0\1"])
def test_both_zeros_of_ones_complement_are_told_apart(data):
    assert checksum(data) == plain_sum(data)


@given(flag_bits, numbers, numbers, payloads)
def test_what_is_built_is_read_again(flags, seq, ack, payload):
    raw = build(KEY, flags, seq=seq, ack=ack, payload=payload)
    segment = parse(raw)
    assert (segment.key, segment.flags, segment.seq, segment.ack) == (KEY, flags, seq, ack)
    assert (segment.size_bytes, raw[segment.start + 20 :]) == (len(payload), payload)
    assert ip_sum_is_right(raw)
    assert tcp_sum_is_right(raw)


@given(st.integers(0, 10), payloads, st.binary(max_size=6))
def test_options_and_padding_change_nothing(words, payload, padding):
    raw = build(KEY, PSH | ACK, seq=7, ack=9, payload=payload)
    segment = parse(with_options(raw, words) + padding)
    assert segment[1:2] + segment[3:] == parse(raw)[1:2] + parse(raw)[3:]
    assert segment.start == 20 + 4 * words


@given(st.binary(max_size=120))
def test_no_bytes_are_too_odd_to_be_read(raw):
    segment = parse(raw)
    assert segment is None or 0 <= segment.size_bytes <= len(raw) - 40


@given(st.integers(0, 63), payloads)
def test_a_packet_that_is_cut_is_no_segment(cut, payload):
    raw = build(KEY, ACK, seq=1, payload=payload)
    assume(cut < len(raw))
    assert parse(raw[:cut]) is None


def changed(raw, place, value):
    return raw[:place] + bytes([value]) + raw[place + 1 :]


@pytest.mark.parametrize(
    ("place", "value"),
    [
        pytest.param(0, 0x65, id="version 6"),
        pytest.param(0, 0x44, id="a header of four words"),
        pytest.param(0, 0x4F, id="a header longer than the packet"),
        pytest.param(9, 17, id="UDP"),
        pytest.param(6, 0x20, id="more fragments"),
        pytest.param(7, 0x01, id="a later fragment"),
        pytest.param(32, 0x40, id="a TCP header of four words"),
        pytest.param(32, 0xF0, id="a TCP header longer than the packet"),
    ],
)
def test_what_is_no_whole_segment_over_ipv4_is_none(place, value):
    raw = build(KEY, ACK, seq=1)
    assert parse(raw) is not None
    assert parse(changed(raw, place, value)) is None


def test_a_key_names_both_ends():
    assert ends_of(KEY) == (CLIENT, SERVER)
    assert ends_of(turned(KEY)) == (SERVER, CLIENT)
    assert turned(KEY) == key_of(SERVER, CLIENT)


@pytest.mark.parametrize(
    ("flags", "length"), [(SYN, 1), (ACK, 5), (FIN | ACK, 6), (SYN | FIN, 2), (RST, 0)]
)
def test_syn_and_fin_count_as_one_each(flags, length):
    payload = b"hello" if flags & ACK else b""
    assert parse(build(KEY, flags, seq=1, payload=payload)).length == length


# --- answers --------------------------------------------------------------------------------


@given(numbers, numbers, payloads)
def test_what_acknowledges_is_reset_where_it_expects(seq, ack, payload):
    segment = parse(build(KEY, ACK, seq=seq, ack=ack, payload=payload))
    answer = parse(reset_for(segment))
    assert (answer.key, answer.flags, answer.seq) == (turned(KEY), RST, ack)
    assert tcp_sum_is_right(answer.raw)


@given(numbers, payloads)
def test_a_syn_is_reset_by_acknowledging_it(seq, payload):
    segment = parse(build(KEY, SYN, seq=seq, payload=payload))
    answer = parse(reset_for(segment))
    assert (answer.flags, answer.seq) == (RST | ACK, 0)
    assert answer.ack == (seq + 1 + len(payload)) % 2**32


@given(numbers, payloads, st.integers(0, 10), st.sampled_from([NET_UNREACHABLE, HOST_UNREACHABLE]))
def test_unreachable_quotes_the_head_of_the_packet(seq, payload, words, code):
    raw = with_options(build(KEY, SYN, seq=seq, payload=payload), words)
    answer = unreachable(raw, "198.18.1.1", code)
    assert ip_sum_is_right(answer)
    assert answer[9] == 1
    assert answer[12:20] == bytes([198, 18, 1, 1, 198, 18, 1, 2])
    message = answer[20:]
    assert plain_sum(message) == 0
    assert message[:2] == bytes([3, code])
    assert message[8:] == raw[: 20 + 4 * words + 8]


@given(numbers, payloads, st.integers(0, 10))
def test_damage_is_told_by_the_checksum_of_tcp_alone(seq, payload, words):
    raw = build(KEY, ACK, seq=seq, payload=payload)
    segment = parse(with_options(raw, words))
    bad = damaged(segment)
    assert bad[: segment.start] == segment.raw[: segment.start]
    assert bad[segment.start : segment.start + 4] == segment.raw[segment.start :][:4]
    assert sum((a ^ b).bit_count() for a, b in zip(bad, segment.raw, strict=True)) == 1
    assert tcp_sum_is_right(segment.raw)
    assert not tcp_sum_is_right(bad)
