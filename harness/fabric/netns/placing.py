"""Which interfaces a shaping concerns, what they do together, and what was struck: pure."""

from __future__ import annotations

from collections.abc import Iterable, Iterator
from dataclasses import dataclass, fields, replace
from typing import NamedTuple

from harness.fabric.netns.layout import BACK, FRONT, Layout
from harness.shape import Shape, Shaping
from harness.timeline import Direction, Side

NOTHING = Shape()


class Place(NamedTuple):
    """An interface through which packets leave: of a router, or of the proxy's host."""

    namespace: str
    interface: str


@dataclass(frozen=True, slots=True)
class Reading:
    """What had been counted at a place, at some instant.

    Packets that passed tell of delay and capacity, netem's drops of loss, and of reordering those
    that it didn't send early. It counts neither copies nor damage, but the receiving kernel does:
    segments that it had already, and checksums that are wrong.
    """

    passed: int = 0
    lost: int = 0
    early: int = 0
    through_bucket: int = 0
    copies: int = 0
    damaged: int = 0

    def since(self, before: Reading) -> Reading:
        """What has been added; nothing where a counter was begun anew."""
        pairs = ((getattr(self, f.name), getattr(before, f.name)) for f in fields(Reading))
        return Reading(*(max(0, now - then) for now, then in pairs))

    def struck(self, shape: Shape) -> int:
        """How many of these packets a fault of this shape has struck."""
        if shape.rate_bytes_per_s is not None:
            return self.through_bucket
        if shape.loss or shape.bursts is not None:
            return self.lost
        if shape.duplicate:
            return self.copies
        if shape.corrupt:
            return self.damaged
        return max(0, self.passed - self.early) if shape.reorder else self.passed


def places(layout: Layout, shaping: Shaping) -> Iterator[Place]:
    """Where the packets leave that a shaping concerns.

    A capacity that is shared is that of the proxy's own link, which all packets of a side pass.
    """
    for side in Side:
        for direction in Direction:
            if side in shaping.sides and direction in shaping.directions:
                own = _at_proxy(layout, side, direction) if shaping.shape.shared else ()
                yield from own or (Place(*leaving) for leaving in layout.egress(side, direction))


def _at_proxy(layout: Layout, side: Side, direction: Direction) -> tuple[Place, ...]:
    """The interface of the proxy's host through which it sends such packets itself, if any."""
    own = Place(layout.proxy_host, FRONT if side is Side.CLIENT else BACK)
    known = any((link.host, link.interface) == own for link in layout.uplinks)
    return (own,) if known and direction is side.inbound else ()


def receiver(layout: Layout, place: Place) -> str:
    """The host that a router's interface leads to; where packets leave a host, none: ""."""
    for link in layout.uplinks:
        if (link.router, link.port) == place:
            return link.host
    return ""


def merged(shapes: Iterable[Shape]) -> Shape:
    """One shape that does what all do; where two speak of the same thing, the later."""
    whole = NOTHING
    for shape in shapes:
        given = {f.name: getattr(shape, f.name) for f in fields(Shape)}
        told = {name: value for name, value in given.items() if value != getattr(NOTHING, name)}
        whole = replace(whole, **told)
    return whole


def kinds(wanted: Iterable[str], standing: tuple[str, ...]) -> tuple[str, ...]:
    """What shall stand on an interface, from the root down: what is wanted, and what is there."""
    together = {*wanted, *standing}
    buckets = [kind for kind in ("tbf", "htb") if kind in together]
    chosen = [kind for kind in buckets if kind in wanted] or buckets
    return (*(["netem"] if "netem" in together else []), *chosen[:1])
