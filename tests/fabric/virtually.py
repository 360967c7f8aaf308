"""Runs a test's coroutine in virtual time, and keeps what its guard was told."""

from functools import partial

import trio

from harness.fabric.virtual.fabric import VirtualFabric


class Guarded:
    """A guard that cancels, as a stage does."""

    def __init__(self):
        self.told = []
        self.turns = 0
        self.scope = trio.CancelScope()

    def stuck(self, why):
        self.told.append(why)
        self.scope.cancel()

    def turned(self):
        self.turns += 1


def virtually(main, *args, seed=0, guard=None, **settings):
    """What ``main(fabric, *args)`` returns; raises what it raises."""
    fabric = VirtualFabric(seed=seed, **settings)
    guard = guard or Guarded()

    async def run():
        with guard.scope:
            async with fabric.running():
                return await main(fabric, *args)

    return fabric.run(partial(run), guard)
