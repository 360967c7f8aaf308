"""Who stands where: the hosts, the routers, the wires between them, and every address.

Clients hang on the first router, the proxy and the backends on the last. The proxy has two links,
``front`` towards clients and ``back`` towards backends, so that the packets of each side and
direction leave a router through interfaces of their own, where they can be shaped apart. Beside a
client (a sidecar) it has none: it listens on the client's loopback and dials from its address.

Every link is a network of its own in 198.18.0.0/15, which is set aside for such benches (RFC 2544
appendix C.2.2): the router is ``.1``, the host ``.2``, and ``.3`` and so on are where it roams to.
"""

from __future__ import annotations

import re
from collections.abc import Sequence
from dataclasses import dataclass, field
from itertools import pairwise

from harness.errors import InputError, Problem
from harness.scenario.model import Topology
from harness.timeline import Direction, Side

PREFIX = 24
MTU_BYTES = 1500
BACKENDS_LIMIT = 200
ROAMING_LIMIT = 250
"""How many other addresses a host has; then it comes back to the first of them."""
FIRST_PORT = 10_000
PORTS = 54_976
"""Ports from which clients dial: up to 64,975, shared out evenly and in pairs."""
INTERFACE_LIMIT = 15
"""Characters of an interface's name (IFNAMSIZ in netdevice(7), without the zero)."""
PROXY, FRONT, BACK = "proxy", "front", "back"
LOOPBACK = "127.0.0.1"
_FRONT_NET, _BACK_NET, _BACKENDS_NET = 31, 32, 51
_UNFIT = re.compile(r"[^A-Za-z0-9_.-]")


@dataclass(frozen=True, slots=True)
class Uplink:
    """A wire from a host to its router: ``interface`` is its end here, ``port`` its end there."""

    host: str
    interface: str
    router: str
    port: str
    address: str
    gateway: str
    prefix: int = PREFIX

    @property
    def network(self) -> str:
        """What is reached over it, such as ``198.18.1.0/24``."""
        return f"{self.gateway.rpartition('.')[0]}.0/{self.prefix}"


@dataclass(frozen=True, slots=True)
class Trunk:
    """A wire between two routers that are neighbours."""

    left: str
    left_port: str
    left_address: str
    right: str
    right_port: str
    right_address: str
    prefix: int = PREFIX


@dataclass(frozen=True, slots=True)
class Layout:
    """Hosts, routers and wires; ``client_ports`` are (host, first, last), disjoint."""

    uplinks: tuple[Uplink, ...]
    trunks: tuple[Trunk, ...]
    routers: tuple[str, ...]
    client_ports: tuple[tuple[str, int, int], ...]
    _hosts_by_net: dict[str, str] = field(init=False, repr=False, compare=False)

    def __post_init__(self) -> None:
        nets = {_net_of(link.address): link.host for link in self.uplinks}
        object.__setattr__(self, "_hosts_by_net", nets)

    @property
    def hosts(self) -> tuple[str, ...]:
        """Every host once: clients, the proxy unless it is a sidecar, backends."""
        return tuple(dict.fromkeys(link.host for link in self.uplinks))

    @property
    def is_sidecar(self) -> bool:
        """Whether the proxy stands beside the client."""
        return PROXY not in self.hosts

    @property
    def proxy_host(self) -> str:
        """The host on which the proxy's sockets are."""
        return self.client_ports[0][0] if self.is_sidecar else PROXY

    @property
    def dial_from(self) -> str:
        """The address from which the proxy dials backends."""
        if self.is_sidecar:
            return self.address_of(self.proxy_host)
        return self.link_of(PROXY, BACK).address

    def address_of(self, host: str) -> str:
        """Where a host is reached: the proxy at its front, a sidecar on the loopback.

        Raises KeyError for a host that isn't there.
        """
        if host == PROXY and self.is_sidecar:
            return LOOPBACK
        return self.link_of(host).address

    def link_of(self, host: str, interface: str = "") -> Uplink:
        """A host's first wire, or the one at that interface. Raises KeyError if there is none."""
        for link in self.uplinks:
            if link.host == host and interface in {"", link.interface}:
                return link
        raise KeyError(host)

    def host_at(self, address: str) -> str | None:
        """Whose address it is, those a host roams to included; None for a router's or a stranger's.

        A loopback address is the sidecar's.
        """
        if address == LOOPBACK:
            return PROXY if self.is_sidecar else None
        net, _, last = address.rpartition(".")
        return None if last == "1" else self._hosts_by_net.get(net)

    def side_of(self, client_address: str, server_address: str) -> Side | None:
        """On which side of the proxy a connection runs, by who dials whom; None if on neither."""
        client, server = self.host_at(client_address), self.host_at(server_address)
        if client is None or server is None:
            return None
        if client == self.proxy_host and server.startswith("backend-"):
            return Side.BACKEND
        if client.startswith("client-") and server == PROXY:
            return Side.CLIENT
        return None

    def egress(self, side: Side, direction: Direction) -> tuple[tuple[str, str], ...]:
        """The (router, interface) through which such packets leave for where they go.

        A sidecar's client side has none: those packets never leave the host.
        """
        return tuple((link.router, link.port) for link in self._receivers(side, direction))

    def _receivers(self, side: Side, direction: Direction) -> list[Uplink]:
        if self.is_sidecar and side is Side.CLIENT:
            return []
        if side is Side.CLIENT and direction is Direction.DOWNSTREAM:
            return [link for link in self.uplinks if link.host.startswith("client-")]
        if side is Side.CLIENT:
            return [self.link_of(PROXY, FRONT)]
        if direction is Direction.UPSTREAM:
            return [link for link in self.uplinks if link.host.startswith("backend-")]
        return [self.link_of(self.proxy_host, "" if self.is_sidecar else BACK)]

    @property
    def entrances(self) -> tuple[tuple[str, str], ...]:
        """The (router, interface) at which packets of hosts come in."""
        return tuple((link.router, link.port) for link in self.uplinks)

    def ports_of(self, host: str) -> tuple[int, int]:
        """The first and last port from which a client dials. Raises KeyError for others."""
        for name, first, last in self.client_ports:
            if name == host:
                return first, last
        raise KeyError(host)

    def roaming(self, host: str, nth: int) -> str:
        """The n-th other address of a host, counted from 1; 0 is the one it begins with."""
        link = self.link_of(host)
        if nth == 0:
            return link.address
        return f"{_net_of(link.address)}.{3 + (nth - 1) % ROAMING_LIMIT}"


def layout(topology: Topology, backends: Sequence[str]) -> Layout:
    """Who stands where, for backends of these names. Raises InputError for too many of them."""
    if len(backends) > BACKENDS_LIMIT:
        raise InputError(
            Problem(
                f"{len(backends)} backends are more than the netns fabric has room for",
                f"name at most {BACKENDS_LIMIT}",
                path="origin.backends",
            )
        )
    routers = tuple(f"router-{n}" for n in range(1, topology.routers + 1))
    clients = tuple(f"client-{n}" for n in range(1, topology.clients + 1))
    wires = [_wire(name, "eth0", routers[0], name, n) for n, name in enumerate(clients, 1)]
    if topology.proxy == "host":
        wires.append(_wire(PROXY, FRONT, routers[-1], f"{PROXY}-{FRONT}", _FRONT_NET))
        wires.append(_wire(PROXY, BACK, routers[-1], f"{PROXY}-{BACK}", _BACK_NET))
    for n, name in enumerate(backends):
        port = _port_name(name, n)
        wires.append(_wire(f"backend-{name}", "eth0", routers[-1], port, _BACKENDS_NET + n))
    return Layout(tuple(wires), _trunks(routers), routers, _shared_out(clients))


def _wire(host: str, interface: str, router: str, port: str, net: int) -> Uplink:
    return Uplink(host, interface, router, port, f"198.18.{net}.2", f"198.18.{net}.1")


def _trunks(routers: tuple[str, ...]) -> tuple[Trunk, ...]:
    return tuple(
        Trunk(left, "right", f"198.19.{n}.1", right, "left", f"198.19.{n}.2")
        for n, (left, right) in enumerate(pairwise(routers), 1)
    )


def _port_name(backend: str, nth: int) -> str:
    """A router's name for a backend's wire: what the kernel takes as a name, and no other has."""
    name = f"b-{backend}"
    if len(name) <= INTERFACE_LIMIT and not _UNFIT.search(name):
        return name
    return f"b{nth}-{_UNFIT.sub('_', backend)}"[:INTERFACE_LIMIT]


def _shared_out(clients: tuple[str, ...]) -> tuple[tuple[str, int, int], ...]:
    """A range of ports for each client; it begins even and ends odd, as the kernel likes it."""
    width = PORTS // len(clients) // 2 * 2
    starts = range(FIRST_PORT, FIRST_PORT + PORTS, width)
    return tuple(
        (client, first, first + width - 1) for client, first in zip(clients, starts, strict=False)
    )


def _net_of(address: str) -> str:
    return address.rpartition(".")[0]
