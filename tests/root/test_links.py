"""Links are waited for: who dials once they carry packets loses none to a link just set up."""

import socket

import pytest
import trio

from harness.errors import SetupError
from harness.fabric.netns import links, plan
from harness.fabric.netns.access import probe
from harness.fabric.netns.entering import can_make
from harness.fabric.netns.layout import layout
from harness.fabric.netns.links import wait_carrying, wires
from harness.fabric.netns.namespaces import Namespaces
from harness.fabric.netns.netlink import Netlink
from harness.fabric.netns.operations import SetLink
from harness.scenario.model import Topology

why = "" if can_make() else probe().reason or "needs root: a user namespace can't be left again"
needs_namespaces = pytest.mark.skipif(bool(why), reason=why or "never")

LIMIT_S = 10.0
SYN_AGAIN_S = 1.0
"""A lost SYN, or ARP request, is repeated no sooner (tcp(7), arp(7))."""
TIMES = 10


@pytest.fixture
def place():
    return layout(Topology(clients=2, routers=3), ["blue"])


def test_each_wire_is_asked_once(place):
    asked = list(wires(place))
    assert len(asked) == len(place.uplinks) + len(place.trunks) == len(set(asked))


def dialed_after_s(spaces, place):
    """How long a connect through all routers takes."""
    target = (place.address_of("proxy"), 5000)
    with (
        spaces.socket("proxy", socket.AF_INET, socket.SOCK_STREAM) as listener,
        spaces.socket("client-1", socket.AF_INET, socket.SOCK_STREAM) as dialer,
    ):
        listener.bind(target)
        listener.listen()
        dialer.settimeout(LIMIT_S)
        began = trio.current_time()
        dialer.connect(target)
        return trio.current_time() - began


@needs_namespaces
async def test_the_first_packet_of_each_host_arrives(place):
    for _ in range(TIMES):
        with Namespaces([*place.routers, *place.hosts]) as spaces:
            Netlink(spaces).perform(plan.building(place))
            await wait_carrying(spaces, place)
            assert dialed_after_s(spaces, place) < SYN_AGAIN_S


@needs_namespaces
async def test_a_link_that_stays_down_is_named(place, monkeypatch):
    monkeypatch.setattr(links, "READY_LIMIT_S", 0.05)
    with Namespaces([*place.routers, *place.hosts]) as spaces:
        netlink = Netlink(spaces)
        netlink.perform(plan.building(place))
        netlink.perform([SetLink("router-1", "client-2", up=False)])
        with pytest.raises(
            SetupError, match=r"eth0 of client-2 carries no packet to 198\.18\.2\.1"
        ):
            await wait_carrying(spaces, place)
