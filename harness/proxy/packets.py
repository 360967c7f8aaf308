"""What becomes of each packet, where the fabric has packets: pure.

A packet fault strikes in one of two ways. On a *link*, while its window is open, it sees all
packets on its side of the proxy, connects included. On a *flow*, it sees the packets of one
connection from the instant at which its trigger fired there (``strike``). Every fault that sees a
packet is asked, in the scenario's order. The first that takes it away, refuses or forges decides;
as long as none does, delays, copies and damage add up.

A fault has fired once a packet has met with something: for each flow once, and once more for each
new occasion. A trigger that fired on a connection where nothing was sent any more shows nothing.
"""

from __future__ import annotations

import math
from collections import OrderedDict
from collections.abc import Callable, Iterable
from dataclasses import dataclass, field
from typing import NamedTuple, TypeAlias, TypeVar

from harness.faults import LinkStreamFault, PacketFault, PacketPolicy
from harness.packet import Fate, Forwarded, Packet, PacketKind
from harness.proxy.charge import Charge
from harness.timeline import Direction, Side
from harness.trigger import Scene

FLOWS_LIMIT = 65_536
"""So many flows are known by name; the oldest are forgotten first."""
UNTOUCHED = Forwarded()

T = TypeVar("T")


class FlowKey(NamedTuple):
    """A flow as the proxy knows it: the side it is on, and the port of who dialed."""

    side: Side
    port: int


Tell: TypeAlias = Callable[[Charge, float, int, str], None]
"""Takes the fault that struck, the instant, the connection's ordinal (0: unknown) and where."""


@dataclass(slots=True, eq=False)
class Occasion:
    """A packet fault at work from one instant on, and whom it has struck."""

    charge: Charge
    policy: PacketPolicy
    began: float
    until: float = math.inf
    phase_ordinal: int = 0
    struck: OrderedDict[FlowKey, None] = field(default_factory=OrderedDict)

    def is_over(self, scene: Scene, now: float) -> bool:
        """Whether a strike lets go: healed, its time is up or its phase has passed."""
        if self.charge.healed or now >= self.until:
            return True
        during = self.charge.spec.when.during
        return during is not None and scene.phase_ordinal != self.phase_ordinal


class _Post(NamedTuple):
    """Where a fault stands: asked for every packet, so looked up once."""

    charge: Charge
    on_link: bool
    sides: frozenset[Side]
    directions: tuple[Direction, ...]


class PacketSite:
    """The packet faults of one run."""

    def __init__(self, scene: Scene, tell: Tell) -> None:
        self._posts: list[_Post] = []
        self._scene = scene
        self._tell = tell
        self._links: dict[int, Occasion] = {}
        self._strikes: OrderedDict[FlowKey, dict[int, Occasion]] = OrderedDict()
        self._ordinals: OrderedDict[FlowKey, int] = OrderedDict()

    @property
    def is_used(self) -> bool:
        """Whether there is any packet fault."""
        return bool(self._posts)

    # --- what the proxy tells ---------------------------------------------------------------

    def add(self, charges: Iterable[Charge]) -> None:
        """Let the packet faults among these work."""
        for charge in charges:
            by_filter = charge.means == "" and isinstance(charge.spec.fault, PacketFault)
            if by_filter or charge.means == "router":
                directions = charge.spec.effect_directions()
                self._posts.append(_Post(charge, charge.on_link, charge.sides, directions))

    def name(self, flow: FlowKey, ordinal: int) -> None:
        """Note to which connection a flow belongs."""
        _remember(self._ordinals, flow, ordinal)

    def strike(self, charge: Charge, flows: Iterable[FlowKey], now: float, until: float) -> None:
        """Let a fault work on single flows from now on; those of its sides are taken."""
        for flow in flows:
            if flow.side in charge.sides:
                occasion = self._begin(charge, now, until)
                _remember(self._strikes, flow, self._strikes.get(flow, {}))
                self._strikes[flow][charge.index] = occasion

    # --- what the fabric asks ---------------------------------------------------------------

    def on_packet(self, packet: Packet, now: float) -> Fate | None:
        """What becomes of a packet, or None if no fault concerns it."""
        flow = FlowKey(packet.flow.side, packet.flow.client[1])
        if packet.kind is PacketKind.SYN and packet.attempt == 0:
            self._forget(flow)  # the port's former connection is no more
        answers: list[tuple[Occasion, Fate]] = []
        for post in self._posts:
            occasion = self._occasion(post, flow, packet.direction, now)
            fate = None if occasion is None else occasion.policy.on_packet(packet, now)
            if fate is not None and occasion is not None:
                answers.append((occasion, fate))
        return self._decided(answers, flow, packet, now) if answers else None

    def _decided(
        self, answers: list[tuple[Occasion, Fate]], flow: FlowKey, packet: Packet, now: float
    ) -> Fate:
        """What the answers come to; the faults that have a part in it have struck."""
        taken = next((answer for answer in answers if not _lets_by(answer[1])), None)
        together = UNTOUCHED
        for occasion, fate in answers if taken is None else [taken]:
            if fate != UNTOUCHED:
                self._note(occasion, flow, packet, now)
            if isinstance(fate, Forwarded) and taken is None:
                together = _both(together, fate)
        return together if taken is None else taken[1]

    def _occasion(
        self, post: _Post, flow: FlowKey, direction: Direction, now: float
    ) -> Occasion | None:
        """The fault's present work that sees this flow's packets, if any."""
        charge = post.charge
        if charge.healed or flow.side not in post.sides or direction not in post.directions:
            return None
        if post.on_link:
            return self._on_link(charge, flow, now)
        occasion = self._strikes.get(flow, {}).get(charge.index)
        if occasion is None or not occasion.is_over(self._scene, now):
            return occasion
        del self._strikes[flow][charge.index]
        return None

    def _on_link(self, charge: Charge, flow: FlowKey, now: float) -> Occasion | None:
        if not charge.in_window(self._scene, now):
            return None
        began = charge.opened(self._scene)
        occasion = self._links.get(charge.index)
        if occasion is None or occasion.began != began:
            occasion = self._links[charge.index] = self._begin(charge, began)
        if flow in occasion.struck:
            return occasion
        used_up = charge.fired >= charge.spec.when.limit
        return None if used_up or not charge.lucky("flow", *flow) else occasion

    def _begin(self, charge: Charge, began: float, until: float = math.inf) -> Occasion:
        fault, draws = charge.spec.fault, charge.draws.scoped("packets")
        if isinstance(fault, LinkStreamFault):
            policy = fault.link_policy(draws, began)
        else:
            assert isinstance(fault, PacketFault)
            policy = fault.policy(draws, began)
        return Occasion(charge, policy, began, until, self._scene.phase_ordinal)

    def _note(self, occasion: Occasion, flow: FlowKey, packet: Packet, now: float) -> None:
        """Tell that a fault struck a flow, once."""
        if flow in occasion.struck:
            return
        _remember(occasion.struck, flow, None)
        again = f", attempt {packet.attempt}" if packet.attempt else ""
        place = f"{packet.direction} {packet.kind} at byte {packet.offset}{again}"
        where = f"{flow.side} side, port {flow.port}, {place}"
        self._tell(occasion.charge, now, self._ordinals.get(flow, 0), where)

    def _forget(self, flow: FlowKey) -> None:
        self._ordinals.pop(flow, None)
        self._strikes.pop(flow, None)
        for occasion in self._links.values():
            occasion.struck.pop(flow, None)


def _lets_by(fate: Fate) -> bool:
    return isinstance(fate, Forwarded) and bool(fate.delays_s)


def _both(first: Forwarded, second: Forwarded) -> Forwarded:
    """What becomes of a packet to which both happen."""
    if first == UNTOUCHED:
        return second
    return Forwarded(
        tuple(one + other for one in first.delays_s for other in second.delays_s),
        in_order=first.in_order and second.in_order,
        damaged=first.damaged or second.damaged,
    )


def _remember(known: OrderedDict[FlowKey, T], flow: FlowKey, value: T) -> None:
    """Keep something about a flow, and drop the oldest if that is one too many."""
    known[flow] = value
    known.move_to_end(flow)
    if len(known) > FLOWS_LIMIT:
        known.popitem(last=False)
