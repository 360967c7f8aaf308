"""Where hosts stand: whatever the topology, addresses and names are their own."""

import re

import pytest
from hypothesis import given
from hypothesis import strategies as st

from harness.errors import InputError
from harness.fabric.netns.layout import BACKENDS_LIMIT, layout
from harness.scenario.model import Topology
from harness.timeline import Direction, Side

UP, DOWN = Direction.UPSTREAM, Direction.DOWNSTREAM
WAYS = [(side, direction) for side in Side for direction in Direction]

topologies = st.builds(
    Topology, clients=st.integers(1, 16), routers=st.integers(1, 16), proxy=st.just("host")
) | st.builds(Topology, routers=st.integers(1, 16), proxy=st.just("client"))
names = st.lists(st.text(min_size=1, max_size=30), max_size=12, unique=True)


@given(topologies, names)
def test_each_wire_has_a_network_of_its_own(topology, backends):
    place = layout(topology, backends)
    nets = [link.network for link in place.uplinks]
    nets += [f"{trunk.left_address.rpartition('.')[0]}.0/24" for trunk in place.trunks]
    assert len(set(nets)) == len(nets)
    assert all(net.startswith(("198.18.", "198.19.")) for net in nets)
    assert all(0 < int(net.split(".")[2]) < 255 for net in nets)


@given(topologies, names)
def test_the_kernel_takes_every_interface_name_and_a_router_has_none_twice(topology, backends):
    place = layout(topology, backends)
    ends = [(link.router, link.port) for link in place.uplinks]
    ends += [(link.host, link.interface) for link in place.uplinks]
    for trunk in place.trunks:
        ends += [(trunk.left, trunk.left_port), (trunk.right, trunk.right_port)]
    assert len(set(ends)) == len(ends)
    assert all(re.fullmatch(r"[A-Za-z0-9_.-]{1,15}", interface) for _, interface in ends)


@given(topologies, names, st.integers(0, 250))
def test_an_address_says_whose_it_is_also_after_roaming(topology, backends, nth):
    place = layout(topology, backends)
    for host in place.hosts:
        assert place.host_at(place.address_of(host)) == host
        assert place.host_at(place.roaming(host, nth)) == host
    gateways = [link.gateway for link in place.uplinks]
    for stranger in [*gateways, "192.0.2.7", "198.18.250.2", "127.0.0.2", "nonsense", ""]:
        assert place.host_at(stranger) is None


@given(topologies)
def test_clients_dial_from_ports_of_their_own(topology):
    ports = layout(topology, ["blue"]).client_ports
    assert [host for host, _, _ in ports] == [f"client-{n + 1}" for n in range(topology.clients)]
    lasts = [10_000 - 1, *(last for _, _, last in ports)]
    for before, (_, first, last) in zip(lasts, ports, strict=False):
        assert before < first < last <= 65_000
        assert last - first + 1 >= 2_000
        assert first % 2 == 0, "the kernel complains of ranges whose ends are both even or odd"
        assert last % 2 == 1


@given(topologies, names)
def test_packets_of_each_side_and_direction_leave_through_ports_of_their_own(topology, backends):
    place = layout(topology, backends)
    ports = [port for way in WAYS for port in place.egress(*way)]
    assert len(set(ports)) == len(ports)
    assert set(ports) == set(place.entrances), "who sends on a wire also receives there"


def test_the_usual_network():
    place = layout(Topology(clients=2), ["blue", "green"])
    assert place.hosts == ("client-1", "client-2", "proxy", "backend-blue", "backend-green")
    assert place.address_of("client-2") == "198.18.2.2"
    assert place.address_of("proxy") == "198.18.31.2"
    assert place.dial_from == "198.18.32.2"
    assert place.proxy_host == "proxy"
    assert place.egress(Side.CLIENT, UP) == (("router-1", "proxy-front"),)
    assert place.egress(Side.CLIENT, DOWN) == (("router-1", "client-1"), ("router-1", "client-2"))
    assert place.egress(Side.BACKEND, UP) == (("router-1", "b-blue"), ("router-1", "b-green"))
    assert place.egress(Side.BACKEND, DOWN) == (("router-1", "proxy-back"),)


def test_with_more_routers_clients_hang_on_the_first_and_the_rest_on_the_last():
    place = layout(Topology(routers=3), ["blue"])
    assert place.egress(Side.CLIENT, UP) == (("router-3", "proxy-front"),)
    assert place.egress(Side.CLIENT, DOWN) == (("router-1", "client-1"),)
    assert [(trunk.left, trunk.right) for trunk in place.trunks] == [
        ("router-1", "router-2"),
        ("router-2", "router-3"),
    ]


def test_a_sidecar_listens_on_the_clients_loopback_and_dials_from_its_address():
    place = layout(Topology(proxy="client"), ["blue"])
    assert place.hosts == ("client-1", "backend-blue")
    assert place.proxy_host == "client-1"
    assert place.address_of("proxy") == "127.0.0.1"
    assert place.host_at("127.0.0.1") == "proxy"
    assert place.dial_from == place.address_of("client-1")
    assert place.egress(Side.CLIENT, UP) == place.egress(Side.CLIENT, DOWN) == ()
    assert place.egress(Side.BACKEND, DOWN) == (("router-1", "client-1"),)


@pytest.mark.parametrize(
    ("proxy", "client", "server", "side"),
    [
        ("host", "198.18.1.2", "198.18.31.2", Side.CLIENT),
        ("host", "198.18.1.77", "198.18.31.2", Side.CLIENT),
        ("host", "198.18.32.2", "198.18.51.2", Side.BACKEND),
        ("host", "198.18.1.2", "198.18.51.2", None),
        ("host", "198.18.51.2", "198.18.32.2", None),
        ("host", "192.0.2.1", "198.18.31.2", None),
        ("host", "198.18.1.2", "192.0.2.1", None),
        ("client", "198.18.1.2", "198.18.51.2", Side.BACKEND),
        ("client", "198.18.1.2", "127.0.0.1", Side.CLIENT),
    ],
)
def test_who_dials_whom_tells_the_side(proxy, client, server, side):
    assert layout(Topology(proxy=proxy), ["blue"]).side_of(client, server) is side


def test_whoever_roams_for_long_comes_by_old_addresses():
    place = layout(Topology(), ["blue"])
    assert [place.roaming("client-1", n) for n in (0, 1, 250, 251)] == [
        "198.18.1.2",
        "198.18.1.3",
        "198.18.1.252",
        "198.18.1.3",
    ]


def test_hosts_that_are_not_there_are_no_answer():
    place = layout(Topology(proxy="client"), ["blue"])
    for ask in (place.address_of, place.link_of, place.ports_of, lambda h: place.roaming(h, 1)):
        with pytest.raises(KeyError):
            ask("backend-red")


def test_more_backends_than_networks_are_a_mistake_of_the_scenario():
    backends = [f"b{n}" for n in range(BACKENDS_LIMIT + 1)]
    with pytest.raises(InputError, match=r"origin\.backends: 201 backends are more .* at most 200"):
        layout(Topology(), backends)
    assert len(layout(Topology(), backends[:-1]).hosts) == BACKENDS_LIMIT + 2
