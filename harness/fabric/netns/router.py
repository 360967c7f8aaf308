"""The packet router: every packet that a host sends passes here, and its fate is carried out.

Each router that has hosts has a TUN device into which the kernel routes what comes from them. A
packet is read, asked about, and written back, whereupon the kernel forwards it as if it had just
come: at once, or when its time has come.

The time counts from when the packet came, as far as that is known. Whatever waits is read and
stamped before anything is decided, up to ``BATCH_PACKETS``, so that the last of a batch isn't late
by the work on those before it. The first of a batch had come when the event loop woke, even if
other tasks had their turn before its reader.
"""

from __future__ import annotations

from collections.abc import AsyncIterator, Callable
from contextlib import ExitStack, asynccontextmanager, suppress
from heapq import heappop, heappush
from itertools import count
from math import inf
from typing import Protocol

import trio

from harness.errors import SetupError
from harness.fabric._base import Alarm
from harness.fabric.netns.fates import departures
from harness.fabric.netns.ip import parse
from harness.fabric.netns.layout import Layout
from harness.fabric.netns.namespaces import Namespaces
from harness.fabric.netns.plan import TUN
from harness.fabric.netns.tracking import Half, Tracker
from harness.fabric.netns.tun import QUEUE_PACKETS, Tun
from harness.fabric.tasks import open_tasks
from harness.packet import PacketFilter

QUEUE_LIMIT = 65_536
"""So many packets wait for their time; more are lost, and the run ends with an error."""
BATCH_PACKETS = 64
"""Read, or sent from the queue, before others may do something."""
EARLY_S = 0.0005
"""The alarm for a packet that has to wait rings so much before its time, and then once more.

A processor that has slept for some milliseconds takes its time to wake: 0.3 ms in a virtual
machine, but hardly any after a short sleep."""
_NOBODY = "0.0.0.0"  # noqa: S104 - no address, and nothing is bound to it


class Device(Protocol):
    """Where packets leave to."""

    def write(self, raw: bytes) -> None:
        """Send a packet; never waits and never fails."""


class PacketRouter:
    """Asks ``filter`` for the fate of each packet that is diverted to it; without one all pass.

    ``filter`` may be set at any time. Diverting is done by who owns the routing tables.
    """

    def __init__(
        self,
        spaces: Namespaces,
        layout: Layout,
        call_at: Callable[[float, Callable[[], None]], Alarm],
    ) -> None:
        self.filter: PacketFilter | None = None
        self._spaces = spaces
        self._layout = layout
        self._tracker = Tracker(layout.side_of)
        self._queue = Queue(call_at)
        self._gateways = {_net_of(link.gateway): link.gateway for link in layout.uplinks}
        self._wakes = _Wakes()
        self._tuns: dict[str, Tun] = {}
        self._overflowed = 0

    @property
    def dropped(self) -> int:
        """Packets that were lost because a queue was full: ours, or a device's in the kernel."""
        return self._queue.dropped + self._overflowed + sum(map(self._lost_by, self._tuns))

    @asynccontextmanager
    async def running(self) -> AsyncIterator[None]:
        """Reads and writes while the block runs.

        Raises SetupError if a device can't be had, and at the end if packets were lost for want of
        room: then nobody can say what the run has shown.
        """
        with ExitStack() as stack:
            for router in dict.fromkeys(router for router, _ in self._layout.entrances):
                with self._spaces.inside(router):
                    tun = Tun.opened(TUN)
                self._tuns[router] = tun
                stack.callback(self._close, router)
            stack.callback(self._queue.clear)
            trio.lowlevel.add_instrument(self._wakes)
            stack.callback(trio.lowlevel.remove_instrument, self._wakes)
            async with open_tasks() as tasks:
                for tun in self._tuns.values():
                    tasks.start_soon(self._read_forever, tun)
                yield
        if self.dropped:
            raise SetupError(
                f"the packet router lost {self.dropped} packets for want of room "
                f"({QUEUE_LIMIT} may wait to leave and {QUEUE_PACKETS} to be read): "
                "let fewer be under way at once"
            )

    def _close(self, router: str) -> None:
        try:
            self._overflowed += self._lost_by(router)
        finally:
            self._tuns.pop(router).close()

    def _lost_by(self, router: str) -> int:
        with self._spaces.inside(router):
            return self._tuns[router].overflowed()

    async def _read_forever(self, tun: Tun) -> None:
        while True:
            await trio.lowlevel.wait_readable(tun.descriptor)
            for raw, came in _batch(tun, self._wakes.at):
                self._take(tun, raw, came)

    def _take(self, tun: Tun, raw: bytes, came: float) -> None:
        """Let a packet meet its fate; what is no connection of ours passes."""
        segment = parse(raw)
        tracked = None if segment is None else self._tracker.track(segment)
        if segment is None or tracked is None:
            tun.write(raw)
            return
        half, packet = tracked
        fate = None if self.filter is None else self.filter(packet, trio.current_time())
        if fate is None:
            self._queue.send(tun, raw, came, half)
            return
        gateway = self._gateways.get(segment.raw[12:15], _NOBODY)
        for departure in departures(segment, packet, half, fate, gateway):
            self._queue.send(tun, departure.raw, came, departure.half, departure.delay_s)


class Queue:
    """Packets that leave now or later, each direction of a connection in order.

    One alarm is set for the first of them.
    """

    def __init__(self, call_at: Callable[[float, Callable[[], None]], Alarm]) -> None:
        self.dropped = 0
        self._call_at = call_at
        self._ordinals = count()
        self._heap: list[tuple[float, int, Device, bytes]] = []
        self._alarm: Alarm | None = None
        self._rings_at = inf

    def __len__(self) -> int:
        return len(self._heap)

    def send(
        self, device: Device, raw: bytes, now: float, half: Half | None, delay_s: float = 0.0
    ) -> None:
        """Write a packet ``delay_s`` after ``now``, and not before the others of ``half``."""
        when = now + delay_s
        if half is not None:
            if half.ordered_until > when:
                when = half.ordered_until
            elif delay_s:
                half.ordered_until = when
        if when > now:
            self._keep(when, device, raw)
            return
        if self._heap and self._heap[0][0] <= now:
            self._leave(now, QUEUE_LIMIT)  # or it would overtake what is due
        device.write(raw)

    def clear(self) -> None:
        """Forget them all."""
        self._heap.clear()
        self._set_alarm(inf)

    def _keep(self, when: float, device: Device, raw: bytes) -> None:
        if len(self._heap) >= QUEUE_LIMIT:
            self.dropped += 1
            return
        heappush(self._heap, (when, next(self._ordinals), device, raw))
        if when < self._rings_at:
            self._set_alarm(when)

    def _ring(self) -> None:
        self._alarm, self._rings_at = None, inf
        self._leave(trio.current_time(), BATCH_PACKETS)
        if self._heap:
            self._set_alarm(self._heap[0][0])

    def _leave(self, now: float, limit: int) -> None:
        """Write what is due, in the order of its time."""
        heap = self._heap
        while heap and heap[0][0] <= now and limit > 0:
            _, _, device, raw = heappop(heap)
            device.write(raw)
            limit -= 1

    def _set_alarm(self, when: float) -> None:
        if self._alarm is not None:
            self._alarm.cancel()
        self._alarm, self._rings_at = None, when
        if when == inf:
            return
        now = trio.current_time()
        early_s = EARLY_S if when - now > 2 * EARLY_S else 0.0
        self._alarm = self._call_at(max(when - early_s, now), self._ring)


class _Wakes(trio.abc.Instrument):
    """Knows when the event loop last woke."""

    def __init__(self) -> None:
        self.at = 0.0

    def after_io_wait(self, timeout: float) -> None:  # noqa: ARG002 - the contract's argument
        """The kernel has said what is readable."""
        self.at = trio.current_time()


def _batch(tun: Tun, came: float) -> list[tuple[bytes, float]]:
    """What waits to be read, each packet with the instant at which it came, or else was read."""
    batch: list[tuple[bytes, float]] = []
    with suppress(BlockingIOError):
        batch.append((tun.read(), came))
        while len(batch) < BATCH_PACKETS:
            batch.append((tun.read(), trio.current_time()))
    return batch


def _net_of(address: str) -> bytes:
    """The first three bytes: each link is a network of 256 addresses."""
    return bytes(map(int, address.split(".")[:3]))
