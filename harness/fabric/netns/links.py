"""Whether links carry packets yet: the kernel switches on a link a moment after it is set up.

When the second end of a pair goes up, the first one has a carrier, but what it sends is dropped in
silence until a work queue of the kernel has got round to it (net/core/link_watch.c), which takes
longest on a busy machine. A connect begun meanwhile would lose its SYN, or the ARP request before
it, and take a second longer (tcp(7), arp(7)): as if a fault had struck.
"""

from __future__ import annotations

import fcntl
import socket
import struct
from collections.abc import Iterator
from typing import TypeAlias

import trio

from harness.errors import SetupError
from harness.fabric.netns.layout import Layout
from harness.fabric.netns.namespaces import Namespaces

READY_LIMIT_S = 10.0
"""A link that carries nothing by then never will."""
ASK_AGAIN_S = 0.002
DISCARD_PORT = 9
"""Nobody listens there, so that whoever is asked says so at once (RFC 792, RFC 863)."""
_SIOCDARP = 0x8953
_ARPREQ = struct.Struct("=HHI8x16xi16x16s")

Wire: TypeAlias = tuple[str, str, str]
"""A namespace, its end of a wire, and the address at the other end."""


def wires(place: Layout) -> Iterator[Wire]:
    """Every wire of a layout, once."""
    for link in place.uplinks:
        yield link.host, link.interface, link.gateway
    for trunk in place.trunks:
        yield trunk.left, trunk.left_port, trunk.right_address


async def wait_carrying(spaces: Namespaces, place: Layout) -> None:
    """Return once every link carries packets in both directions; raises SetupError if one won't."""
    for namespace, interface, address in wires(place):
        with trio.move_on_after(READY_LIMIT_S) as limit:
            await _wait_for(spaces, namespace, interface, address)
        if limit.cancelled_caught:
            raise SetupError(f"{interface} of {namespace} carries no packet to {address}")


async def _wait_for(spaces: Namespaces, namespace: str, interface: str, address: str) -> None:
    with spaces.socket(namespace, socket.AF_INET, socket.SOCK_DGRAM, 0) as asking:
        asking.setblocking(False)
        asking.connect((address, DISCARD_PORT))
        while not (_is_answered(asking) or _is_answered(asking)):
            await trio.sleep(ASK_AGAIN_S)
            if _is_answered(asking):
                return
            _forget(asking, interface, address)


def _is_answered(asking: socket.socket) -> bool:
    """Whether the other end has said that nobody listens there; if not, it is asked."""
    try:
        asking.send(b"")
    except ConnectionRefusedError:
        return True
    except OSError:  # no buffer, or the answer to an ARP request that was lost: it is early yet
        return False
    return False


def _forget(asking: socket.socket, interface: str, address: str) -> None:
    """Have the next packet ask anew by ARP, which the kernel would repeat after a second only."""
    number = int.from_bytes(socket.inet_aton(address), "little")
    request = _ARPREQ.pack(socket.AF_INET, 0, number, 0, interface.encode())
    try:
        fcntl.ioctl(asking, _SIOCDARP, request)
    except OSError:  # nothing is known of the address
        return
