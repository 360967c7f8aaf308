"""A pool that loses a slot for good if its caller is cancelled at one certain checkpoint."""

import trio

from harness.clients.reference import ReferenceClient


class LosesASlot(ReferenceClient):
    """Counts slots in front of the reference pool, with a gap between taking one and minding it."""

    async def open(self, settings):
        self.slots = trio.Semaphore(settings.pool.size)
        await super().open(settings)

    async def call(self, call):
        await self.slots.acquire()
        await trio.lowlevel.checkpoint()  # cancelled here, nobody gives the slot back
        try:
            return await super().call(call)
        finally:
            self.slots.release()
