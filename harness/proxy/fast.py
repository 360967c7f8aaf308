"""The fast way of a relay: bytes move through a borrowed buffer, and no item is made of them.

Two pumps share the work. The second one runs in the proxy's nursery, and a fault interrupts by
hand: a nursery and a cancel scope for each connection would be most of what an idle one costs.
"""

from __future__ import annotations

from contextlib import suppress
from typing import Protocol

import trio

from harness.connection import Connection, EndState
from harness.fabric import Bell, Wire
from harness.proxy.buffers import Buffers
from harness.timeline import Direction, Side

UP, DOWN = Direction.UPSTREAM, Direction.DOWNSTREAM
TURNS_LIMIT = 8
"""After so many buffers without waiting, a busy connection lets others run."""
SHORT_BYTES = 16 * 1024
"""A shorter read has most likely emptied the socket, so another would be in vain."""
READABLE = frozenset({EndState.OPEN, EndState.WE_DONE})
"""The states in which an end may still send something."""


class Owner(Protocol):
    """Who is told when an end is over."""

    def note_ended(self, side: Side, how: str) -> None:
        """This end sent FIN or RST, or its socket failed: ``how`` is fin or reset."""


class FastWay:
    """Pumps both directions of a connection until an end is over or somebody interrupts."""

    __slots__ = ("_buffers", "_connection", "_nursery", "_owner", "_wires", "is_on")

    def __init__(
        self,
        connection: Connection,
        client: Wire,
        backend: Wire,
        nursery: trio.Nursery,
        buffers: Buffers,
        owner: Owner,
    ) -> None:
        self.is_on = False
        self._connection = connection
        self._wires = {Side.CLIENT: client, Side.BACKEND: backend}
        self._nursery = nursery
        self._buffers = buffers
        self._owner = owner

    async def run(self) -> None:
        """Pump both directions until they end or a fault comes."""
        self.is_on, both_over = True, Bell()
        self._nursery.start_soon(self._pump_and_ring, UP, both_over)
        await self._pump(DOWN)
        await both_over.wait()
        self.is_on = False

    def interrupt(self) -> None:
        """Let both pumps end: what they would read belongs to the careful way."""
        self.is_on = False
        for wire in self._wires.values():
            wire.interrupt()

    async def _pump_and_ring(self, direction: Direction, bell: Bell) -> None:
        try:
            await self._pump(direction)
        finally:
            bell.ring()

    async def _pump(self, direction: Direction) -> None:
        """Move bytes one way until an end is over."""
        source = self._wires[direction.source]
        if self._connection.ends[direction.source] not in READABLE:
            return
        while True:
            buffer = self._buffers.borrow()
            try:
                ended = await self._move(direction, buffer)
            finally:
                self._buffers.give_back(buffer)
            if ended is not None:
                self._owner.note_ended(*ended)
                return
            if not self.is_on:
                return
            try:
                await source.wait_readable()
            except trio.ClosedResourceError:
                return

    async def _move(self, direction: Direction, buffer: memoryview) -> tuple[Side, str] | None:
        """Move what is there; which end is over and how, or None if nothing more has arrived."""
        source, sink = self._wires[direction.source], self._wires[direction.sink]
        turns = 0
        while self.is_on:
            try:
                count = source.recv_into(buffer)
            except BlockingIOError:
                break
            except OSError:
                return direction.source, "reset"
            if not count:
                return direction.source, "fin"
            self._connection.count(direction, count, trio.current_time())
            try:
                sent = sink.send(buffer[:count])
            except BlockingIOError:
                sent = 0
            except OSError:
                return direction.sink, "reset"
            if sent < count and not await self._send_rest(direction, buffer[sent:count]):
                return direction.sink, "reset"
            if count < SHORT_BYTES:
                break
            turns += 1
            if turns % TURNS_LIMIT == 0:
                await trio.lowlevel.checkpoint()
        return None

    async def _send_rest(self, direction: Direction, rest: memoryview) -> bool:
        """Send what the kernel didn't take at once; False if the peer is gone.

        If a fault comes meanwhile, the careful way sends it: nothing is lost.
        """
        sink = self._wires[direction.sink]
        while rest and self.is_on:
            try:
                rest = rest[sink.send(rest) :]
            except BlockingIOError:
                with suppress(trio.ClosedResourceError):  # interrupted, or the next send will tell
                    await sink.wait_writable()
            except OSError:
                return False
        self._connection.links[direction].push(bytes(rest), trio.current_time())
        return True
