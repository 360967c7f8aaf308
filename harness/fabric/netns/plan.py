"""What has to be done so that a topology stands, and so that it changes: operations, in order."""

from __future__ import annotations

from collections.abc import Iterable, Iterator, Sequence

from harness.fabric.netns.layout import BACK, PROXY, Layout, Uplink, layout
from harness.fabric.netns.operations import (
    AddAddress,
    AddDefaultTo,
    AddNamespace,
    AddPair,
    AddRoute,
    AddRule,
    AddTun,
    DropAddress,
    DropRule,
    Operation,
    SetLink,
    SetSysctl,
)
from harness.scenario.model import Topology

TUN = "tun0"
TUN_TABLE = 100
"""The routing table whose only way leads into the TUN device."""
DEFAULT = "default"

EVERYWHERE = {
    "net.ipv4.conf.all.rp_filter": "0",
    "net.ipv4.conf.default.rp_filter": "0",
    "net.ipv4.conf.lo.rp_filter": "0",
    "net.ipv4.conf.all.accept_redirects": "0",
    "net.ipv4.conf.default.accept_redirects": "0",
    "net.ipv4.conf.all.send_redirects": "0",
    "net.ipv4.conf.default.send_redirects": "0",
    "net.ipv6.conf.all.disable_ipv6": "1",
    "net.ipv6.conf.default.disable_ipv6": "1",
}
"""A namespace begins with the host's settings or the kernel's: these have to be the same always.

Interfaces take ``default`` as they are made, and none but ``lo`` is made before (the kernel's
networking/ip-sysctl)."""
ON_ROUTERS = {
    "net.ipv4.conf.all.accept_local": "1",  # ICMP in the router's own name comes from a TUN device
    "net.ipv4.icmp_ratelimit": "0",
}
CONGESTION_CONTROLS = ("reno", "cubic")
"""The last of them that the kernel has is what it keeps to."""


def plan(topology: Topology, backends: Sequence[str]) -> tuple[Operation, ...]:
    """Everything from nothing to a network whose hosts reach each other."""
    return building(layout(topology, backends))


def building(place: Layout) -> tuple[Operation, ...]:
    """The same for a layout."""
    names = (*place.routers, *place.hosts)
    return (
        *(AddNamespace(name) for name in names),
        *(step for name in names for step in _settings(name, place)),
        *(SetLink(name, "lo", up=True) for name in names),
        *(step for link in place.uplinks for step in _wired(link)),
        *_trunked(place),
        *_routed(place),
    )


def _settings(name: str, place: Layout) -> Iterator[Operation]:
    for setting, value in EVERYWHERE.items():
        yield SetSysctl(name, setting, value)
    if name in place.routers:
        yield SetSysctl(name, "net.ipv4.ip_forward", "1", needed=True)
        for setting, value in ON_ROUTERS.items():
            yield SetSysctl(name, setting, value)
        return
    for word in CONGESTION_CONTROLS:
        yield SetSysctl(name, "net.ipv4.tcp_congestion_control", word)
    if any(name == client for client, _, _ in place.client_ports):
        yield from ports(place, name, None)


def _wired(link: Uplink) -> Iterator[Operation]:
    yield AddPair(link.router, link.port, link.host, link.interface)
    yield AddAddress(link.router, link.port, link.gateway, link.prefix)
    yield AddAddress(link.host, link.interface, link.address, link.prefix)
    yield SetLink(link.router, link.port, up=True)
    yield SetLink(link.host, link.interface, up=True)


def _trunked(place: Layout) -> Iterator[Operation]:
    for trunk in place.trunks:
        yield AddPair(trunk.left, trunk.left_port, trunk.right, trunk.right_port)
        yield AddAddress(trunk.left, trunk.left_port, trunk.left_address, trunk.prefix)
        yield AddAddress(trunk.right, trunk.right_port, trunk.right_address, trunk.prefix)
        yield SetLink(trunk.left, trunk.left_port, up=True)
        yield SetLink(trunk.right, trunk.right_port, up=True)


def _routed(place: Layout) -> Iterator[Operation]:
    """The ways that no wire gives by itself.

    Every network hangs on the first router or the last: the others pass on what comes.
    """
    for link in place.uplinks:
        yield from _ways(place, link)
    first, last = place.routers[0], place.routers[-1]
    for trunk in place.trunks:
        for link in place.uplinks:
            if link.router == last:
                yield AddRoute(trunk.left, link.network, trunk.right_address)
            elif link.router == first:
                yield AddRoute(trunk.right, link.network, trunk.left_address)


def _ways(place: Layout, link: Uplink) -> Iterator[Operation]:
    """A host's own routes over one of its links; the proxy reaches backends by its back."""
    if (link.host, link.interface) != (PROXY, BACK):
        yield AddRoute(link.host, DEFAULT, link.gateway)
        return
    for other in place.uplinks:
        if other.host.startswith("backend-"):
            yield AddRoute(link.host, other.network, link.gateway)


# --- changes --------------------------------------------------------------------------------


def tunnels(place: Layout) -> tuple[Operation, ...]:
    """A TUN device in each router that has hosts, with a table that leads into it."""
    steps: list[Operation] = []
    for router in _entered(place):
        steps.append(AddTun(router, TUN))
        steps.append(SetLink(router, TUN, up=True))
        steps.append(AddDefaultTo(router, TUN_TABLE, TUN))
    return tuple(steps)


def divert(place: Layout) -> tuple[Operation, ...]:
    """Packets that hosts send go into the TUN devices; whoever reads those has to be there."""
    return (
        *tunnels(place),
        *(AddRule(router, port, TUN_TABLE) for router, port in place.entrances),
    )


def undivert(place: Layout) -> tuple[Operation, ...]:
    """Packets that hosts send are forwarded by the kernel again."""
    return tuple(DropRule(router, port, TUN_TABLE) for router, port in place.entrances)


def _entered(place: Layout) -> tuple[str, ...]:
    return tuple(dict.fromkeys(router for router, _ in place.entrances))


def roam(place: Layout, host: str, nth: int, before: int | None = None) -> tuple[Operation, ...]:
    """The host has its n-th address, in place of the one ``before`` (or the one just before it).

    The old one goes first: what was connected from it becomes silent.
    """
    link = place.link_of(host)
    old = place.roaming(host, max(0, nth - 1) if before is None else before)
    new = place.roaming(host, nth)
    if old == new:
        return ()
    return (
        DropAddress(host, link.interface, old, link.prefix),
        AddAddress(host, link.interface, new, link.prefix),
        *_ways(place, link),
    )


def recall(place: Layout, host: str, moves: int) -> tuple[Operation, ...]:
    """The host has its former addresses again, beside the one it got by so many moves."""
    wire = place.link_of(host)
    return tuple(
        AddAddress(host, wire.interface, old, wire.prefix) for old in _former(place, host, moves)
    )


def forget(place: Layout, host: str, moves: int) -> tuple[Operation, ...]:
    """The host has them no more; the latest go first, for the kernel drops younger ones too."""
    wire = place.link_of(host)
    former = reversed(_former(place, host, moves))
    return tuple(DropAddress(host, wire.interface, old, wire.prefix) for old in former)


def _former(place: Layout, host: str, moves: int) -> tuple[str, ...]:
    present = place.roaming(host, moves)
    former = dict.fromkeys(place.roaming(host, nth) for nth in range(moves))
    return tuple(address for address in former if address != present)


def link(place: Layout, host: str, up: bool) -> tuple[Operation, ...]:
    """The host's links are up or down; one that comes back needs its routes again."""
    steps: list[Operation] = []
    for wire in place.uplinks:
        if wire.host == host:
            steps.append(SetLink(host, wire.interface, up=up))
            steps.extend(_ways(place, wire) if up else ())
    return tuple(steps)


def ports(place: Layout, host: str, number: int | None) -> tuple[Operation, ...]:
    """The host dials from so many ports, or from all of its own (None).

    Of a range with an odd number of ports connect() leaves out the last, so one more is named
    then, and reserved: nobody dials from a reserved one (the kernel's networking/ip-sysctl).
    """
    first, last = place.ports_of(host)
    spare = 0  # nobody's port
    if number is not None:
        last = min(last, first + number - 1)
        if number > 1 and last - first + 1 == number and number % 2:
            spare = last = last + 1
    return (
        SetSysctl(host, "net.ipv4.ip_local_reserved_ports", str(spare), needed=number is not None),
        SetSysctl(host, "net.ipv4.ip_local_port_range", f"{first} {last}", needed=True),
    )


def render(operations: Iterable[Operation]) -> str:
    """The operations as a list of commands, one a line, for ``--dry-run``."""
    return "".join(f"{operation}\n" for operation in operations)
