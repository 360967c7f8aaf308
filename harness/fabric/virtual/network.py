"""A network in one process: hosts, ports and packets on their way, in virtual time.

All hosts live here and any address may be bound. Without a filter and a delay a packet arrives
while it is sent, as on a loopback device: what follows from it happens in a queue of work that
the outermost call drains, so that nothing is called from within itself. Everything later goes
through one heap; ``run_until`` moves the time. There is no clock, no chance and no order that
depends on where an object lies in memory, so the same calls have the same outcome.

What differs from Linux: ``::`` is for IPv6 alone, a socket that dials itself is refused, and so is
whoever dials an address to which nothing is bound.
"""

from __future__ import annotations

import errno
import weakref
from collections import deque
from collections.abc import Callable
from functools import partial
from typing import Protocol

from harness.fabric.virtual import linux
from harness.fabric.virtual.addresses import WILDCARDS, family_of
from harness.fabric.virtual.end import End
from harness.fabric.virtual.listener import Listener
from harness.fabric.virtual.ports import Ports
from harness.fabric.virtual.schedule import Due, Schedule
from harness.fabric.virtual.segment import Segment
from harness.fabric.virtual.states import State
from harness.fabric.virtual.talker import Talker
from harness.fabric.virtual.watching import Watcher
from harness.packet import Address, Flow, Forged, Packet, PacketFilter, PacketKind, Refusal
from harness.timeline import Direction, Side

__all__ = ["Due", "Network", "OpenSocket", "Watcher"]

PACKETS_MAX = 262_144
"""On their way at once; more are lost, as in a router whose queue is full."""
LINGERING_MAX = 4_096
"""Ends that only wait for stragglers; beyond this the oldest is forgotten."""
_FIRST_NUMBER = 2**20
_AT_ONCE = (0.0,)


class OpenSocket(Protocol):
    """What a network knows of a socket: see ``socket.Socket``."""

    closed: bool

    def fileno(self) -> int:
        """Its number."""

    def getsockname(self) -> Address:
        """The local address."""


class Network(Schedule):
    """Carries packets between sockets, ``mss_bytes`` of payload in each at most."""

    def __init__(self, *, mss_bytes: int = 65_483) -> None:
        super().__init__()
        self.mss_bytes = mss_bytes
        self.ports = Ports()
        self.source_host = "127.0.0.1"
        """Where IPv4 connections come from whose sockets are not bound."""
        self.dial_s = 0.0
        """How long SYN is on its way, so that time passes for who dials again and again."""
        self.watcher: Watcher | None = None
        self.plain = True
        """Neither a filter nor a delay is set."""
        self.lossy = False
        """A filter is set: packets may be lost."""
        self._filter: PacketFilter | None = None
        self._delay: Callable[[Packet], float] | None = None
        self._sides: dict[Address, Side] = {}
        self._listeners: dict[Address, Listener] = {}
        self._ends: dict[Direction, dict[Flow, End]] = {way: {} for way in Direction}
        self._lingering: deque[tuple[float, End]] = deque()
        self._work: deque[Callable[[], None]] = deque()
        self._is_working = False
        self._under_way = 0
        self._sockets: dict[int, weakref.ref[OpenSocket]] = {}
        self._numbers = _FIRST_NUMBER

    # --- what a fabric sets -----------------------------------------------------------------

    @property
    def filter(self) -> PacketFilter | None:
        """Asked for the fate of each packet."""
        return self._filter

    @filter.setter  # noqa: A003 - the property above, not the builtin
    def filter(self, ask: PacketFilter | None) -> None:
        was_lossy, self.lossy = self.lossy, ask is not None
        self._filter = ask
        self._set_plain()
        for end in [end for ends in self._ends.values() for end in ends.values()]:
            if self.lossy:
                end.watch_life()
            elif was_lossy:
                end.catch_up()

    @property
    def delay(self) -> Callable[[Packet], float] | None:
        """Says by how many seconds each packet is late, besides what the filter says."""
        return self._delay

    @delay.setter
    def delay(self, say: Callable[[Packet], float] | None) -> None:
        self._delay = say
        self._set_plain()

    def _set_plain(self) -> None:
        self.plain = self._filter is None and self._delay is None

    def expose(self, address: Address, side: Side) -> None:
        """From now on flows to this listener run on this side of the proxy (else: backend)."""
        self._sides[address[0], address[1]] = side

    def side_of(self, address: Address) -> Side:
        """On which side of the proxy a flow to this address runs."""
        for place in self._places(address):
            if place in self._sides:
                return self._sides[place]
        return Side.BACKEND

    # --- sockets ----------------------------------------------------------------------------

    def sockets(self) -> list[OpenSocket]:
        """The open ones, in the order of their creation."""
        return [sock for ref in self._sockets.values() if (sock := ref()) is not None]

    def enrol(self, socket: OpenSocket) -> int:
        """A number for a new socket; OSError EMFILE if there are too many."""
        if len(self._sockets) >= linux.SOCKETS_MAX:
            raise linux.error(errno.EMFILE)
        self._numbers += 1
        self._sockets[self._numbers] = weakref.ref(socket)
        return self._numbers

    def dismiss(self, number: int) -> None:
        """This socket is closed."""
        self._sockets.pop(number, None)

    def source_for(self, family: int) -> str:
        """The address from which an unbound socket connects."""
        return self.source_host if family == linux.AF_INET else "::1"

    # --- connections ------------------------------------------------------------------------

    def listen(self, listener: Listener) -> None:
        """Connections to its address are its business now."""
        self._listeners[listener.claim.host, listener.claim.port] = listener

    def unlisten(self, listener: Listener) -> None:
        """The port is closed; what nobody accepted is reset."""
        del self._listeners[listener.claim.host, listener.claim.port]
        for end in listener.drain():
            if end.state is State.SYN_RECEIVED:
                end.reset()
            else:
                end.abort()

    def dial(self, end: End, flow: Flow) -> None:
        """Connect an end; OSError EADDRNOTAVAIL if that very connection exists already."""
        self._forget_lingering()
        known = self._ends[Direction.UPSTREAM].get(flow)
        if known is not None and known.state is not State.CLOSED:
            raise linux.error(errno.EADDRNOTAVAIL)
        self._ends[Direction.UPSTREAM][flow] = end
        end.dial(flow)

    def other_end(self, end: End) -> End | None:
        """The end that this one is connected to, if it is still there."""
        assert end.flow is not None
        other = self._ends[end.direction.opposite].get(end.flow)
        return other if other is not None and other.flow is end.flow else None

    def admit(self, end: End) -> bool:
        """Queue a new connection for accept(); False if there is no room."""
        assert end.flow is not None
        listener = self._listener_at(end.flow.server)
        if listener is None or listener.is_full:
            return False
        listener.half_open.pop(end.flow, None)
        listener.put(end)
        return True

    def linger(self, end: End) -> None:
        """Keep an end that waits for nothing but stragglers for a while."""
        end.lingers_until = self.now + linux.TIME_WAIT_S
        self._lingering.append((end.lingers_until, end))
        if len(self._lingering) > LINGERING_MAX:
            self._lingering.popleft()[1].reset()

    def retire(self, end: End, *, knows_stragglers: bool) -> None:
        """Forget an end that is over: after TIME-WAIT if the other end may ask again, else now."""
        assert end.flow is not None
        if knows_stragglers:
            self.linger(end)
            return
        if end.claim is not None:
            self.ports.release(end.claim)
            end.claim = None
        ends = self._ends[end.direction]
        if ends.get(end.flow) is end:
            del ends[end.flow]
        if end.direction is Direction.DOWNSTREAM:
            listener = self._listener_at(end.flow.server)
            if listener is not None:
                listener.half_open.pop(end.flow, None)

    def _forget_lingering(self) -> None:
        while self._lingering and self._lingering[0][0] <= self.now:
            _, end = self._lingering.popleft()
            if end.lingers_until <= self.now:  # else it began anew since
                end.reset()

    def _listener_at(self, address: Address) -> Listener | None:
        for place in self._places(address):
            if place in self._listeners:
                return self._listeners[place]
        return None

    @staticmethod
    def _places(address: Address) -> tuple[Address, Address]:
        """The address and the wildcard of its family."""
        return address, (WILDCARDS[family_of(address[0])], address[1])

    # --- packets ----------------------------------------------------------------------------

    def transmit(self, segment: Segment, sender: Talker | None) -> None:
        """Send a segment; if it arrives at once, its answers come before this returns."""
        dial_s = self.dial_s if segment.kind is PacketKind.SYN else 0.0
        if self.plain:
            self._carry(segment, sender, self.now + dial_s, in_order=True)
            return
        packet = segment.packet()
        fate = self._filter(packet, self.now) if self._filter is not None else None
        if isinstance(fate, Refusal):
            if sender is not None:
                self._do(partial(sender.refused, segment, fate))
            return
        late_s = dial_s + (self._delay(packet) if self._delay is not None else 0.0)
        if fate is None or isinstance(fate, Forged):
            self._carry(segment, sender, self.now + late_s, in_order=True)
            if fate is not None:
                self._forge_resets(segment, sender, self.now + late_s)
        elif not fate.damaged:  # else its receiver throws it away: the checksum is wrong
            for delay_s in fate.delays_s:
                when = self.now + delay_s + late_s
                self._carry(segment, sender, when, in_order=fate.in_order)

    def _forge_resets(self, segment: Segment, sender: Talker | None, when: float) -> None:
        """End both ends in each other's name: no filter is asked, for no end has sent these."""
        there, back = segment.direction, segment.direction.opposite
        self._carry(Segment(PacketKind.RST, segment.flow, there), sender, when, in_order=True)
        self._carry(Segment(PacketKind.RST, segment.flow, back), None, when, in_order=False)

    def _carry(
        self, segment: Segment, sender: Talker | None, when: float, *, in_order: bool
    ) -> None:
        waits = when > self.now
        if sender is not None and in_order:
            waits = waits or sender.under_way_in_order > 0
            when = sender.ordered_until = max(when, sender.ordered_until)
        if not waits:
            self._do(partial(self._arrive, segment))
        elif self._under_way < PACKETS_MAX:
            self._under_way += 1
            if sender is not None:
                sender.under_way += 1
                sender.under_way_in_order += in_order
            self.call_at(when, partial(self._land, segment, sender, in_order))

    def _land(self, segment: Segment, sender: Talker | None, in_order: bool) -> None:
        self._under_way -= 1
        if sender is not None:
            sender.under_way -= 1
            sender.under_way_in_order -= in_order
        self._do(partial(self._arrive, segment))

    def _do(self, work: Callable[[], None]) -> None:
        """Do it now, or after what is being done now."""
        self._work.append(work)
        if self._is_working:
            return
        self._is_working = True
        try:
            while self._work:
                self._work.popleft()()
        finally:
            self._is_working = False

    def _arrive(self, segment: Segment) -> None:
        self._forget_lingering()
        end = self._ends[segment.direction.opposite].get(segment.flow)
        if end is not None and end.flow is segment.flow:
            end.arrive(segment)
        elif segment.kind is PacketKind.SYN:
            self._greet(segment, end)
        elif end is None and segment.kind is not PacketKind.RST:
            self._send_stray_reset(segment)

    def _greet(self, syn: Segment, former: End | None) -> None:
        """Answer SYN; a former connection of the same name is over (RFC 9293, section 3.10.7.4)."""
        if former is not None:
            former.reset()
        listener = self._listener_at(syn.flow.server)
        if listener is None:
            self._send_stray_reset(syn)
        elif listener.may_greet:
            end = End(self, listener.options.copied())
            end.claim = self.ports.share(listener.claim)
            listener.half_open[syn.flow] = self._ends[Direction.DOWNSTREAM][syn.flow] = end
            end.answer(syn)

    def _send_stray_reset(self, segment: Segment) -> None:
        """What belongs to no connection is answered by RST (RFC 9293, section 3.5.2)."""
        answer = Segment(
            PacketKind.RST, segment.flow, segment.direction.opposite, offset=segment.ack
        )
        self.transmit(answer, None)
