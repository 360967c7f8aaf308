"""Serves a client whose methods are coroutines of trio: a task for its life, one for each call.

A *step* of a call is a step of its task: each time it gives way to others. Only here trio is
imported, and it is the client's own.
"""

from __future__ import annotations

import os
from typing import TYPE_CHECKING, Any

import trio

from harness.worker.host import Desk
from harness.worker.messages import Message, call_of
from harness.worker.stdio import READ_BYTES

if TYPE_CHECKING:
    from collections.abc import Callable

    from harness.worker.stdio import Stdio

RAISES = (Exception, SystemExit, KeyboardInterrupt)
"""Whatever a client raises is told."""
WAITING_LIMIT = 10
"""Requests that wait for ``open`` or ``close`` to end; there are two in a life."""


class TrioHost:
    """The client in a run of trio that does nothing else."""

    def __init__(self, client: Any, stdio: Stdio) -> None:
        self._client = client
        self._stdio = stdio
        self._desk = Desk(stdio)
        self._scopes: dict[int, trio.CancelScope] = {}

    def serve(self, hello: Message) -> None:
        """Greet, then serve until the harness is gone."""
        trio.run(self._serve, hello)

    async def _serve(self, hello: Message) -> None:
        async with trio.open_nursery() as nursery:
            to_life, orders = trio.open_memory_channel[Message](WAITING_LIMIT)
            nursery.start_soon(self._live, orders)

            def take(message: Message) -> None:
                self._take(message, nursery, to_life)

            self._stdio.leave_when_alone()
            if os.name == "nt":
                token = trio.lowlevel.current_trio_token()
                self._stdio.pump(lambda message: token.run_sync_soon(take, message))
                self._stdio.send(hello)
                await trio.sleep_forever()
            await self._read(hello, take)

    async def _read(self, hello: Message, take: Callable[[Message], None]) -> None:
        async with trio.lowlevel.FdStream(os.dup(self._stdio.source)) as source:
            self._stdio.send(hello)  # what is open from here on is the client's
            while True:
                data = bytes(await source.receive_some(READ_BYTES))
                if not data:
                    self._stdio.leave()
                for message in self._stdio.feed(data):
                    take(message)

    def _take(
        self, message: Message, nursery: trio.Nursery, life: trio.MemorySendChannel[Message]
    ) -> None:
        op = message.get("op")
        if op == "call":
            nursery.start_soon(self._call, message)
        elif op == "cancel":
            self._cancel(message["id"])
        elif op in {"open", "close"}:
            life.send_nowait(message)

    async def _live(self, orders: trio.MemoryReceiveChannel[Message]) -> None:
        """``open`` and ``close`` in one task, so that a nursery may be entered and left in them."""
        async for message in orders:
            number = message["id"]
            try:
                if message["op"] == "open":
                    await self._client.open(self._desk.settings(message))
                else:
                    await self._client.close()
            except RAISES as error:
                self._desk.raised(number, error)
            else:
                self._desk.done(number)

    async def _call(self, message: Message) -> None:
        number, step = message["id"], message["call"].get("cancel_step")
        counter = None
        if step is not None:
            task = trio.lowlevel.current_task()
            counter = StepCounter(task, step, lambda: self._cancel(number))
            trio.lowlevel.add_instrument(counter)
        try:
            with trio.CancelScope() as scope:
                self._scopes[number] = scope
                self._desk.replied(number, await self._client.call(call_of(message)))
        except RAISES as error:
            self._desk.raised(number, error)
        finally:
            del self._scopes[number]
            if counter is not None:
                trio.lowlevel.remove_instrument(counter)
        if scope.cancelled_caught:
            self._desk.cancelled(number)

    def _cancel(self, number: int) -> None:
        scope = self._scopes.get(number)
        if scope is not None and not scope.cancel_called:
            self._desk.cancelling(number)
            scope.cancel()


class StepCounter(trio.abc.Instrument):
    """Counts how often a task gives way to others, and acts at the n-th time."""

    def __init__(self, task: trio.lowlevel.Task, step: int, act: Callable[[], None]) -> None:
        self._task = task
        self._left = step
        self._act = act

    def after_task_step(self, task: trio.lowlevel.Task) -> None:
        """A task has given way."""
        if task is self._task and self._left > 0:
            self._left -= 1
            if self._left == 0:
                self._act()
