"""Waking whoever waits for the scene to change, so that nobody has to poll."""

from __future__ import annotations

import math

import trio

from harness.fabric import Alarm, Bell, Fabric


class Orders:
    """Orders from outside: a phase begins, faults are armed or healed."""

    def __init__(self, fabric: Fabric) -> None:
        self._fabric = fabric
        self._waiting: dict[Bell, None] = {}  # not a set: they ring in the order they came

    def tell(self) -> None:
        """Something was ordered: who waits looks again."""
        for bell in tuple(self._waiting):
            bell.ring()

    async def wait(self, until: float = math.inf) -> None:
        """Wait for the next order, or until an instant of trio's clock."""
        bell = Bell()
        alarm: Alarm | None = None
        if until > trio.current_time():
            self._waiting[bell] = None
            if until < math.inf:
                alarm = self._fabric.call_at(until, bell.ring)
        else:
            bell.ring()
        try:
            await bell.wait()
        finally:
            self._waiting.pop(bell, None)
            if alarm is not None:
                alarm.cancel()
