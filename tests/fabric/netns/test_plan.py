"""Plans, followed by a small model of routing that shares no code with them."""

from collections import defaultdict
from ipaddress import IPv4Address, IPv4Network

import pytest
from hypothesis import given
from hypothesis import strategies as st

from harness.fabric.netns import operations as ops
from harness.fabric.netns import plan as plans
from harness.fabric.netns.layout import layout
from harness.scenario.model import Topology

HOPS_LIMIT = 40


class Network:
    """Namespaces, wires, addresses and routes as operations leave them."""

    def __init__(self, operations=()):
        self.names, self.wires, self.up = [], {}, set()
        self.addresses, self.routes = defaultdict(set), defaultdict(dict)
        self.sysctls, self.rules, self.tables = {}, set(), {}
        for operation in operations:
            self.do(operation)

    def do(self, operation):
        if not isinstance(operation, ops.AddNamespace):
            assert operation.namespace in self.names, f"{operation}: no such namespace"
        getattr(self, type(operation).__name__)(operation)

    def AddNamespace(self, o):  # noqa: N802 - named after what it performs
        assert o.namespace not in self.names
        self.names.append(o.namespace)

    def SetSysctl(self, o):  # noqa: N802 - as above
        self.sysctls[o.namespace, o.name] = o.value

    def AddPair(self, o):  # noqa: N802 - as above
        ends = (o.namespace, o.interface), (o.peer_namespace, o.peer_interface)
        assert not any(end in self.wires for end in ends)
        self.wires |= {ends[0]: ends[1], ends[1]: ends[0]}

    def AddTun(self, o):  # noqa: N802 - as above
        self.wires[o.namespace, o.interface] = None

    def AddAddress(self, o):  # noqa: N802 - as above
        assert not self.owners(o.address), f"{o}: somebody has it"
        self.addresses[o.namespace, o.interface].add((o.address, o.prefix))

    def DropAddress(self, o):  # noqa: N802 - as above
        self.addresses[o.namespace, o.interface].remove((o.address, o.prefix))

    def SetLink(self, o):  # noqa: N802 - as above
        end = o.namespace, o.interface
        assert o.interface == "lo" or end in self.wires
        (self.up.add if o.up else self.up.discard)(end)
        if not o.up:
            routes = self.routes[o.namespace]
            gone = [
                to for to, via in routes.items() if self.leaves_by(o.namespace, via) in {end, None}
            ]
            for to in gone:
                del routes[to]

    def AddRoute(self, o):  # noqa: N802 - as above
        assert self.leaves_by(o.namespace, o.via), f"{o}: Network is unreachable"
        to = "0.0.0.0/0" if o.destination == "default" else o.destination
        self.routes[o.namespace][to] = o.via

    def AddDefaultTo(self, o):  # noqa: N802 - as above
        assert (o.namespace, o.interface) in self.up
        self.tables[o.namespace, o.table] = o.interface

    def AddRule(self, o):  # noqa: N802 - as above
        assert (o.namespace, o.interface) in self.wires
        self.rules.add((o.namespace, o.interface, o.table))

    def DropRule(self, o):  # noqa: N802 - as above
        self.rules.remove((o.namespace, o.interface, o.table))

    def owners(self, address):
        return [end for end, held in self.addresses.items() if address in {a for a, _ in held}]

    def leaves_by(self, name, neighbour):
        """The interface that is up and on whose network a neighbour is."""
        for end, held in self.addresses.items():
            for address, prefix in held if end[0] == name and end in self.up else ():
                if IPv4Address(neighbour) in IPv4Network(f"{address}/{prefix}", strict=False):
                    return end
        return None

    def trace(self, name, address):
        """The ends at which a packet comes in on its way; the last has the address."""
        path = []
        for _ in range(HOPS_LIMIT):
            by, towards = self.leaves_by(name, address), address
            if by is None:
                fit = [to for to in self.routes[name] if IPv4Address(address) in IPv4Network(to)]
                if not fit:
                    return None
                towards = self.routes[name][max(fit, key=lambda to: IPv4Network(to).prefixlen)]
                by = self.leaves_by(name, towards)
            there = self.wires[by]
            if there not in self.up or towards not in {a for a, _ in self.addresses[there]}:
                return None
            path.append(there)
            name = there[0]
            if towards == address:
                return path
            assert self.sysctls[name, "net.ipv4.ip_forward"] == "1"
        raise AssertionError("a circle")


topologies = st.builds(
    Topology, clients=st.integers(1, 5), routers=st.integers(1, 5), proxy=st.just("host")
) | st.builds(Topology, routers=st.integers(1, 5), proxy=st.just("client"))


@given(topologies, st.integers(1, 3))
def test_every_host_reaches_whom_it_talks_to_and_back_by_the_right_wires(topology, backends):
    backends = [f"b{n}" for n in range(backends)]
    place = layout(topology, backends)
    network = Network(plans.plan(topology, backends))
    pairs = [(place.proxy_host, place.dial_from, f"backend-{name}") for name in backends]
    if not place.is_sidecar:
        pairs += [(host, place.address_of(host), "proxy") for host, _, _ in place.client_ports]
    for host, address, server in pairs:
        there = network.trace(host, place.address_of(server))
        back = network.trace(server, address)
        assert there[-1][0] == server
        assert back[-1][0] == host
        routers = len(place.routers) if host != "proxy" else 1
        assert len(there) == len(back) == routers + 1
        assert there[0] in place.entrances
        assert back[0] in place.entrances
        assert there[-1] == network.wires[back[0]], "each wire is used both ways"


def test_the_plan_makes_the_namespaces_first_and_names_each_router_and_host():
    steps = plans.plan(Topology(routers=2), ["blue"])
    names = ["router-1", "router-2", "client-1", "proxy", "backend-blue"]
    assert [str(step) for step in steps[:5]] == [f"ip netns add {name}" for name in names]
    assert not any(isinstance(step, ops.AddNamespace) for step in steps[5:])
    assert steps == plans.building(layout(Topology(routers=2), ["blue"]))


def test_routers_forward_and_nobody_checks_where_packets_come_from():
    network = Network(plans.plan(Topology(), ["blue"]))
    forwards = [name for name, setting in network.sysctls if setting == "net.ipv4.ip_forward"]
    assert forwards == ["router-1"]
    for name in network.names:
        assert network.sysctls[name, "net.ipv4.conf.all.rp_filter"] == "0"
        assert network.sysctls[name, "net.ipv4.conf.default.rp_filter"] == "0"


def test_hosts_keep_to_one_congestion_control_and_clients_to_their_ports():
    network = Network(plans.plan(Topology(clients=2), ["blue"]))
    assert network.sysctls["backend-blue", "net.ipv4.tcp_congestion_control"] == "cubic"
    ranges = [
        network.sysctls[name, "net.ipv4.ip_local_port_range"] for name in ("client-1", "client-2")
    ]
    assert ranges == ["10000 37487", "37488 64975"]
    assert ("proxy", "net.ipv4.ip_local_port_range") not in network.sysctls


def test_what_is_diverted_is_what_hosts_send_and_undiverted_it_is_nothing():
    place = layout(Topology(clients=2, routers=3), ["blue"])
    network = Network(plans.building(place))
    for step in plans.divert(place):
        network.do(step)
    assert {(name, port) for name, port, _ in network.rules} == set(place.entrances)
    assert network.tables == {("router-1", 100): "tun0", ("router-3", 100): "tun0"}
    for step in plans.undivert(place):
        network.do(step)
    assert not network.rules


def test_a_host_that_roams_leaves_its_old_address_first_and_is_reached_at_the_new():
    place = layout(Topology(), ["blue"])
    network = Network(plans.building(place))
    steps = plans.roam(place, "client-1", 1)
    assert [str(step) for step in steps] == [
        "ip -n client-1 address del 198.18.1.2/24 dev eth0",
        "ip -n client-1 address add 198.18.1.3/24 dev eth0",
        "ip -n client-1 route replace default via 198.18.1.1",
    ]
    for step in (*steps, *plans.roam(place, "client-1", 2)):
        network.do(step)
    assert network.trace("proxy", "198.18.1.4")
    assert not network.trace("proxy", "198.18.1.2")
    for step in plans.roam(place, "client-1", 0, before=2):
        network.do(step)
    assert network.trace("proxy", "198.18.1.2")
    assert network.trace("client-1", place.address_of("proxy"))


def test_roaming_to_where_it_is_does_nothing():
    place = layout(Topology(), ["blue"])
    assert plans.roam(place, "client-1", 251, before=1) == ()
    assert plans.roam(place, "client-1", 0) == ()


@pytest.mark.parametrize("host", ["client-1", "proxy"])
def test_a_link_that_comes_back_finds_its_ways_again(host):
    place = layout(Topology(), ["blue", "green"])
    network = Network(plans.building(place))
    there = "backend-green" if host == "proxy" else "proxy"
    for step in plans.link(place, host, up=False):
        network.do(step)
    assert not network.trace(host, place.address_of(there))
    for step in plans.link(place, host, up=True):
        network.do(step)
    assert network.trace(host, place.address_of(there))[-1][0] == there
    assert network.trace(host, place.address_of("client-1")) or host == "client-1"


def test_former_addresses_come_back_beside_the_present_one_and_go_again():
    place = layout(Topology(), ["blue"])
    network = Network(plans.building(place))
    mine = [place.roaming("client-1", nth) for nth in range(4)]
    for nth in (1, 2):
        for step in plans.roam(place, "client-1", nth):
            network.do(step)
    for step in plans.recall(place, "client-1", 2):
        network.do(step)
    assert all(network.trace("proxy", address) for address in mine[:3])
    for step in (*plans.forget(place, "client-1", 2), *plans.roam(place, "client-1", 3)):
        network.do(step)
    assert [bool(network.trace("proxy", address)) for address in mine] == [False] * 3 + [True]


@pytest.mark.parametrize(
    ("number", "wanted"),
    [
        (1, "10000 10000"),
        (3, "10000 10003"),
        (4, "10000 10003"),
        (None, "10000 64975"),
        (60_000, "10000 64975"),
    ],
)
def test_a_host_may_dial_from_so_many_of_its_ports(number, wanted):
    place = layout(Topology(), ["blue"])
    reserve, step = plans.ports(place, "client-1", number)
    assert reserve.value == ("10003" if number == 3 else "0")
    assert step == ops.SetSysctl("client-1", "net.ipv4.ip_local_port_range", wanted, needed=True)


def test_a_plan_is_printed_as_one_command_a_line():
    text = plans.render(plans.plan(Topology(), ["blue"]))
    lines = text.splitlines()
    assert text.endswith("\n")
    assert lines[0] == "ip netns add router-1"
    assert lines[-1] == "ip -n backend-blue route replace default via 198.18.51.1"
    assert all(line.startswith("ip ") for line in lines)
