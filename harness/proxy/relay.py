"""Moving bytes between the two ends of one connection, and performing what the core decides.

There are two ways to do it. While no fault waits or works and both ends are bare TCP, the *fast*
way (``fast``) moves bytes without making items of them. Otherwise the *careful* way, here, hands
everything to ``Connection`` and performs what is due. Both may take turns on a live connection,
because a fault can come and go.

Rules both ways keep: one object owns both ends; nothing is read while the other side can't take
it, so back-pressure reaches the sender; nothing polls.
"""

from __future__ import annotations

from collections.abc import Callable
from functools import partial

import trio

from harness.connection import Armed, Connection, Fired
from harness.fabric import Alarm, Bell, Fabric
from harness.proxy.buffers import Buffers
from harness.proxy.ends import End, PlainEnd
from harness.proxy.fast import READABLE, FastWay
from harness.proxy.packets import FlowKey
from harness.timeline import Data, Direction, Fin, Item, Reset, Side

UP, DOWN = Direction.UPSTREAM, Direction.DOWNSTREAM


class Relay:
    """One live connection: the core's decisions and the two ends they are performed on."""

    __slots__ = (
        "_bells",
        "_clock",
        "_clock_until",
        "_fabric",
        "_fast",
        "_on_client_end",
        "_on_fired",
        "_rooms",
        "_sends",
        "connection",
        "ends",
    )

    def __init__(
        self,
        connection: Connection,
        client: End,
        backend: End,
        *,
        nursery: trio.Nursery,
        fabric: Fabric,
        buffers: Buffers,
        on_fired: Callable[[Fired], None],
        on_client_end: Callable[[str], None],
    ) -> None:
        self.connection = connection
        self.ends = {Side.CLIENT: client, Side.BACKEND: backend}
        self._fabric = fabric
        self._on_fired = on_fired
        self._on_client_end = on_client_end
        self._bells: dict[Direction, Bell] = {}
        self._rooms: dict[Direction, Bell] = {}
        self._clock: Bell | None = None
        self._clock_until = 0.0
        self._sends: dict[Direction, tuple[Item, trio.CancelScope]] = {}
        self._fast = FastWay(connection, client.wire, backend.wire, nursery, buffers, self)

    async def run(self) -> None:
        """Relay until both ends are over; closes both whatever happens."""
        try:
            while not self.connection.is_over:
                if self._may_be_fast:
                    await self._fast.run()
                else:
                    await self._run_careful()
        finally:
            for end in self.ends.values():
                end.wire.close()

    @property
    def flows(self) -> tuple[FlowKey, FlowKey]:
        """The TCP connections it joins, by who dialed: the client, and we."""
        client, backend = self.ends[Side.CLIENT].wire, self.ends[Side.BACKEND].wire
        return FlowKey(Side.CLIENT, client.peer_port), FlowKey(Side.BACKEND, backend.local_port)

    @property
    def _may_be_fast(self) -> bool:
        bare = all(isinstance(end, PlainEnd) and end.is_bare for end in self.ends.values())
        return bare and self.connection.is_plain

    # --- orders from outside ----------------------------------------------------------------

    def attach(self, armed: Armed, now: float) -> None:
        """Put a fault to work on the live connection."""
        self.connection.attach(armed, now)
        self.wake()

    def heal(self, armed: Armed, now: float) -> None:
        """Take a fault away from the live connection."""
        self.connection.heal(armed, now)
        self.wake()

    def end(self, by: str, how: Fin | Reset, now: float) -> None:
        """End the connection from here."""
        self.connection.close(by, how, now)
        self.wake()

    def wake(self) -> None:
        """Something changed: look again at what is due."""
        if self._fast.is_on and not self.connection.is_plain:
            self._fast.interrupt()
        for room in self._rooms.values():
            room.ring()
        self._ring()

    # --- what an end tells ------------------------------------------------------------------

    def note_ended(self, side: Side, how: str) -> None:
        """An end is over, or half of it: tell the core and perform what follows.

        What must wait until bytes have left is left to the careful way.
        """
        self._note_end(side, how)
        for direction in (UP, DOWN, UP):  # what one does may be followed by something in the other
            if not self._settle(direction):
                self._fast.interrupt()

    def _note_end(self, side: Side, how: str, *, notify: bool = True) -> None:
        now = trio.current_time()
        if side is Side.CLIENT and not self.connection.ends[side].is_over:
            self._on_client_end(how)
        if how == "reset":
            if self.connection.ends[side] in READABLE:
                for payload in self.ends[side].leftovers():
                    self.connection.receive(side.inbound.opposite, payload, now)
            self.connection.receive_reset(side, now)
        else:
            self.connection.receive_fin(side, now, notify=notify)

    # --- at once ----------------------------------------------------------------------------

    def _settle(self, direction: Direction) -> bool:
        """Perform what is due and needs no waiting; whether nothing that is due is left."""
        link, side = self.connection.links[direction], direction.sink
        end = self.ends[side]
        if link.next_due() is None:
            return True
        if direction in self._sends or not isinstance(end, PlainEnd):
            return False  # its task is at it, or may have to wait for TLS
        for item in link.take_due(trio.current_time()):
            rest = self._perform_at_once(side, end, item)
            if rest is not None:
                link.put_back(rest)
                return False
        return True

    def _perform_at_once(self, side: Side, end: PlainEnd, item: Item) -> Item | None:
        """What of an item must wait; None if nothing must."""
        state = self.connection.ends[side]
        if state.is_over:
            return None
        try:
            if isinstance(item, Data):
                sent = end.try_send(item.payload) if state.can_send else len(item.payload)
                return None if sent == len(item.payload) else item.split(sent)[1]
            if not end.try_end(item):
                return item
            self.connection.performed(side, item, trio.current_time())
        except ConnectionResetError:
            self._note_end(side, "reset")
        return None

    # --- the careful way --------------------------------------------------------------------

    async def _run_careful(self) -> None:
        """Read and write each direction in tasks of their own, and one that keeps time."""
        self._bells = {UP: Bell(), DOWN: Bell()}
        self._rooms = {UP: Bell(), DOWN: Bell()}
        self._clock = Bell()
        self._sends.clear()
        async with trio.open_nursery() as nursery:
            for direction in (UP, DOWN):
                nursery.start_soon(self._read, direction)
                nursery.start_soon(self._write, direction)
            await self._keep_time()
            nursery.cancel_scope.cancel()
        self._bells, self._rooms, self._clock = {}, {}, None

    async def _read(self, direction: Direction) -> None:
        connection, side = self.connection, direction.source
        end, link, room = self.ends[side], connection.links[direction], self._rooms[direction]
        while connection.ends[side] in READABLE:
            if not link.has_room:
                await room.wait()
                continue
            try:
                payload = await end.receive()
            except trio.ClosedResourceError:
                return
            except ConnectionResetError:
                self._note_end(side, "reset")
            else:
                if payload:
                    connection.receive(direction, payload, trio.current_time())
                else:
                    self._note_end(side, "fin", notify=not end.ragged)
            self._follow_up()

    def _follow_up(self) -> None:
        """Perform what is due now, and wake only whom it concerns: each task woken is a delay."""
        self._report_fired()  # before a byte leaves: it may be its packet that is struck
        for direction in (UP, DOWN):
            self._settle(direction)
        self._report_fired()
        for direction, bell in self._bells.items():
            if not self.connection.links[direction].is_empty:
                bell.ring()
        deadline = self.connection.next_deadline(trio.current_time())
        if self._nears_its_end or (deadline is not None and deadline < self._clock_until):
            self._ring_clock()

    @property
    def _nears_its_end(self) -> bool:
        """Whether the careful way may soon be done with, which the timekeeper must see."""
        links = self.connection.links
        ends = links[UP].ended is not None or links[DOWN].ended is not None
        return ends or not self.connection.works

    async def _write(self, direction: Direction) -> None:
        """Perform what is due in one direction."""
        connection, bell = self.connection, self._bells[direction]
        link = connection.links[direction]
        while True:
            for item in connection.take_due(direction, trio.current_time()):
                with trio.CancelScope() as scope:
                    self._sends[direction] = item, scope
                    await self._perform(direction, item)
                del self._sends[direction]
                self._rooms[direction].ring()
                self._ring_clock()
            await self._wait(bell, link.next_due(), partial(self._come_due, direction))

    async def _keep_time(self) -> None:
        """Let the core act when it wants to; returns once the careful way is done with."""
        connection = self.connection
        while True:
            now = trio.current_time()
            before = [
                (bell, connection.links[d], connection.links[d].next_due())
                for d, bell in self._bells.items()
            ]
            connection.tick(now)
            for bell, link, due in before:
                if link.next_due() != due:
                    bell.ring()
            self._report_fired()
            for direction, (item, scope) in self._sends.items():
                if connection.links[direction].is_cut and not isinstance(item, Reset):
                    scope.cancel()  # the peer doesn't read: a reset doesn't wait for it
            if connection.is_over or (self._may_be_fast and not self._sends):
                return
            assert self._clock is not None
            deadline = connection.next_deadline(now)
            self._clock_until = _FOREVER if deadline is None else deadline
            await self._wait(self._clock, deadline, self._clock.ring)
            self._clock_until = 0.0

    def _come_due(self, direction: Direction) -> None:
        """An item's time has come: perform it from here, then let the tasks see to what follows."""
        self._settle(direction)
        if not self.connection.links[direction].is_empty:
            self._bells[direction].ring()
        self._rooms[direction].ring()
        if self._nears_its_end:
            self._ring_clock()

    async def _wait(self, bell: Bell, until: float | None, call: Callable[[], None]) -> None:
        """Wait for a ring, and make the call if the time comes first."""
        alarm: Alarm | None = None
        if until is not None and until < _FOREVER:
            alarm = self._fabric.call_at(until, call)
        try:
            await bell.wait()
        finally:
            if alarm is not None:
                alarm.cancel()

    def _ring(self) -> None:
        for direction, bell in self._bells.items():
            if not self.connection.links[direction].is_empty:
                bell.ring()
        self._ring_clock()

    def _ring_clock(self) -> None:
        if self._clock is not None:
            self._clock.ring()

    async def _perform(self, direction: Direction, item: Item) -> None:
        side = direction.sink
        if self.connection.ends[side].is_over:
            return
        end = self.ends[side]
        try:
            match item:
                case Data():
                    if self.connection.ends[side].can_send:
                        await end.send(item.payload)
                case Fin():
                    await end.finish(full=item.full, notify=item.notify)
                    self.connection.performed(side, item, trio.current_time())
                case Reset():
                    await end.reset()
                    self.connection.performed(side, item, trio.current_time())
        except trio.ClosedResourceError:
            return
        except ConnectionResetError:
            self._note_end(side, "reset")
            self._ring()

    def _report_fired(self) -> None:
        for fired in self.connection.take_fired():
            self._on_fired(fired)


_FOREVER = 1e15
