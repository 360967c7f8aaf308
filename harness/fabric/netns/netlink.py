"""Performs operations on namespaces, by netlink.

pyroute2 knows what the messages look like; they go over a plain socket that is made inside the
namespace, used and closed. pyroute2's own sockets are made anew for each thread, wherever that
thread is: a call from another one would strike the host's network in silence.
"""

from __future__ import annotations

import errno
import fcntl
import os
import socket
import struct
from collections.abc import Iterable
from contextlib import ExitStack
from functools import cache, singledispatchmethod
from itertools import count
from pathlib import Path
from typing import Any, TypeAlias

from harness.errors import SetupError
from harness.fabric.netns.namespaces import Namespaces
from harness.fabric.netns.operations import (
    RULE_PRIORITY,
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

Attributes: TypeAlias = list[tuple[str, Any]]

REPLY_LIMIT_BYTES = 65_536
REPLY_LIMIT_S = 10.0
TUN_FILE = "/dev/net/tun"
TUNSETIFF, TUNSETPERSIST = 0x400454CA, 0x400454CB
IFF_TUN, IFF_NO_PI = 0x0001, 0x1000
REQUEST, ACK, REPLACE, EXCLUSIVE, CREATE = 0x1, 0x4, 0x100, 0x200, 0x400
NEW_LINK, NEW_ADDRESS, DROP_ADDRESS, NEW_ROUTE, NEW_RULE, DROP_RULE = 16, 20, 21, 24, 32, 33
ERROR = 2
IFF_UP = 0x1
TO_TABLE = 1
BY_HAND = 4
"""What put a route there, in the words of rtnetlink(7): RTPROT_STATIC."""
_HEADER = struct.Struct("=IHHII")
_FAILURE = struct.Struct("=i")


class Netlink:
    """Performs operations in namespaces; may be used from any thread."""

    def __init__(self, spaces: Namespaces) -> None:
        self._spaces = spaces

    def perform(self, operations: Iterable[Operation]) -> None:
        """Perform each in turn.

        Raises SetupError for the first that fails, naming it as one would type it, with the
        system's words; those before it have been performed.
        """
        with ExitStack() as undo:
            talks: dict[str, Talk] = {}
            for operation in operations:
                try:
                    self._perform(operation, talks, undo)
                except OSError as error:
                    words = os.strerror(error.errno) if error.errno else str(error)
                    raise SetupError(f"{operation}: {words}") from error

    def _perform(self, operation: Operation, talks: dict[str, Talk], undo: ExitStack) -> None:
        match operation:
            case AddNamespace():
                self._spaces.descriptor(operation.namespace)  # made with the others, at once
            case SetSysctl():
                self._set(operation)
            case AddTun():
                self._add_tun(operation)
            case _:
                name = operation.namespace
                if name not in talks:
                    talks[name] = Talk(self._spaces, name, undo)
                talks[name].say(operation)

    def _set(self, operation: SetSysctl) -> None:
        try:
            with (
                self._spaces.inside(operation.namespace),
                Path(operation.path).open("w", encoding="ascii") as file,
            ):
                file.write(operation.value)
        except OSError:
            if operation.needed:
                raise

    def _add_tun(self, operation: AddTun) -> None:
        with self._spaces.inside(operation.namespace):
            if operation.interface in {name for _, name in socket.if_nameindex()}:
                return
            make_tun(operation.interface)


def make_tun(interface: str) -> None:
    """Make a TUN device here that stays while its namespace does. Raises OSError if it can't."""
    device = os.open(TUN_FILE, os.O_RDWR | os.O_CLOEXEC)
    try:
        request = struct.pack("16sH22x", interface.encode(), IFF_TUN | IFF_NO_PI)
        fcntl.ioctl(device, TUNSETIFF, request)
        fcntl.ioctl(device, TUNSETPERSIST, 1)
    finally:
        os.close(device)


class Talk:
    """One conversation with the kernel about one namespace."""

    def __init__(self, spaces: Namespaces, name: str, undo: ExitStack) -> None:
        self._spaces = spaces
        self._name = name
        self._numbers = count(1)
        self._sock = spaces.socket(name, socket.AF_NETLINK, socket.SOCK_RAW, socket.NETLINK_ROUTE)
        undo.callback(self._sock.close)
        self._sock.settimeout(REPLY_LIMIT_S)

    @singledispatchmethod
    def say(self, operation: Operation) -> None:
        """Perform an operation; raises OSError if the kernel won't."""
        raise NotImplementedError(operation)

    @say.register
    def _(self, operation: AddPair) -> None:
        end: Attributes = [("IFLA_MTU", operation.mtu_bytes), ("IFLA_GSO_MAX_SEGS", 1)]
        peer: Attributes = [
            ("IFLA_IFNAME", operation.peer_interface),
            ("IFLA_NET_NS_FD", self._spaces.descriptor(operation.peer_namespace)),
            *end,
        ]
        kind: Attributes = [
            ("IFLA_INFO_KIND", "veth"),
            ("IFLA_INFO_DATA", {"attrs": [("VETH_INFO_PEER", {"attrs": peer})]}),
        ]
        attributes: Attributes = [
            ("IFLA_IFNAME", operation.interface),
            *end,
            ("IFLA_LINKINFO", {"attrs": kind}),
        ]
        self._ask("link", NEW_LINK, CREATE | EXCLUSIVE, {}, attributes)

    @say.register
    def _(self, operation: SetLink) -> None:
        fields = {
            "index": self._index(operation.interface),
            "flags": IFF_UP if operation.up else 0,
            "change": IFF_UP,
        }
        self._ask("link", NEW_LINK, 0, fields, [])

    @say.register(AddAddress | DropAddress)
    def _(self, operation: AddAddress | DropAddress) -> None:
        adds = isinstance(operation, AddAddress)
        fields = {
            "family": socket.AF_INET,
            "prefixlen": operation.prefix,
            "index": self._index(operation.interface),
        }
        attributes: Attributes = [
            ("IFA_LOCAL", operation.address),
            ("IFA_ADDRESS", operation.address),
        ]
        kind, flags = (NEW_ADDRESS, CREATE | EXCLUSIVE) if adds else (DROP_ADDRESS, 0)
        self._ask("address", kind, flags, fields, attributes)

    @say.register
    def _(self, operation: AddRoute) -> None:
        attributes: Attributes = [("RTA_TABLE", 254), ("RTA_GATEWAY", operation.via)]
        network, _, prefix = operation.destination.partition("/")
        if prefix:
            attributes.append(("RTA_DST", network))
        fields = {"dst_len": int(prefix or 0), "table": 254, "scope": 0}
        self._route(fields, attributes)

    @say.register
    def _(self, operation: AddDefaultTo) -> None:
        attributes: Attributes = [
            ("RTA_TABLE", operation.table),
            ("RTA_OIF", self._index(operation.interface)),
        ]
        link_scope = 253
        self._route({"dst_len": 0, "table": operation.table, "scope": link_scope}, attributes)

    def _route(self, fields: dict[str, int], attributes: Attributes) -> None:
        unicast = 1
        fields |= {"family": socket.AF_INET, "proto": BY_HAND, "type": unicast}
        self._ask("route", NEW_ROUTE, CREATE | REPLACE, fields, attributes)

    @say.register(AddRule | DropRule)
    def _(self, operation: AddRule | DropRule) -> None:
        attributes: Attributes = [
            ("FRA_IIFNAME", operation.interface),
            ("FRA_PRIORITY", RULE_PRIORITY),
            ("FRA_TABLE", operation.table),
        ]
        fields = {"family": socket.AF_INET, "table": operation.table, "action": TO_TABLE}
        adds = isinstance(operation, AddRule)
        kind, flags = (NEW_RULE, CREATE | EXCLUSIVE) if adds else (DROP_RULE, 0)
        self._ask("rule", kind, flags, fields, attributes)

    def _index(self, interface: str) -> int:
        """The kernel's number of an interface; raises OSError if there is no such interface."""
        with self._spaces.inside(self._name):
            try:
                return socket.if_nametoindex(interface)
            except OSError as error:
                raise OSError(errno.ENODEV, os.strerror(errno.ENODEV)) from error

    def _ask(
        self, about: str, kind: int, flags: int, fields: dict[str, int], attributes: Attributes
    ) -> None:
        """Send a request and wait until the kernel says it is done, netlink(7)."""
        number = next(self._numbers)
        header = {"type": kind, "flags": REQUEST | ACK | flags, "sequence_number": number}
        self._sock.send(encoded(about, header, fields, attributes))
        while True:
            reply = self._sock.recv(REPLY_LIMIT_BYTES)
            _, said, _, answered, _ = _HEADER.unpack_from(reply)
            if said == ERROR and answered == number:
                break
        (failure,) = _FAILURE.unpack_from(reply, _HEADER.size)
        if failure:
            raise OSError(-failure, os.strerror(-failure))


def encoded(
    about: str, header: dict[str, int], fields: dict[str, int], attributes: Attributes
) -> bytes:
    """A request as bytes; ``about`` is link, address, route or rule."""
    message = _kinds()[about]()
    message["header"] = header
    for name, value in fields.items():
        message[name] = value
    message["attrs"] = attributes
    message.encode()
    return bytes(message.data)


@cache
def _kinds() -> dict[str, Any]:
    """pyroute2's messages; imported when first needed, because that takes a while."""
    from pyroute2.netlink.rtnl.fibmsg import fibmsg  # noqa: PLC0415 - as above
    from pyroute2.netlink.rtnl.ifaddrmsg import ifaddrmsg  # noqa: PLC0415 - as above
    from pyroute2.netlink.rtnl.ifinfmsg import ifinfmsg  # noqa: PLC0415 - as above
    from pyroute2.netlink.rtnl.rtmsg import rtmsg  # noqa: PLC0415 - as above

    return {"link": ifinfmsg, "address": ifaddrmsg, "route": rtmsg, "rule": fibmsg}
