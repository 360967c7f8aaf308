import struct

from hypothesis import example, given
from hypothesis import strategies as st

from harness.fabric.netns import pcap

ETHERNET = bytes(12) + b"\x08\x00"
SENDER, TARGET = bytes((198, 18, 1, 2)), bytes((198, 18, 31, 2))
TCP, UDP = 6, 17
PLACES = {TCP: 16, UDP: 6}


def words(data):
    padded = data + b"\0" * (len(data) % 2)
    return struct.unpack(f"!{len(padded) // 2}H", padded)


def holds(frame, protocol):
    """The checksum as RFC 1071 has it receivers do: all words together give all ones."""
    segment = frame[34:]
    total = sum(words(SENDER + TARGET + struct.pack("!HH", protocol, len(segment)) + segment))
    while total >> 16:
        total = (total & 0xFFFF) + (total >> 16)
    return total == 0xFFFF


def frame_of(protocol, payload, checksum=0x1234):
    header = bytearray(20 if protocol == TCP else 8)
    struct.pack_into("!HH", header, 0, 40_000, 80)
    struct.pack_into("!H", header, PLACES[protocol], checksum)
    segment = bytes(header) + payload
    ip = struct.pack("!BBHHHBBH", 0x45, 0, 20 + len(segment), 1, 0, 64, protocol, 0)
    return ETHERNET + ip + SENDER + TARGET + segment


def test_a_file_begins_as_readers_expect_of_nanoseconds_on_an_ethernet():
    magic, major, minor, _, _, snap, link = struct.unpack("<IHHiIII", pcap.opening())
    assert (magic, major, minor, link) == (0xA1B23C4D, 2, 4, 1)
    assert snap == pcap.SNAP_BYTES


def test_a_record_says_when_how_much_is_kept_and_how_much_there_was():
    record = pcap.record(7, 123_456_789, b"frame", 1500)
    assert struct.unpack_from("<IIII", record) == (7, 123_456_789, 5, 1500)
    assert record[pcap.RECORD_BYTES :] == b"frame"


def test_of_a_large_packet_only_the_start_is_kept():
    record = pcap.record(0, 0, bytes(65_000), 65_000)
    assert len(record) == pcap.RECORD_BYTES + pcap.SNAP_BYTES


@given(st.sampled_from([TCP, UDP]), st.binary(max_size=200))
@example(TCP, b"odd")
def test_the_checksum_that_a_card_would_have_made_holds(protocol, payload):
    frame = frame_of(protocol, payload)
    made = pcap.completed(frame)
    assert holds(made, protocol)
    at = 34 + PLACES[protocol]
    assert made[:at] + made[at + 2 :] == frame[:at] + frame[at + 2 :]


@given(st.binary(max_size=100))
@example(ETHERNET + b"\x45")
@example(frame_of(TCP, b"")[:-6])
@example(frame_of(TCP, b"payload")[:-1])
@example(ETHERNET + struct.pack("!BBHHHBBH", 0x45, 0, 24, 1, 0, 64, TCP, 0) + bytes(12))
def test_what_is_no_whole_packet_is_left_alone(frame):
    assert pcap.completed(frame) == frame
