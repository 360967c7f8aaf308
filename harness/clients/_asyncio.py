"""A client that runs on asyncio, made to look like one on trio: the virtual fabric can host it.

Such a client has the same three methods and says ``RUNS_ON = "asyncio"``. Its coroutines run as
tasks of an asyncio loop that lives inside the run; on real sockets there is no such loop beside
trio's, so there it has a process of its own.
"""

from __future__ import annotations

from collections.abc import AsyncIterator, Callable
from contextlib import asynccontextmanager
from typing import TYPE_CHECKING, Any

from harness.clients._base import Client
from harness.worker.contract import Call, Reply, Settings

if TYPE_CHECKING:
    from harness.fabric.virtual.aio import Bridge
    from harness.fabric.virtual.network import Network

KEPT_CALLS = 10_000
"""Of so many calls, the last ones, it is known how many iterations they took."""


def runs_on(client: object) -> str:
    """The async library whose coroutines a client's methods are: "trio" or "asyncio"."""
    return str(getattr(client, "RUNS_ON", "trio"))


class AsyncioClient:
    """An asyncio client under the contract of a trio client.

    A call that is cancelled in trio is cancelled in asyncio at the same instant, and its end is
    awaited. A *step* of it is an iteration of the event loop.
    """

    def __init__(self, client: Client, bridge: Bridge) -> None:
        self._client = client
        self._bridge = bridge
        self._steps: dict[str, int] = {}

    @property
    def gates(self) -> tuple[Callable[..., object], ...]:
        """The functions below which the client's own code runs; its caller's stack is another."""
        return (self._bridge.loop.step,)

    async def open(self, settings: Settings) -> None:
        """Open it, on the loop."""
        await self._bridge.run(self._client.open, settings)

    async def call(self, call: Call) -> Reply | bytes:
        """Make one call, on the loop."""

        def ended(steps: int) -> None:
            self._steps[call.nonce] = steps
            if len(self._steps) > KEPT_CALLS:
                del self._steps[next(iter(self._steps))]

        return await self._bridge.run(self._client.call, call, on_end=ended)

    async def close(self) -> None:
        """Close it, on the loop, which goes on: what is left behind is seen to be left."""
        await self._bridge.run(self._client.close)

    def after_step(self, step: int, act: Callable[[], None]) -> Callable[[], None]:
        """Act after the n-th iteration of the loop from now; returns what takes that back.

        Asked right before a call, n counts the steps of the call. Cancelling the scope around it
        there cancels the asyncio task before the loop turns again.
        """
        return self._bridge.call_after(step, act)

    def steps_of(self, nonce: str) -> int:
        """How many steps a call took that has ended; 0 if it isn't known.

        A call that took n can be cancelled after any step from 1 to n - 1.
        """
        return self._steps.get(nonce, 0)


@asynccontextmanager
async def hosted(client: Any, network: Network | None) -> AsyncIterator[Any]:
    """A client that trio code can use, inside the block: itself, or its adapter for asyncio.

    ``network`` is the virtual network of the run, None on any other fabric. The block must last
    until leaks have been counted, for its end closes what is left.
    """
    if network is None or runs_on(client) != "asyncio":
        yield client
        return
    from harness.fabric.virtual.aio import open_asyncio  # noqa: PLC0415 - most runs need none of it

    async with open_asyncio(network) as bridge:
        yield AsyncioClient(client, bridge)
