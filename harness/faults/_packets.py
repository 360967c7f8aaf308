"""What packet faults share: a bounded memory of flows, and chance that is keyed by the packet."""

from __future__ import annotations

from collections import OrderedDict
from collections.abc import Callable
from dataclasses import dataclass, field
from random import Random
from typing import Generic, TypeVar

from harness.packet import Packet, PacketKind
from harness.timeline import Direction, Draws

FLOWS_LIMIT = 65_536
"""So many flows are remembered, more than one address has ports; the longest silent go first."""

T = TypeVar("T")


def opens_flow(packet: Packet) -> bool:
    """Whether a flow begins with this packet: what is known of its ports belongs to another."""
    return packet.kind is PacketKind.SYN and packet.attempt == 0


class Flows(Generic[T]):
    """Something remembered for each flow; made anew when a flow begins or was forgotten."""

    def __init__(self, make: Callable[[], T], limit: int = FLOWS_LIMIT) -> None:
        self._make = make
        self._limit = limit
        self._known: OrderedDict[object, T] = OrderedDict()

    def __len__(self) -> int:
        return len(self._known)

    def of(self, packet: Packet) -> T:
        """What is remembered of the packet's flow."""
        return self._of(packet.flow, anew=opens_flow(packet))

    def _of(self, key: object, *, anew: bool) -> T:
        if anew or key not in self._known:
            self._known[key] = self._make()
        self._known.move_to_end(key)
        if len(self._known) > self._limit:
            self._known.popitem(last=False)
        return self._known[key]


class Ways(Flows[T]):
    """Something remembered for each way that packets take to a host, all flows together."""

    def of(self, packet: Packet) -> T:
        """What is remembered of the way that leads to the packet's receiver."""
        flow, upstream = packet.flow, packet.direction is Direction.UPSTREAM
        receiver = flow.server if upstream else flow.client
        return self._of((flow.side, packet.direction, receiver[0]), anew=False)


@dataclass(slots=True)
class _Birth:
    seen: bool = False


class NewFlows:
    """Tells flows that began while somebody looked from those that were there before."""

    def __init__(self, *, retries: bool) -> None:
        """With ``retries`` a repeated SYN begins a flow as well, as it would at a server."""
        self._retries = retries
        self._births = Flows(_Birth)

    def __len__(self) -> int:
        return len(self._births)

    def has(self, packet: Packet) -> bool:
        """Whether the packet's flow is new."""
        birth = self._births.of(packet)
        if opens_flow(packet) or (self._retries and packet.kind is PacketKind.SYN):
            birth.seen = True
        return birth.seen


@dataclass(slots=True)
class _Repeats:
    """How often each kind of packet was seen in a row at one place of the stream."""

    seen: dict[tuple[PacketKind, Direction], tuple[tuple[int, int], int]] = field(
        default_factory=dict
    )

    def count(self, packet: Packet) -> int:
        """How many packets exactly like this one came before it in a row."""
        key, place = (packet.kind, packet.direction), (packet.offset, packet.attempt)
        last, times = self.seen.get(key, (None, 0))
        times = times + 1 if last == place else 0
        self.seen[key] = (place, times)
        return times


class PacketDraws:
    """Random decisions about packets, each keyed by what the packet is.

    Neither the clock nor what other flows do can change them. Packets that nothing tells apart,
    such as two acknowledgements while the sender is silent, are counted.
    """

    def __init__(self, draws: Draws) -> None:
        self._draws = draws
        self._repeats = Flows(_Repeats)

    def random(self, packet: Packet) -> Random:
        """The generator that belongs to this packet alone."""
        flow = packet.flow
        return self._draws.random(
            packet.kind,
            packet.direction,
            packet.offset,
            packet.attempt,
            self._repeats.of(packet).count(packet),
            flow.side,
            flow.client[1],
        )

    def chance(self, probability: float, packet: Packet) -> bool:
        """True with ``probability``; one draw for each packet, so ask once."""
        return self.random(packet).random() < probability
