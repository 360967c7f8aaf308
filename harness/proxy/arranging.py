"""Which means performs a fault: pure.

On one machine's loopback, and in virtual time, there is nothing to choose. Where links are a
kernel's, a fault that only shapes a whole link is the kernel's to perform: netem, tbf or htb, as
far as the kernel has them and they have the words. What they can't do, the packet router does with
the same parameters, and with it whatever strikes single packets or connections. A fault that also
works on bytes is the proxy's if it speaks of single connections, or if there is nobody else.

A link has one netem, in which each of these can be told once: a delay (``latency``, ``reorder``),
``loss``, ``duplicate``, ``corrupt_packet``; and one bucket, for ``bandwidth``. A second fault that
may be at work together with the first, on the same packets and about the same thing, is the
router's. A bucket is tbf's where each link has a capacity of its own, and htb's where one is
``shared``; what two directions or both sides share, no kernel's interface sees, so that is the
router's as well.
"""

from __future__ import annotations

from collections.abc import Sequence
from typing import Literal, NamedTuple

from harness.errors import SetupError
from harness.faults import (
    RUN_TRIGGERS,
    Fault,
    FaultSpec,
    HostFault,
    LinkStreamFault,
    ListenFault,
    PacketFault,
    ShapingFault,
    SocketFault,
)
from harness.shape import Means, Shape
from harness.timeline import Side

KERNEL_MEANS: frozenset[Means] = frozenset({"netem", "tbf", "htb"})
"""What shapes a link without being asked about packets."""


class Arranged(NamedTuple):
    """A fault, and what performs it."""

    spec: FaultSpec
    means: Means | Literal[""]


def arrange(
    spec: FaultSpec,
    means: frozenset[Means],
    others: Sequence[Arranged] = (),
    unlinked: frozenset[Side] = frozenset(),
) -> Means | Literal[""]:
    """What performs a fault where these means are; "" where there are none to choose from.

    ``others`` are the faults arranged before it, ``unlinked`` the sides whose packets pass no
    link. Raises SetupError if it needs the packet router, and there is none.
    """
    if not means:
        return ""
    found = _host_or_port(spec.fault) or _kernels(spec, means, others, unlinked)
    if found is not None:
        return found
    on_bytes = isinstance(spec.fault, LinkStreamFault)
    if on_bytes and "router" in means and shapes_link(spec, unlinked):
        return "router"
    if on_bytes or not isinstance(spec.fault, PacketFault):
        return "proxy"
    if "router" not in means:
        raise SetupError(f"{spec.name} needs the packet router, which {_NO_TUN}")
    return "router"


_NO_TUN = (
    "needs a TUN device, and /dev/net/tun can't be used here: modprobe tun, or give a container "
    "--device /dev/net/tun; `harness doctor` says more"
)


def _host_or_port(fault: Fault) -> Means | None:
    if isinstance(fault, HostFault | SocketFault):
        return "host"
    return "port" if isinstance(fault, ListenFault) and fault.LISTENS == "full" else None


def link_sides(spec: FaultSpec, unlinked: frozenset[Side] = frozenset()) -> frozenset[Side]:
    """On which sides a fault strikes links.

    One that works on bytes as well strikes a connection once, so one side: the client's, or the
    backend's if the client has no link.
    """
    if not isinstance(spec.fault, LinkStreamFault):
        return spec.sides - unlinked
    return frozenset([side for side in (Side.CLIENT, Side.BACKEND) if side not in unlinked][:1])


def shapes_link(spec: FaultSpec, unlinked: frozenset[Side] = frozenset()) -> bool:
    """Whether it shapes all that passes a link, since no condition speaks of a connection."""
    shaping = isinstance(spec.fault, ShapingFault) and spec.when.given() <= RUN_TRIGGERS
    return shaping and bool(link_sides(spec, unlinked))


def _kernels(
    spec: FaultSpec,
    means: frozenset[Means],
    others: Sequence[Arranged],
    unlinked: frozenset[Side],
) -> Means | None:
    """Which of the kernel's disciplines performs it, if any can."""
    fault = spec.fault
    if not isinstance(fault, ShapingFault) or not shapes_link(spec, unlinked):
        return None
    at_kernel = [other.spec for other in others if other.means in KERNEL_MEANS]
    if any(_collide(spec, other, unlinked) for other in at_kernel):
        return None
    ways = len(link_sides(spec, unlinked)) * len(spec.effect_directions())
    able = [kind for kind in _able(fault.shape(), ways) if kind in means]
    return next(iter(able), None)


def _able(shape: Shape, ways: int) -> tuple[Means, ...]:
    """The disciplines that have words for a shape, the fittest first."""
    if shape.rate_bytes_per_s is None:
        return () if shape.loss_every or shape.gap > 1 else ("netem",)
    if shape.shared:
        return ("htb",) if ways == 1 else ()
    return ("tbf", "htb")


def _collide(one: FaultSpec, other: FaultSpec, unlinked: frozenset[Side]) -> bool:
    """Whether two faults may ask the same thing of the same link at the same time."""
    phases = {one.when.during, other.when.during}
    if None not in phases and len(phases) == 2:
        return False
    return bool(
        _aspects(one) & _aspects(other)
        and link_sides(one, unlinked) & link_sides(other, unlinked)
        and {*one.effect_directions()} & {*other.effect_directions()}
    )


def _aspects(spec: FaultSpec) -> frozenset[str]:
    """What of a discipline a fault needs for itself."""
    assert isinstance(spec.fault, ShapingFault)
    shape = spec.fault.shape()
    needs = {
        "delay": shape.delay_s or shape.jitter_s,
        "loss": shape.loss or shape.bursts,
        "duplicate": shape.duplicate,
        "corrupt": shape.corrupt,
        "rate": shape.rate_bytes_per_s,
    }
    return frozenset(name for name, need in needs.items() if need)
