"""Queueing disciplines in bytes, beside what tc (iproute2 6.1) sent and kernels answered."""

import math
import statistics
import struct

import pytest
from hypothesis import given
from hypothesis import strategies as st

from harness.fabric.netns import qdisc
from harness.shape import Bursts, Shape

SEQ = slice(8, 12)  # of a request: tc counts by the clock
SECOND = 1_000_000_000


def words(data: bytes) -> dict[int, bytes]:
    return dict(qdisc.attributes(data))


def netem(shape: Shape, seed: int = 0) -> tuple[tuple[int, ...], dict[int, bytes]]:
    """netem's fixed part, and its attributes by type."""
    options = qdisc.netem(shape, seed)
    return struct.unpack("=6I", options[:24]), words(options[24:])


def captured(hexed: str) -> tuple[int, bytes]:
    """A request as tc sent it: its type, and its options."""
    raw = bytes.fromhex(hexed)
    return struct.unpack_from("=H", raw, 4)[0], words(raw[36:])[2]


def same(ours: bytes, hexed: str) -> bool:
    theirs = bytearray.fromhex(hexed)
    theirs[SEQ] = ours[SEQ]
    return ours == theirs


# --- netem ----------------------------------------------------------------------------------

MIXED = (  # netem limit 20000 delay 20ms 5ms 25% loss 5% duplicate 1% corrupt 2% rate 8tbit
    "8800000024000505f68b036b00000000000000000300000000000100ffffffff000000000a0001006e6574656d0000"
    "0058000200b4c40400204e0000cdcccc0c00000000295c8f022d310100100001000000004000000000000000000c00"
    "040052b81e05000000000c0008000010a5d4e800000014000600ffffffff000000000000000000000000"
)
REORDERED = (  # netem limit 20000 delay 10ms reorder 75% gap 1
    "5800000024000505f68b036b00000000000000000300000000000100ffffffff000000000a0001006e6574656d0000"
    "00280002005a620200204e0000000000000100000000000000000000000c000300ffffffbf00000000"
)
BURSTS = (  # netem loss gemodel 2% 25% 80% 0.1%
    "6400000024000505f68b036b00000000000000000300000000000100ffffffff000000000a0001006e6574656d0000"
    "003400020000000000e803000000000000000000000000000000000000180005801400020052b81e05000000403333"
    "333337894100"
)


def test_netem_gets_the_words_that_tc_has_for_it():
    shape = Shape(
        delay_s=0.02, jitter_s=0.005, correlation=0.25, loss=0.05, duplicate=0.01, corrupt=0.02
    )
    fixed, told = netem(shape)
    _, theirs = captured(MIXED)
    assert fixed == struct.unpack("=6I", theirs[:24])
    assert words(theirs[24:]).items() <= told.items()


def test_reordering_is_told_by_the_share_that_is_early():
    fixed, told = netem(Shape(reorder=0.25, delay_s=0.01))
    _, theirs = captured(REORDERED)
    assert fixed == struct.unpack("=6I", theirs[:24])
    assert told[3] == words(theirs[24:])[3]


def test_bursts_are_told_by_what_is_lost_in_good_times_and_kept_in_bad():
    _, told = netem(Shape(bursts=Bursts(p=0.02, r=0.25, h=0.2, k=0.999)))
    _, theirs = captured(BURSTS)
    assert words(told[5]) == words(words(theirs[24:])[5])


def test_every_parameter_is_told_each_time_but_the_model_of_loss():
    assert set(netem(Shape())[1]) == {1, 3, 4, 6, 8, 10, 11, 14}
    fixed, told = netem(Shape(), seed=77)
    assert fixed == (0, qdisc.NETEM_LIMIT_PACKETS, 0, 0, 0, 0)
    assert told[14] == struct.pack("=Q", 77)


def test_delays_are_exact_to_the_nanosecond_where_the_kernel_can():
    _, told = netem(Shape(delay_s=0.0123456789))
    assert struct.unpack("=q", told[10]) == (12_345_679,)


@pytest.mark.parametrize("distribution", ["uniform", "normal", "lognormal", "pareto"])
def test_a_table_gives_the_mean_and_the_spread_that_were_asked(distribution):
    mean_s, jitter_s = 0.05, 0.01
    shape = Shape(delay_s=mean_s, jitter_s=jitter_s, distribution=distribution)
    _, told = netem(shape)
    (sigma_ns,) = struct.unpack("=q", told[11])
    table = struct.unpack(f"={qdisc.TABLE_ENTRIES}h", told[2])
    drawn_s = [mean_s + entry * sigma_ns / 8192 / SECOND for entry in table]
    spread_s = jitter_s / math.sqrt(3) if distribution == "uniform" else jitter_s
    assert statistics.fmean(drawn_s) == pytest.approx(mean_s, rel=0.005)
    assert statistics.pstdev(drawn_s) == pytest.approx(spread_s, rel=0.06)
    assert list(table) == sorted(table)


@given(
    st.floats(1e-4, 5.0),
    st.floats(1e-5, 5.0),
    st.sampled_from(["uniform", "normal", "lognormal", "pareto"]),
)
def test_no_table_leaves_sixteen_bits_or_makes_a_delay_negative(mean_s, jitter_s, distribution):
    _, told = netem(Shape(delay_s=mean_s, jitter_s=jitter_s, distribution=distribution))
    (sigma_ns,) = struct.unpack("=q", told[11])
    lowest = struct.unpack_from("=h", told[2])[0]
    step_s = sigma_ns / 8192 / SECOND
    assert mean_s + lowest * step_s >= -step_s


def test_packets_keep_their_order_by_a_rate_nothing_waits_for():
    shortest_s = 1500 / qdisc.ORDER_RATE_BYTES_PER_S
    assert shortest_s < 1e-8
    assert struct.unpack("=Q", netem(Shape())[1][8]) == (qdisc.ORDER_RATE_BYTES_PER_S,)


# --- buckets --------------------------------------------------------------------------------

TBF_PARAMETERS = (  # tbf rate 8mbit burst 4000 limit 404000
    "030100 00ffff000040420f00000000000000000000000000202a060024f4000000000000"
)
HTB = (  # qdisc replace dev v0 root handle 3: htb default 1
    "4800000024000505f68b036b00000000000000000300000000000300ffffffff0000000008000100687462001c0002"
    "0018000200030000000a000000010000000000000000000000"
)
HTB_PARAMETERS = (  # htb rate 8mbit burst 4000 cburst 4000 quantum 1514
    "03010000ffff000040420f0003010000ffff000040420f0024f4000024f40000ea0500000000000000000000"
)
FIFO = (  # qdisc replace dev v0 parent 3:1 handle 4: bfifo limit 400000
    "3800000024000505f68b036b0000000000000000030000000000040001000300000000000a000100626669666f0000"
    "0008000200801a0600"
)
MEGABYTE = Shape(rate_bytes_per_s=1e6)


def without_cells(rates: str) -> bytes:
    """tc's parameters without the size of its tables' cells: we send no tables."""
    raw = bytearray.fromhex(rates)
    assert raw[0] == 3
    raw[0] = 0
    return bytes(raw)


def test_tbf_gets_the_words_that_tc_has_for_it():
    told = words(qdisc.tbf(MEGABYTE))
    assert told[1] == without_cells(TBF_PARAMETERS)
    assert told[6] == struct.pack("=I", 4000)


def test_htb_and_the_queue_below_it_are_asked_for_as_tc_does():
    first, shaped, last = qdisc.plan(MEGABYTE, ("htb",), 0)
    stab = 4 + 4 + 24  # we take the Ethernet header off; tc was not asked to
    ours = qdisc.request(first, 3)
    assert ours[4:-stab] == bytes.fromhex(HTB)[4:8] + ours[8:12] + bytes.fromhex(HTB)[12:]
    parameters = bytearray(words(shaped.options)[1])
    parameters[0] = parameters[12] = 3
    assert parameters == bytes.fromhex(HTB_PARAMETERS)
    assert same(qdisc.request(last, 3), FIFO)


def test_a_slow_link_still_holds_whole_packets():
    told = words(qdisc.tbf(Shape(rate_bytes_per_s=1000.0)))
    *_, limit, _, _ = struct.unpack("=24x3I", told[1])
    (burst,) = struct.unpack("=I", told[6])
    assert burst >= qdisc.FRAME_BYTES
    assert limit >= burst + 10 * qdisc.FRAME_BYTES


def test_a_rate_beyond_32_bits_has_an_attribute_of_its_own():
    assert struct.unpack("=Q", words(qdisc.tbf(Shape()))[4]) == (qdisc.OPEN_RATE_BYTES_PER_S,)
    assert 4 not in words(qdisc.tbf(MEGABYTE))


# --- what stands where ----------------------------------------------------------------------


@pytest.mark.parametrize("bucket", ["tbf", "htb"])
def test_a_bucket_stands_below_netem_and_only_the_root_counts_sizes(bucket):
    steps = qdisc.plan(MEGABYTE, ("netem", bucket), 0)
    assert [step.kind for step in steps][:2] == ["netem", bucket]
    assert [step.parent for step in steps][:2] == [qdisc.ROOT, qdisc.BELOW_NETEM]
    told = [words(qdisc.request(step, 3)[36:]) for step in steps]
    overheads = [struct.unpack("=i", words(each[8])[1][4:8])[0] for each in told if 8 in each]
    assert overheads == [-14]
    assert 8 in told[0]


# --- answers --------------------------------------------------------------------------------

TBF_ANSWER = (  # of a bucket that 3 packets had left, while 5 waited
    "bc00000024000200010000009c130000000000000300000000000200ffffffff0300000008000100746266002c0002"
    "00280001000001000000000000e8030000000000000000000000000000b80b000040787d010000000005000c000000"
    "000030000700140001001e0600000000000003000000000000001800030005000000320a0000000000000000000005"
    "0000002c0003001e06000000000000030000000000000005000000000000000000000005000000320a000000000000"
)
NETEM_ANSWER = (  # of a netem that had lost 5 packets of 8
    "0401000024000200010000006c030000000000000300000000000100ffffffff030000000a0001006e6574656d0000"
    "0070000200286bee00e8030000000000800000000000000000000000000c000a0000ca9a3b000000000c000b000000"
    "000000000000100001000000000000000000000000000c00030000000000000000000c000400000000000000000014"
    "0006000000000000000000000000000000000005000c000000000030000700140001001e0600000000000003000000"
    "000000001800030000000000000000000500000000000000000000002c0003001e0600000000000003000000050000"
    "00000000000000000000000000000000000000000000000000"
)


def test_an_answer_tells_what_has_been_counted():
    raw = bytes.fromhex(TBF_ANSWER) + bytes.fromhex(NETEM_ANSWER)
    tbf, netem = qdisc.answer(raw).standing
    assert (tbf.kind, tbf.handle, tbf.parent) == ("tbf", qdisc.TBF, qdisc.ROOT)
    assert (tbf.packets, tbf.size_bytes, tbf.queued, tbf.drops) == (3, 1566, 5, 0)
    assert (netem.kind, netem.packets, netem.queued, netem.drops) == ("netem", 3, 0, 5)


def test_an_answer_may_be_an_error_or_the_end():
    refused = struct.pack("=IHHIIi", 20, 2, 0, 1, 0, -22)
    assert qdisc.answer(refused) == qdisc.Answer((), 22, True)
    assert qdisc.answer(struct.pack("=IHHIIi", 20, 3, 2, 1, 0, 0)).ends
    assert not qdisc.answer(bytes.fromhex(TBF_ANSWER)).ends


@given(st.binary(max_size=200))
def test_no_answer_however_garbled_is_read_for_ever(raw):
    try:
        qdisc.answer(raw)
    except (struct.error, UnicodeDecodeError):
        return
