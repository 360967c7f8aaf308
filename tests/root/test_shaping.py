"""Links that the kernel shapes, seen at both ends of the wire.

Where the kernel has no netem, those tests are skipped and say so; what the packet router does to
the same parameters has tests of its own.
"""

from __future__ import annotations

import shutil
import statistics
import subprocess
from itertools import pairwise

import pytest
import trio
from lab import lab, why_not
from raw import PATIENCE_S, fault, in_background, until, when

from harness.fabric.netns.access import probe
from harness.history import FaultArmed, FaultFired
from harness.units import Spread

DELAY_S = 0.03
RATE = 200_000.0
"""Bytes a second; slow enough that a busy machine has the time."""
MANY = 300
pytestmark = pytest.mark.skipif(bool(why_not()), reason=why_not() or "-")
needs_netem = pytest.mark.skipif(not probe().netem, reason="this kernel has no netem")
needs_tbf = pytest.mark.skipif(not probe().tbf, reason="this kernel has no tbf")
needs_htb = pytest.mark.skipif(not probe().htb, reason="this kernel has no htb")


def means(b) -> list[str]:
    return [event.means for event in b.events if isinstance(event, FaultArmed)]


def qdiscs(interface: str) -> set[str]:
    """What stands on an interface, in the words of another program."""
    asked = ["tc", "qdisc", "show", "dev", interface]
    shown = subprocess.run(asked, capture_output=True, text=True, check=True, timeout=10)
    return {line.split()[1] for line in shown.stdout.splitlines()}


async def send_small(b, count=MANY, pause_s=0.002):
    """Many little packets down to the client, each by itself, and their way there: in order."""
    client, server = await b.pair(TCP_NODELAY=1)
    server.sock.setsockopt(trio.socket.IPPROTO_TCP, trio.socket.TCP_NODELAY, 1)
    begun = trio.current_time()

    async def send():
        for _ in range(count):
            await server.send(b"x")
            await trio.sleep(pause_s)

    async with in_background(send):
        await client.read(count)
    (front,) = b.others
    sent = [p for p in front.since(begun) if p.leaves and p.size]
    arrived = [p for p in b.client.since(begun) if not p.leaves and p.size]
    return sent, arrived


def travelled_s(sent, arrived):
    """How long each packet took that arrived."""
    left = {p.itself: p.at for p in sent}
    return [p.at - left[p.itself] for p in arrived if p.itself in left]


async def pull(b, size_bytes):
    """Bytes a second down to the client, as its wire saw them: whole packets."""
    client, server = await b.pair()
    begun = trio.current_time()
    async with in_background(lambda: server.send(bytes(size_bytes))):
        with trio.fail_after(PATIENCE_S):
            await client.read(size_bytes)
    arrived = [p for p in b.client.since(begun) if not p.leaves and p.size]
    took_s = arrived[-1].at - arrived[0].at
    return sum(p.length for p in arrived[1:]) / took_s


# --- capacity -------------------------------------------------------------------------------


@needs_tbf
@needs_htb
@pytest.mark.parametrize(("shared", "by"), [(False, "tbf"), (True, "htb")])
async def test_a_bucket_passes_its_rate_and_has_fired(shared, by):
    async with lab(fault("bandwidth", rate_bytes_per_s=RATE, shared=shared)) as b:
        assert means(b) == [by]
        assert 0.5 * RATE < await pull(b, 150_000) < 1.1 * RATE
        (fired,) = await b.fired()
        assert fired.where.startswith(f"{by}, client, downstream, packets: ")


@needs_tbf
async def test_a_bucket_opens_again_when_its_fault_is_healed_and_loses_nothing():
    async with lab(fault("bandwidth", rate_bytes_per_s=20_000.0)) as b:
        client, server = await b.pair()
        async with in_background(lambda: server.send(bytes(300_000))):
            await client.read(20_000)
            b.proxy.heal_all()
            healed = trio.current_time()
            await client.read(280_000)  # at the rate before: 14 s
        assert trio.current_time() - healed < 5.0


async def test_the_router_has_the_same_capacity_with_the_same_words():
    spec = fault("bandwidth", rate_bytes_per_s=RATE, shared=True, direction="both")
    async with lab(spec) as b:
        assert means(b) == ["router"]
        assert 0.5 * RATE < await pull(b, 150_000) < 1.1 * RATE
        assert (await b.fired())[0].fault == "bandwidth"


# --- what a link does to packets, by netem where it is --------------------------------------

BY = "netem" if probe().netem else "router"
SLACK_S = 0.03
"""How late a machine may be that is emulated."""


async def test_latency_delays_packets_and_nothing_less():
    async with lab(fault("latency", delay_s=Spread(DELAY_S))) as b:
        assert means(b) == [BY]
        sent, arrived = await send_small(b, 60, 0.01)
        taken_s = travelled_s(sent, arrived)
        assert min(taken_s) >= DELAY_S - 0.0005
        assert statistics.median(taken_s) < DELAY_S + SLACK_S
        assert (await b.fired())[0].fault == "latency"


async def test_jitter_keeps_packets_in_order_and_within_its_bounds():
    spec = fault("latency", delay_s=Spread(DELAY_S, 0.01))
    async with lab(spec) as b:
        sent, arrived = await send_small(b)
        order = {p.itself: number for number, p in enumerate(sent)}
        numbers = [order[p.itself] for p in arrived if p.itself in order]
        # Without care every other is overtaken. Two processors may still swap two on a veth.
        assert sum(a > b for a, b in pairwise(numbers)) < len(numbers) / 50
        taken_s = travelled_s(sent, arrived)
        assert min(taken_s) >= DELAY_S - 0.01 - 0.0005
        assert max(taken_s) - min(taken_s) > 0.01


async def test_a_healed_delay_lets_what_is_on_its_way_arrive_in_order():
    async with lab(fault("latency", delay_s=Spread(0.3))) as b:
        client, server = await b.pair()
        begun = trio.current_time()
        await server.send(b"a" * 100)
        await trio.sleep(0.02)
        b.proxy.heal_all()
        await server.send(b"b" * 100)
        assert await client.read(200) == b"a" * 100 + b"b" * 100
        (front,) = b.others
        sent = {p.itself for p in front.since(begun) if p.leaves and p.size}
        arrived = [p.itself for p in b.client.since(begun) if not p.leaves and p.size]
        assert sent == set(arrived)  # nothing was lost, and nothing sent again


@pytest.mark.parametrize("fields", [{"rate": 0.1}, {"p": 0.08, "r": 0.72}, {"every": 10}])
async def test_a_tenth_of_the_packets_is_lost(fields):
    async with lab(fault("loss", direction="downstream", **fields)) as b:
        assert means(b) == ["router" if "every" in fields else BY]
        sent, arrived = await send_small(b, 500, 0.001)
        share = 1 - len({p.itself for p in arrived}) / len({p.itself for p in sent})
        # By itself sqrt(.1 * .9 / 500) = 1.3 %, in bursts somewhat more: four times that.
        assert share == pytest.approx(0.1, abs=0.06)
        assert (await b.fired())[0].fault == "loss"


async def test_packets_are_overtaken():
    spec = fault("reorder", rate=0.25, delay_s=0.02, direction="downstream")
    async with lab(spec) as b:
        sent, arrived = await send_small(b)
        assert means(b) == [BY]
        order = {p.itself: number for number, p in enumerate(sent)}
        numbers = [order[p.itself] for p in arrived if p.itself in order]
        assert numbers != sorted(numbers)
        assert (await b.fired())[0].fault == "reorder"


async def test_packets_arrive_twice():
    async with lab(fault("duplicate", rate=0.3, direction="downstream")) as b:
        sent, arrived = await send_small(b)
        assert means(b) == [BY]
        extra = len(arrived) - len(sent)
        assert 0.3 * MANY / 2 < extra < 0.3 * MANY * 2
        assert (await b.fired())[0].fault == "duplicate"


async def test_damaged_packets_are_thrown_away_by_the_kernel_and_sent_again():
    async with lab(fault("corrupt_packet", rate=0.2, direction="downstream")) as b:
        await send_small(b)
        assert means(b) == [BY]
        assert b.count("client-1", "Tcp", "InCsumErrors") > 0
        assert (await b.fired())[0].fault == "corrupt_packet"


# --- several at once ------------------------------------------------------------------------


async def test_several_faults_shape_one_link_together():
    specs = [
        fault("latency", delay_s=Spread(DELAY_S)),
        fault("loss", rate=0.1, direction="downstream"),
        fault("bandwidth", rate_bytes_per_s=2e5),
    ]
    async with lab(*specs) as b:
        assert means(b) == [BY, BY, "tbf"]
        sent, arrived = await send_small(b, 200, 0.005)
        assert min(travelled_s(sent, arrived)) >= DELAY_S - 0.0005
        assert len({p.itself for p in arrived}) < len({p.itself for p in sent})
        names = {spec.name for spec in specs}
        await until(lambda: {e.fault for e in b.events if isinstance(e, FaultFired)} == names)


@needs_netem
async def test_a_second_delay_on_the_same_packets_is_the_routers():
    specs = [fault("latency", delay_s=Spread(DELAY_S)), fault("latency", delay_s=Spread(DELAY_S))]
    async with lab(*specs) as b:
        assert means(b) == ["netem", "router"]
        sent, arrived = await send_small(b, 40, 0.01)
        assert min(travelled_s(sent, arrived)) >= 2 * DELAY_S - 0.0005


async def test_the_proxy_itself_delays_single_connections():
    async with lab(fault("latency", when(connection=2), delay_s=Spread(DELAY_S))) as b:
        assert means(b) == ["proxy"]
        sent, arrived = await send_small(b, 20, 0.01)
        assert statistics.median(travelled_s(sent, arrived)) < DELAY_S


@needs_tbf
@pytest.mark.skipif(shutil.which("tc") is None, reason="needs tc, of iproute2")
async def test_links_that_nobody_asked_about_are_left_alone():
    async with lab(fault("bandwidth", rate_bytes_per_s=1e6)) as b:
        with b.fabric.inside("router-1"):
            told = (qdiscs(link.port) for link in b.fabric.layout.uplinks)
            assert [kinds for kinds in told if "tbf" in kinds] == [{"tbf"}]
            assert qdiscs("client-1") == {"tbf"}
