"""What happens to packets that pass: lost, late, twice, damaged, and how fast; by counting them.

Bounds on shares are five standard deviations of a binomial wide, or more: one run in millions is
outside. Bounds on lateness are one-sided or wide, for machines are busy.
"""

import math
from collections import Counter, defaultdict
from itertools import pairwise
from statistics import NormalDist

import pytest
import trio
from lab import exchange, lab, why_not
from raw import PATIENCE_S, fault

from harness.units import Spread

pytestmark = pytest.mark.skipif(bool(why_not()), reason=why_not() or "never")

SIGMAS = 5
LATE_S = 0.02
"""How late a packet may be at the median of many, on a machine that is busy with other tests."""
EARLY_S = 0.0005
"""Clocks of two processors differ by far less."""
CHUNK_BYTES = 65_536
LOOK_S = 0.02
SETTLED_S = 0.3
"""After so long without traffic nothing is on its way."""


async def pour(box, *specs, packets, streams=20, downstream=False):
    """The journeys of so many packets or more, over several connections at once.

    Faults given here begin once all are connected: a connect may take seconds under them.
    """
    pairs = [await box.pair() for _ in range(streams)]
    await trio.sleep(SETTLED_S)
    begun = box.client.mark()
    box.proxy.arm(list(specs))
    sends = box.others[0] if downstream else box.client
    async with trio.open_nursery() as nursery:
        for client, server in pairs:
            nursery.start_soon(_send_forever, server if downstream else client)
            nursery.start_soon(_read_forever, client if downstream else server)
        with trio.fail_after(PATIENCE_S):
            while len([p for p in sends.sent() if p.at >= begun]) < packets:  # noqa: ASYNC110
                await trio.sleep(LOOK_S)
                box.look()
        nursery.cancel_scope.cancel()
    box.look()
    ended = box.client.mark()
    await trio.sleep(SETTLED_S)
    trips = _downstream(box) if downstream else _upstream(box)
    return [(packet, at) for packet, at in trips if begun <= packet.at <= ended]


async def _send_forever(peer):
    while True:
        await peer.sock.send(b"x" * CHUNK_BYTES)


async def _read_forever(peer):
    while True:
        assert await peer.sock.recv(CHUNK_BYTES)


def _journeys(departed, arrived):
    """Each packet that departed, in order, with the instants at which it arrived."""
    instants = defaultdict(list)
    for packet in arrived:
        instants[packet.itself].append(packet.at)
    return [(packet, instants[packet.itself]) for packet in departed]


def _upstream(box):
    """What the client has sent, and when it came to the proxy."""
    return _journeys(box.client.sent(), box.others[0].arrived())


def _downstream(box):
    """What the proxy has sent to the client, and when it came there."""
    return _journeys(box.others[0].sent(), box.client.arrived())


def assert_share(count, total, share):
    slack = SIGMAS * math.sqrt(share * (1 - share) / total)
    assert abs(count / total - share) <= slack, f"{count} of {total}, and {share} was asked for"


# --- loss -----------------------------------------------------------------------------------


async def test_as_many_packets_are_lost_as_was_asked_for_and_none_the_other_way():
    async with lab() as box:
        loss = fault("loss", rate=0.05, direction="upstream")
        trips = await pour(box, loss, packets=2_500)
        assert_share(sum(not at for _, at in trips), len(trips), 0.05)
        until = trips[-1][0].at
        assert all(at for packet, at in _downstream(box) if packet.at < until)


async def test_every_tenth_packet_is_lost_and_no_other():
    async with lab() as box:
        loss = fault("loss", every=10, direction="upstream")
        trips = await pour(box, loss, packets=400, streams=4)
        lost = [number for number, (_, at) in enumerate(trips, 1) if not at]
        assert lost == list(range(10, len(trips) + 1, 10))


async def test_losses_come_in_bursts_by_the_chain_that_was_asked_for():
    turns_bad, turns_good = 0.05, 0.5
    async with lab() as box:
        loss = fault("loss", p=turns_bad, r=turns_good, direction="upstream")
        trips = await pour(box, loss, packets=2_000)
        chains = defaultdict(list)
        for packet, at in trips:
            # the packet router's chain is a connection's, netem's is the link's
            chains[packet.flow if box.means("loss") == "router" else None].append(bool(at))
        turns = Counter(turn for chain in chains.values() for turn in pairwise(chain))
        assert_share(turns[False, True], turns[False, True] + turns[False, False], turns_good)
        assert_share(turns[True, False], turns[True, False] + turns[True, True], turns_bad)


# --- late -----------------------------------------------------------------------------------


async def replies(box, count):
    """How late replies were that were asked for one by one: the delays of the packets."""
    client, server = await box.pair()
    for _ in range(count):
        await exchange(client, server)
    await trio.sleep(SETTLED_S)
    trips = [(packet, at) for packet, at in _downstream(box) if packet.size]
    return sorted(at[0] - packet.at for packet, at in trips[1:])


def median(delays):
    return sorted(delays)[len(delays) // 2]


async def test_every_packet_of_a_late_link_is_late_by_the_delay():
    async with lab(fault("latency", delay_s=Spread(0.02))) as box:
        delays = await replies(box, 30)
        assert delays[0] >= 0.02 - EARLY_S
        assert median(delays) <= 0.02 + LATE_S
        assert median([at[0] - packet.at for packet, at in _upstream(box) if at]) < LATE_S


async def test_uniform_jitter_spreads_delays_evenly():
    async with lab(fault("latency", delay_s=Spread(0.05), jitter_s=0.04)) as box:
        delays = await replies(box, 50)
        assert delays[0] >= 0.01 - EARLY_S
        assert_distribution(delays, lambda delay_s: min(1, (delay_s - 0.01) / 0.08))


async def test_normal_jitter_is_distributed_so():
    mean_s, deviation_s = 0.05, 0.015
    spec = fault("latency", delay_s=Spread(mean_s), jitter_s=deviation_s, distribution="normal")
    async with lab(spec) as box:
        delays = await replies(box, 50)
        assert_distribution(delays, NormalDist(mean_s, deviation_s).cdf)


def assert_distribution(delays, below):
    """Kolmogorov and Smirnov's distance, but packets may be late."""
    n = len(delays)
    bound = 2.2 / math.sqrt(n)  # exceeded once in 10,000 times
    assert max(rank / n - below(delay + EARLY_S) for rank, delay in enumerate(delays, 1)) < bound
    assert max(below(delay - LATE_S) - rank / n for rank, delay in enumerate(delays)) < bound


async def test_the_share_that_is_late_is_overtaken_by_the_others():
    delay_s = 0.15  # far more than a packet waits while the program at the other end is busy
    async with lab() as box:
        reorder = fault("reorder", rate=0.2, delay_s=delay_s, direction="downstream")
        trips = await pour(box, reorder, packets=600, streams=10, downstream=True)
        arrivals = [(at[0], packet) for packet, at in trips if at]
        late = [at - packet.at > delay_s - EARLY_S for at, packet in arrivals]
        assert_share(sum(late), len(late), 0.2)
        assert (
            sum(after < before for (before, _), (after, _) in pairwise(arrivals)) > len(late) / 20
        )


# --- more, and damaged ----------------------------------------------------------------------


async def test_a_share_of_the_packets_arrives_twice_and_the_others_once():
    async with lab() as box:
        twice = fault("duplicate", rate=0.3, direction="upstream")
        times = Counter(len(at) for _, at in await pour(box, twice, packets=600, streams=5))
        assert set(times) == {1, 2}
        assert_share(times[2], times[1] + times[2], 0.3)


async def test_damaged_packets_arrive_and_the_kernel_that_gets_them_throws_them_away():
    async with lab() as box:
        damage = fault("corrupt_packet", rate=0.05, direction="upstream")
        await pour(box, damage, packets=1_500)
        box.proxy.heal_all()
        await trio.sleep(SETTLED_S)
        arrived = [packet for packet in box.others[0].arrived() if packet.size > 1]
        damaged = sum(not packet.sound for packet in box.others[0].arrived())
        thrown_away = box.count("proxy", "Tcp", "InCsumErrors")
        if box.means("corrupt_packet") == "router":
            assert_share(damaged, len(arrived), 0.05)
            assert thrown_away == damaged
        else:  # netem turns bits of headers alone, and IP's and Ethernet's are no matter for TCP
            assert 0 < thrown_away <= damaged
        assert all(packet.sound for packet in box.client.arrived())


# --- narrow ---------------------------------------------------------------------------------


async def test_never_more_bytes_pass_than_the_capacity_and_what_may_pass_at_once():
    rate, burst = 250_000, 10_000
    async with lab() as box:
        narrow = fault(
            "bandwidth", rate_bytes_per_s=rate, burst_bytes=burst, direction="downstream"
        )
        trips = await pour(box, narrow, packets=100, streams=1, downstream=True)
        arrived = sorted((at[0], packet.length) for packet, at in trips if at)
        total, first = 0, arrived[0][0]
        for at, length in arrived:
            total += length
            assert total <= rate * (at - first + LATE_S) + burst + length


async def test_a_narrow_link_upstream_leaves_downstream_as_fast_as_before():
    async with lab(fault("bandwidth", rate_bytes_per_s=50_000, direction="upstream")) as box:
        trips = await pour(box, packets=200, streams=1, downstream=True)  # six seconds' worth
        assert median([at[0] - packet.at for packet, at in trips if at]) < LATE_S
        assert trips[-1][0].at - trips[0][0].at < 3
