"""What is done to namespaces, one value each; as text it is what one would type, ip(8).

Namespaces have no names outside this process: ``ip -n`` is a way of speaking. Nothing here is
performed; ``netlink`` does that.
"""

from __future__ import annotations

from dataclasses import dataclass
from typing import TypeAlias

from harness.fabric.netns.layout import MTU_BYTES, PREFIX

RULE_PRIORITY = 100
"""Asked after the table of local addresses (0) and before the main one (32766), ip-rule(8)."""


@dataclass(frozen=True, slots=True)
class AddNamespace:
    """A network namespace."""

    namespace: str

    def __str__(self) -> str:
        return f"ip netns add {self.namespace}"


@dataclass(frozen=True, slots=True)
class AddPair:
    """A wire between two namespaces, veth(4).

    TCP may not hand it several segments at once (``gso_max_segs 1``): what passes is the packets
    that a real wire would carry, and each of them can be lost by itself.
    """

    namespace: str
    interface: str
    peer_namespace: str
    peer_interface: str
    mtu_bytes: int = MTU_BYTES

    def __str__(self) -> str:
        end = f"mtu {self.mtu_bytes} gso_max_segs 1"
        return (
            f"ip -n {self.namespace} link add {self.interface} {end} type veth "
            f"peer name {self.peer_interface} {end} netns {self.peer_namespace}"
        )


@dataclass(frozen=True, slots=True)
class AddTun:
    """A TUN device without a reader; nothing is done if one of this name is there."""

    namespace: str
    interface: str

    def __str__(self) -> str:
        return f"ip -n {self.namespace} tuntap add dev {self.interface} mode tun"


@dataclass(frozen=True, slots=True)
class AddAddress:
    """An address of an interface."""

    namespace: str
    interface: str
    address: str
    prefix: int = PREFIX

    def __str__(self) -> str:
        place = f"dev {self.interface}"
        return f"ip -n {self.namespace} address add {self.address}/{self.prefix} {place}"


@dataclass(frozen=True, slots=True)
class DropAddress:
    """An address that an interface has no longer."""

    namespace: str
    interface: str
    address: str
    prefix: int = PREFIX

    def __str__(self) -> str:
        place = f"dev {self.interface}"
        return f"ip -n {self.namespace} address del {self.address}/{self.prefix} {place}"


@dataclass(frozen=True, slots=True)
class SetLink:
    """An interface that is up or down; one that goes down loses its routes."""

    namespace: str
    interface: str
    up: bool

    def __str__(self) -> str:
        word = "up" if self.up else "down"
        return f"ip -n {self.namespace} link set dev {self.interface} {word}"


@dataclass(frozen=True, slots=True)
class AddRoute:
    """The way to a network, or ``default``, over a neighbour; in place of the way there was."""

    namespace: str
    destination: str
    via: str

    def __str__(self) -> str:
        return f"ip -n {self.namespace} route replace {self.destination} via {self.via}"


@dataclass(frozen=True, slots=True)
class AddDefaultTo:
    """The default way of a table of its own, straight into an interface."""

    namespace: str
    table: int
    interface: str

    def __str__(self) -> str:
        way = f"default dev {self.interface} table {self.table}"
        return f"ip -n {self.namespace} route replace {way}"


@dataclass(frozen=True, slots=True)
class AddRule:
    """What comes in at an interface is routed by a table of its own, ip-rule(8)."""

    namespace: str
    interface: str
    table: int

    def __str__(self) -> str:
        rule = f"iif {self.interface} pref {RULE_PRIORITY} lookup {self.table}"
        return f"ip -n {self.namespace} rule add {rule}"


@dataclass(frozen=True, slots=True)
class DropRule:
    """What comes in at an interface is routed like everything else again."""

    namespace: str
    interface: str
    table: int

    def __str__(self) -> str:
        rule = f"iif {self.interface} pref {RULE_PRIORITY} lookup {self.table}"
        return f"ip -n {self.namespace} rule del {rule}"


@dataclass(frozen=True, slots=True)
class SetSysctl:
    """A setting of a namespace's kernel, sysctl(8); skipped where it can't be set if not needed."""

    namespace: str
    name: str
    value: str
    needed: bool = False

    @property
    def path(self) -> str:
        """The file that holds it."""
        return f"/proc/sys/{self.name.replace('.', '/')}"

    def __str__(self) -> str:
        value = f'"{self.value}"' if " " in self.value else self.value
        return f"ip netns exec {self.namespace} sysctl -w {self.name}={value}"


Operation: TypeAlias = (
    AddNamespace
    | AddPair
    | AddTun
    | AddAddress
    | DropAddress
    | SetLink
    | AddRoute
    | AddDefaultTo
    | AddRule
    | DropRule
    | SetSysctl
)
