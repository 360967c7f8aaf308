"""What each packet fault makes of packets: pure decisions, no network."""

import math
from itertools import groupby, pairwise

import pytest
from handmade import ACK, DATA, DOWN, FIN, RST, SYN, SYN_ACK, fates, flow, packet, policy, stream
from pydantic import ValidationError

from harness.faults._packets import Flows, NewFlows, PacketDraws
from harness.faults.loss import Loss
from harness.faults.partition import Partition
from harness.faults.reorder import Reorder
from harness.packet import DROPPED, HEADER_BYTES, Forwarded, Refusal
from harness.timeline import Draws

MANY = 20_000


def lost(made, packets):
    return [fate == DROPPED for fate in fates(made, *packets)]


def deviations(hits, rate):
    """By how many standard deviations a count differs from what a rate lets expect."""
    count = len(hits)
    return abs(sum(hits) - rate * count) / math.sqrt(count * rate * (1 - rate))


# --- silence --------------------------------------------------------------------------------


def test_a_blackhole_swallows_every_kind_of_packet():
    packets = [packet(kind) for kind in (SYN, SYN_ACK, DATA, ACK, FIN, RST)]
    assert fates(policy("blackhole"), *packets) == [DROPPED] * 6


def test_a_link_that_is_down_has_no_route_for_connects_and_silence_for_the_rest():
    made = policy("link_down")
    assert fates(made, packet(SYN), packet(SYN, attempt=2)) == [Refusal.NO_ROUTE] * 2
    assert fates(made, packet(DATA), packet(ACK, direction=DOWN)) == [DROPPED] * 2


@pytest.mark.parametrize(("attempts", "passing"), [(1, 1), (3, 3), (None, None)])
def test_drop_syn_takes_the_first_syns_of_a_connect_and_nothing_else(attempts, passing):
    made = policy("drop_syn", attempts=attempts)
    decided = fates(made, *(packet(SYN, attempt=n) for n in range(8)))
    assert decided.count(DROPPED) == (8 if passing is None else passing)
    assert decided == sorted(decided, key=lambda fate: fate is None)
    assert fates(made, packet(SYN_ACK, direction=DOWN), packet(DATA), packet(RST)) == [None] * 3


def test_mtu_drops_what_is_too_large_with_its_headers_and_each_retransmission():
    made = policy("mtu", limit_bytes=1400)
    fits = packet(size_bytes=1400 - HEADER_BYTES)
    large = [packet(size_bytes=1401 - HEADER_BYTES, attempt=n) for n in range(3)]
    assert fates(made, fits, packet(SYN), packet(ACK)) == [None] * 3
    assert fates(made, *large) == [DROPPED] * 3


# --- forgotten flows ------------------------------------------------------------------------


def test_vanish_answers_either_end_of_an_old_flow_by_rst():
    made, old = policy("vanish"), flow(1)
    answers = fates(made, packet(DATA, old), packet(DATA, old, direction=DOWN), packet(FIN, old))
    assert answers == [Refusal.RESET] * 3
    assert fates(made, packet(RST, old)) == [DROPPED]  # nothing answers a RST


def test_vanish_leaves_new_flows_alone_those_on_an_old_port_too():
    made, old = policy("vanish"), flow(1)
    fates(made, packet(DATA, old))
    new = [packet(SYN, old), packet(SYN_ACK, old, direction=DOWN), packet(DATA, old)]
    assert fates(made, *new) == [None] * 3
    late = flow(2)  # its first SYN was lost before anybody forgot anything
    assert fates(made, packet(SYN, late, attempt=1), packet(DATA, late)) == [None] * 2


def test_an_address_change_silences_old_flows_both_ways_and_their_unanswered_connects():
    made, old, connecting = policy("address_change"), flow(1), flow(2)
    packets = [packet(DATA, old), packet(DATA, old, direction=DOWN), packet(RST, old)]
    assert fates(made, *packets) == [DROPPED] * 3
    assert fates(made, packet(SYN, connecting, attempt=1)) == [DROPPED]


def test_after_an_address_change_new_flows_work_and_the_ports_may_be_the_same():
    made, old, new = policy("address_change"), flow(1), flow(1, host="10.0.0.2")
    assert fates(made, packet(SYN, new), packet(DATA, new)) == [None] * 2
    assert fates(made, packet(DATA, old)) == [DROPPED]
    assert fates(made, packet(DATA, new)) == [None]


def test_nat_expiry_forgets_the_silent_for_good():
    made = policy("nat_expiry", after_s=350.0)
    assert fates(made, packet(SYN), now=10.0) == [None]
    assert fates(made, packet(DATA), now=359.9) == [None]
    assert fates(made, packet(ACK, direction=DOWN), now=700.0) == [None]
    assert fates(made, packet(DATA), now=1050.0) == [Refusal.RESET]
    assert fates(made, packet(DATA, direction=DOWN), packet(RST), now=1050.1) == [
        Refusal.RESET,
        DROPPED,
    ]
    assert fates(made, packet(SYN), packet(DATA), now=1060.0) == [None] * 2  # another flow


def test_nat_expiry_can_stay_silent_about_it():
    made = policy("nat_expiry", after_s=30.0, answer="drop")
    fates(made, packet(SYN))
    assert fates(made, packet(DATA), packet(DATA, attempt=1), now=30.0) == [DROPPED] * 2


def test_nat_expiry_counts_from_its_beginning_for_flows_it_has_not_seen():
    made = policy("nat_expiry", after_s=30.0, began=100.0)
    assert fates(made, packet(DATA, flow(1)), now=129.9) == [None]
    assert fates(made, packet(DATA, flow(2)), now=130.0) == [Refusal.RESET]


# --- partitions -----------------------------------------------------------------------------


@pytest.mark.parametrize(
    ("how", "answer"),
    [("drop", DROPPED), ("reset", Refusal.RESET), ("unreachable", Refusal.UNREACHABLE)],
)
def test_a_partition_answers_as_it_is_told_and_never_a_rst(how, answer):
    made = policy("partition", how=how)
    assert fates(made, packet(SYN), packet(DATA), packet(RST)) == [answer, answer, DROPPED]


def test_a_partition_flaps_counted_from_its_beginning():
    made = policy("partition", began=100.0, down_s=2.0, up_s=3.0)
    instants = [100.0, 101.9, 102.0, 104.9, 105.0, 106.9, 107.0, 1100.0, 1102.0]
    down = [made.on_packet(packet(), now) is DROPPED for now in instants]
    assert down == [True, True, False, False, True, True, False, True, False]


@pytest.mark.parametrize("half", [{"down_s": 1.0}, {"up_s": 1.0}])
def test_half_a_flap_is_a_mistake(half):
    with pytest.raises(ValueError, match="only half of how it flaps; add "):
        Partition(**half)


# --- chance ---------------------------------------------------------------------------------


@pytest.mark.parametrize("rate", [0.01, 0.05, 0.3])
def test_loss_loses_its_share(rate):
    hits = lost(policy("loss", rate=rate), stream(MANY))
    assert deviations(hits, rate) < 4
    pairs = [a and b for a, b in pairwise(hits)]
    assert deviations(pairs, rate * rate) < 4  # each by itself


def test_loss_can_take_all_and_nothing():
    assert all(lost(policy("loss", rate=1.0), stream(100)))
    assert not any(lost(policy("loss", rate=0.0), stream(100)))


def test_loss_comes_in_bursts_as_long_as_gilbert_elliott_says():
    p, r = 0.02, 0.25
    hits = lost(policy("loss", p=p, r=r), stream(MANY))
    bursts = [len(list(run)) for is_lost, run in groupby(hits) if is_lost]
    calm = [len(list(run)) for is_lost, run in groupby(hits) if not is_lost]
    for runs, turns in ((bursts, r), (calm, p)):  # geometric: mean 1/q, variance (1-q)/q²
        error = math.sqrt((1 - turns) / turns**2 / len(runs))
        assert abs(sum(runs) / len(runs) - 1 / turns) < 4 * error


def test_loss_in_the_good_and_in_the_bad_state_are_shares_that_survive():
    p, r, h, k = 0.1, 0.3, 0.4, 0.9
    hits = lost(policy("loss", p=p, r=r, h=h, k=k), stream(MANY))
    bad = p / (p + r)
    expected = bad * (1 - h) + (1 - bad) * (1 - k)
    assert abs(sum(hits) / MANY - expected) < 0.02


def test_without_r_the_bursts_are_no_longer_than_chance():
    hits = lost(policy("loss", p=0.2), stream(MANY))  # netem: r is then 1 - p, so Bernoulli
    assert deviations(hits, 0.2) < 4
    assert deviations([a and b for a, b in pairwise(hits)], 0.04) < 4


@pytest.mark.parametrize(
    ("fields", "why"),
    [
        ({}, "how much is lost is not clear; give rate"),
        ({"rate": 0.1, "p": 0.1}, "rate and p are two models of loss; keep one"),
        ({"r": 0.1, "k": 0.5}, "r speaks of bursts, and p of how they begin; add p"),
    ],
)
def test_a_loss_that_says_too_little_or_too_much_is_a_mistake(fields, why):
    with pytest.raises((ValueError, ValidationError), match=why):
        Loss(**fields)


def test_duplicates_arrive_twice_at_once():
    decided = fates(policy("duplicate", rate=0.1), *stream(MANY))
    assert set(decided) == {None, Forwarded((0.0, 0.0))}
    assert deviations([fate is not None for fate in decided], 0.1) < 4


def test_reordered_packets_are_late_and_may_be_overtaken():
    decided = fates(policy("reorder", rate=0.25, delay_s=0.01), *stream(MANY))
    assert set(decided) == {None, Forwarded((0.01,), in_order=False)}
    assert deviations([fate is not None for fate in decided], 0.25) < 4


def test_a_gap_lets_packets_pass_between_two_that_are_late():
    decided = fates(policy("reorder", rate=1.0, delay_s=0.01, gap=5), *stream(20))
    late = [number for number, fate in enumerate(decided, 1) if fate is not None]
    assert late == [5, 10, 15, 20]
    decided = fates(policy("reorder", rate=0.5, delay_s=0.01, gap=4), *stream(2000))
    late = [number for number, fate in enumerate(decided, 1) if fate is not None]
    assert min(b - a for a, b in pairwise(late)) >= 4


def test_who_is_late_by_nothing_is_a_mistake():
    with pytest.raises(ValueError, match="late by nothing"):
        Reorder(rate=0.5, delay_s=0.0)


# --- what they remember ---------------------------------------------------------------------


def test_chance_is_keyed_by_the_packet_not_by_what_other_flows_do():
    mine, others = stream(200, flow(1)), stream(200, flow(2))
    alone = fates(policy("loss", p=0.1, r=0.3), *mine)
    made = policy("loss", p=0.1, r=0.3)
    mixed = [fates(made, a, b)[0] for a, b in zip(mine, others, strict=True)]
    assert mixed == alone
    assert fates(policy("loss", p=0.1, r=0.3, seed=1), *mine) != alone


def test_packets_that_nothing_tells_apart_have_chances_of_their_own():
    draws = PacketDraws(Draws(3))
    acks = [draws.chance(0.5, packet(ACK, direction=DOWN)) for _ in range(200)]
    assert 60 < sum(acks) < 140
    again = PacketDraws(Draws(3))
    assert [again.chance(0.5, packet(ACK, direction=DOWN)) for _ in range(200)] == acks


def test_a_retransmission_has_a_chance_of_its_own():
    draws = PacketDraws(Draws(3))
    assert len({draws.random(packet(attempt=n)).random() for n in range(20)}) == 20


def test_memory_of_flows_is_bounded_and_the_longest_silent_go_first():
    flows = Flows(list, limit=3)
    for port in (1, 2, 3):
        flows.of(packet(DATA, flow(port))).append(port)
    flows.of(packet(DATA, flow(1)))
    flows.of(packet(DATA, flow(4)))
    assert len(flows) == 3
    assert flows.of(packet(DATA, flow(1))) == [1]
    assert flows.of(packet(DATA, flow(2))) == []


def test_a_flow_that_begins_anew_is_remembered_anew():
    flows = Flows(list)
    flows.of(packet(DATA)).append(1)
    assert flows.of(packet(DATA)) == [1]
    assert flows.of(packet(SYN, attempt=1)) == [1]
    assert flows.of(packet(SYN)) == []


def test_whether_a_flow_is_new_is_known_by_its_syn():
    new = NewFlows(retries=False)
    assert not new.has(packet(DATA))
    assert new.has(packet(SYN))
    assert new.has(packet(DATA))
