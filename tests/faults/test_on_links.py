"""What faults that also work on bytes make of the packets of a link."""

import statistics

import pytest
from handmade import DATA, DOWN, SYN, UP, flow, packet, stream
from pydantic import ValidationError

from harness.faults import all_faults
from harness.faults.loss import Loss
from harness.packet import DROPPED, HEADER_BYTES, Forwarded
from harness.shape import QUEUE_LEAST_BYTES, Bursts, Shape
from harness.timeline import Draws, Side
from harness.units import Spread

SIZE_BYTES = 1000 - HEADER_BYTES


def on_link(name, *, seed=0, **fields):
    return all_faults()[name](**fields).link_policy(Draws(seed), 0.0)


def delays_s(made, packets, now=0.0):
    answers = [made.on_packet(each, now) for each in packets]
    assert all(answer.in_order for answer in answers if answer != DROPPED)
    return [answer.delays_s[0] for answer in answers if answer != DROPPED]


# --- latency --------------------------------------------------------------------------------


def test_latency_delays_every_packet_by_the_same_unless_it_varies():
    made = on_link("latency", delay_s=Spread(0.02))
    assert delays_s(made, [packet(SYN), *stream(20)]) == [0.02] * 21


@pytest.mark.parametrize("distribution", ["uniform", "normal", "lognormal"])
def test_latency_varies_as_it_was_asked(distribution):
    made = on_link("latency", delay_s=Spread(0.1, 0.02), distribution=distribution)
    drawn = delays_s(made, stream(4000))
    spread_s = 0.02 / 3**0.5 if distribution == "uniform" else 0.02
    assert statistics.fmean(drawn) == pytest.approx(0.1, abs=0.002)
    assert statistics.pstdev(drawn) == pytest.approx(spread_s, rel=0.1)


def test_a_correlated_delay_resembles_the_one_before_and_spreads_as_far():
    fields = {"delay_s": Spread(0.1, 0.02), "distribution": "normal"}
    drawn = delays_s(on_link("latency", correlation=0.8, **fields), stream(4000))
    assert statistics.correlation(drawn, drawn[1:] + drawn[:1]) == pytest.approx(0.8, abs=0.06)
    assert statistics.pstdev(drawn) == pytest.approx(0.02, rel=0.15)
    apart = delays_s(on_link("latency", **fields), stream(4000))
    assert abs(statistics.correlation(apart, apart[1:] + apart[:1])) < 0.06


def test_a_packets_delay_hangs_on_what_it_is_and_not_on_other_flows():
    alone, among = (on_link("latency", delay_s=Spread(0.1, 0.02)) for _ in range(2))
    mine = stream(50, flow(1))
    mixed = [each for pair in zip(mine, stream(50, flow(2)), strict=True) for each in pair]
    assert delays_s(alone, mine) == delays_s(among, mixed)[::2]


# --- bandwidth ------------------------------------------------------------------------------


def test_a_link_passes_what_its_capacity_allows_headers_included():
    made = on_link("bandwidth", rate_bytes_per_s=100_000.0)
    waits = delays_s(made, stream(10, size_bytes=SIZE_BYTES))
    assert waits == pytest.approx([n * 0.01 for n in range(10)])


def test_what_comes_later_waits_less():
    made = on_link("bandwidth", rate_bytes_per_s=100_000.0)
    first, second, third = stream(3, size_bytes=SIZE_BYTES)
    assert delays_s(made, [first], now=0.0) == [0.0]
    assert delays_s(made, [second], now=0.004) == pytest.approx([0.006])
    assert delays_s(made, [third], now=5.0) == [0.0]


def test_a_burst_passes_at_once_after_a_quiet_time():
    made = on_link("bandwidth", rate_bytes_per_s=100_000.0, burst_bytes=3000)
    waits = delays_s(made, stream(6, size_bytes=SIZE_BYTES), now=100.0)
    assert waits == pytest.approx([0, 0, 0, 0, 0.01, 0.02])


@pytest.mark.parametrize("rate", [1_000.0, 1e6])
def test_a_queue_that_is_full_drops_what_comes(rate):
    made = on_link("bandwidth", rate_bytes_per_s=rate)
    passed = len(delays_s(made, stream(2000, size_bytes=SIZE_BYTES)))
    queue_bytes = max(0.4 * rate, QUEUE_LEAST_BYTES)
    assert passed == pytest.approx(queue_bytes / 1000, abs=2)
    assert made.on_packet(packet(DATA, size_bytes=SIZE_BYTES), 0.0) == DROPPED
    assert made.on_packet(packet(DATA, size_bytes=SIZE_BYTES), 10.0) != DROPPED


def test_links_have_capacities_of_their_own_unless_they_share_one():
    mine, other = stream(2, flow(1)), stream(2, flow(2, host="10.0.0.2"))
    down = [each._replace(direction=DOWN) for each in (*mine, *other)]
    apart = on_link("bandwidth", rate_bytes_per_s=1e5)
    assert delays_s(apart, down).count(0.0) == 2  # two hosts
    assert delays_s(apart, mine).count(0.0) == 1  # and the way up to a third
    shared = on_link("bandwidth", rate_bytes_per_s=1e5, shared=True)
    assert delays_s(shared, [*down, *mine]).count(0.0) == 1


# --- loss -----------------------------------------------------------------------------------


def test_every_nth_packet_of_a_way_is_lost_whatever_flow_it_is_of():
    made = all_faults()["loss"](every=3).policy(Draws(0), 0.0)
    ports = [1, 2, 2, 1, 1, 2, 3]
    answers = [made.on_packet(packet(DATA, flow(port)), 0.0) for port in ports]
    assert answers == [None, None, DROPPED] * 2 + [None]


def test_each_way_is_counted_by_itself():
    made = all_faults()["loss"](every=2).policy(Draws(0), 0.0)
    up, down = packet(DATA, direction=UP), packet(DATA, direction=DOWN)
    behind = packet(DATA, flow(side=Side.BACKEND))
    answers = [made.on_packet(each, 0.0) for each in (up, down, behind, up, down, behind)]
    assert answers == [None] * 3 + [DROPPED] * 3


@pytest.mark.parametrize(
    ("fields", "words"),
    [
        ({"every": 3, "rate": 0.1}, "rate and every are two models"),
        ({"every": 3, "p": 0.1}, "every and p are two models"),
        ({}, "how much is lost is not clear"),
    ],
)
def test_models_of_loss_exclude_each_other(fields, words):
    with pytest.raises((ValueError, ValidationError), match=words):
        Loss(**fields)


# --- shapes ---------------------------------------------------------------------------------


def test_faults_say_what_a_link_does_in_the_kernels_words():
    made = {name: kind for name, kind in all_faults().items() if hasattr(kind, "shape")}
    assert set(made) == {
        "bandwidth",
        "corrupt_packet",
        "duplicate",
        "latency",
        "loss",
        "reorder",
    }
    late = made["latency"](delay_s=Spread(0.1, 0.02), distribution="normal", correlation=0.3)
    assert late.shape() == Shape(delay_s=0.1, jitter_s=0.02, distribution="normal", correlation=0.3)
    assert Loss(p=0.1).shape() == Shape(bursts=Bursts(p=0.1, r=0.9, h=0.0, k=1.0))
    assert Loss(every=4).shape() == Shape(loss_every=4)
    assert made["reorder"](rate=0.2, delay_s=0.01, gap=3).shape() == Shape(
        reorder=0.2, delay_s=0.01, gap=3
    )
    narrow = made["bandwidth"](rate_bytes_per_s=1e6, burst_bytes=9, shared=True).shape()
    assert narrow == Shape(rate_bytes_per_s=1e6, burst_bytes=9, shared=True)
    assert narrow.queue_bytes == 400_000


def test_an_untouched_packet_is_forwarded_at_once():
    assert on_link("bandwidth", rate_bytes_per_s=1e6).on_packet(packet(), 0.0) == Forwarded((0.0,))
