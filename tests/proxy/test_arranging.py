"""What performs a fault, by what there is to perform it."""

import pytest
from raw import fault, when

from harness.errors import SetupError
from harness.proxy.arranging import Arranged, arrange, link_sides
from harness.timeline import Side
from harness.units import Spread

DUMB = frozenset()
BARE = frozenset({"host", "port"})
ROUTED = BARE | {"router"}
BUCKETS = ROUTED | {"tbf", "htb"}
ALL = BUCKETS | {"netem"}
SIDECAR = frozenset({Side.CLIENT})

LATE = {"delay_s": Spread(0.02)}
NARROW = {"rate_bytes_per_s": 1e6}


def latency(trigger=when(), **scopes):  # noqa: B008 - frozen
    return fault("latency", trigger, **LATE, **scopes)


def narrow(trigger=when(), **fields):  # noqa: B008 - frozen
    return fault("bandwidth", trigger, **NARROW, **fields)


ON_ONE = when(connection=1)
IN_RUSH = when(during="rush")


@pytest.mark.parametrize(
    ("spec", "means", "by"),
    [
        # Nothing to choose from.
        (latency(), DUMB, ""),
        (fault("blackhole"), DUMB, ""),
        # Whole links.
        (latency(), ALL, "netem"),
        (latency(IN_RUSH), ALL, "netem"),
        (latency(when(at_s=1.0, for_s=1.0)), ALL, "netem"),
        (latency(), BUCKETS, "router"),
        (latency(), BARE, "proxy"),
        (fault("loss", rate=0.1), ALL, "netem"),
        (fault("loss", p=0.1, r=0.5), ALL, "netem"),
        (fault("loss", rate=0.1), ROUTED, "router"),
        (fault("loss", every=10), ALL, "router"),
        (fault("duplicate", rate=0.1), ALL, "netem"),
        (fault("corrupt_packet", rate=0.1), ALL, "netem"),
        (fault("corrupt_packet", rate=0.1), BUCKETS, "router"),
        (fault("reorder", rate=0.1, delay_s=0.01), ALL, "netem"),
        (fault("reorder", rate=0.1, delay_s=0.01, gap=5), ALL, "router"),
        # Capacities.
        (narrow(), ALL, "tbf"),
        (narrow(direction="both"), ALL, "tbf"),
        (narrow(shared=True), ALL, "htb"),
        (narrow(shared=True, direction="both"), ALL, "router"),
        (narrow(), ROUTED, "router"),
        (narrow(shared=True), ROUTED | {"tbf"}, "router"),
        (narrow(), BARE, "proxy"),
        # Single connections, and shares of them.
        (latency(ON_ONE), ALL, "proxy"),
        (narrow(when(idle_s=1.0)), ALL, "proxy"),
        (latency(when(probability=0.5)), ALL, "proxy"),
        (fault("loss", ON_ONE, rate=0.1), ALL, "router"),
        (fault("loss", when(times=1), rate=0.1), ALL, "router"),
        # What nobody but one can do.
        (fault("blackhole"), ALL, "router"),
        (fault("nat_expiry", after_s=1.0), ALL, "router"),
        (fault("address_change"), ALL, "router"),
        (fault("link_down"), ALL, "host"),
        (fault("port_exhaustion", ports=4), BARE, "host"),
        (fault("sock_destroy", when(idle_s=1.0)), BARE, "host"),
        (fault("backlog_full"), BARE, "port"),
        (fault("refuse"), ALL, "proxy"),
        (fault("reset"), ALL, "proxy"),
        (fault("stall"), ALL, "proxy"),
    ],
    ids=lambda value: value.name if hasattr(value, "name") else None,
)
def test_who_performs_a_fault(spec, means, by):
    assert arrange(spec, means) == by


@pytest.mark.parametrize("name", ["blackhole", "vanish", "loss", "duplicate"])
def test_what_needs_the_router_says_what_the_router_needs(name):
    fields = {"rate": 0.5} if name in {"loss", "duplicate"} else {}
    with pytest.raises(
        SetupError, match=rf"^{name} needs the packet router.*/dev/net/tun.*modprobe"
    ):
        arrange(fault(name, **fields), BARE)


@pytest.mark.parametrize(
    ("first", "second", "by"),
    [
        (latency(), latency(), "router"),
        (latency(), fault("reorder", rate=0.1, delay_s=0.01), "router"),
        (latency(), fault("loss", rate=0.1), "netem"),
        (latency(), narrow(), "tbf"),
        (narrow(), narrow(shared=True), "router"),
        (latency(), latency(direction="upstream"), "netem"),
        (latency(direction="both"), latency(direction="upstream"), "router"),
        (latency(IN_RUSH), latency(when(during="calm")), "netem"),
        (latency(IN_RUSH), latency(IN_RUSH), "router"),
        (latency(IN_RUSH), latency(when(at_s=1.0)), "router"),
        (
            fault("loss", rate=0.1, side="client"),
            fault("loss", rate=0.1, side="backend"),
            "netem",
        ),
        (fault("loss", rate=0.1, side="client"), fault("loss", rate=0.1, side="both"), "router"),
    ],
)
def test_a_second_fault_of_a_kind_on_the_same_packets_is_the_routers(first, second, by):
    others = [Arranged(first, arrange(first, ALL))]
    assert arrange(second, ALL, others) == by


def test_a_second_fault_of_a_kind_without_a_router():
    kernel = BARE | {"netem"}
    assert arrange(latency(), kernel, [Arranged(latency(), "netem")]) == "proxy"
    loss = fault("loss", rate=0.1)
    with pytest.raises(SetupError, match=r"loss needs the packet router"):
        arrange(loss, kernel, [Arranged(loss, "netem")])


def test_a_fault_on_bytes_strikes_links_on_one_side_alone():
    assert link_sides(latency(side="both")) == {Side.CLIENT}
    assert link_sides(latency(), SIDECAR) == {Side.BACKEND}
    assert link_sides(latency(), frozenset(Side)) == set()
    assert link_sides(fault("loss", rate=0.1, side="both")) == set(Side)
    assert arrange(latency(), ALL, unlinked=frozenset(Side)) == "proxy"
