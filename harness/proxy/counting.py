"""Faults of which nothing tells but a counter: no packet and no byte of ours passes there.

A host without a link has no way for what it sends, a queue that is full turns connects away, and
a link that the kernel shapes asks nobody about packets. The fabric counts all of that. A fault
that is at work has fired once its counter has grown since it began; that is told once for each
time it is at work.
"""

from __future__ import annotations

import math
from collections.abc import Callable
from dataclasses import dataclass

from harness.fabric import Fabric, Port
from harness.faults import HostFault, ListenFault
from harness.proxy.arranging import KERNEL_MEANS
from harness.proxy.charge import Charge
from harness.proxy.injector import Injector

COUNTED_POLL_S = 0.1
"""A counter rings no bell: it is looked at so often while a fault waits for it."""


@dataclass(slots=True)
class _Watch:
    """A fault at work since ``opened``, what its counter said then, and whether it was told."""

    opened: float
    began_at: int
    told: bool = False


class Counters:
    """Looks at counters, and tells of the faults whose work they show."""

    def __init__(self, injector: Injector, fabric: Fabric, port: Port) -> None:
        self._injector = injector
        self._has_hosts = "host" in fabric.capabilities.means
        self._unrouted = fabric.unrouted
        self._shaped = fabric.shaped
        self._turned_away = port.turned_away
        self._watches: dict[int, _Watch] = {}

    def look(self, now: float) -> None:
        """Tell of faults that have struck; call it before what they do begins, and as it ends."""
        for charge in self._injector.charges:
            found = self._counter(charge)
            if found is not None:
                self._look_at(charge, *found, now)

    def next_look(self, now: float) -> float:
        """When to look again; infinity if nobody waits for a counter."""
        waits = any(not watch.told for watch in self._watches.values())
        return now + COUNTED_POLL_S if waits else math.inf

    def _look_at(self, charge: Charge, count: Callable[[], int], what: str, now: float) -> None:
        scene = self._injector.scene
        at_work = not charge.healed and charge.in_window(scene, now)
        opened = charge.opened(scene) if at_work else None
        watch = self._watches.get(charge.index)
        if watch is not None and not watch.told and (grown := count() - watch.began_at) > 0:
            watch.told = True
            self._injector.fire(charge, now, 0, f"{what}: {grown}")
        if watch is not None and watch.opened != opened:
            watch = None
            del self._watches[charge.index]
        if watch is None and opened is not None:
            self._watches[charge.index] = _Watch(opened, count())

    def _counter(self, charge: Charge) -> tuple[Callable[[], int], str] | None:
        """What counts a fault's strikes, if that is all that does, and in which words."""
        fault = charge.spec.fault
        if charge.means and charge.means in KERNEL_MEANS:
            ways = ", ".join([*sorted(charge.sides), *charge.spec.effect_directions()])
            return lambda: self._shaped().get(charge.index, 0), f"{charge.means}, {ways}, packets"
        if isinstance(fault, ListenFault):
            full = fault.LISTENS == "full"
            return (self._turned_away, "connects turned away") if full else None
        cut_off = isinstance(fault, HostFault) and not fault.on_host().link_up
        if self._has_hosts and (cut_off or charge.changes_address):
            return self._unrouted, "packets without a way"
        return None
