"""Serves a client whose methods are coroutines of asyncio: each request is a task of its own.

A *step* of a call is an iteration of the event loop. The loop asks its selector exactly once an
iteration, before anything else: that is the instant between two iterations, and the only public
place where it can be caught.
"""

from __future__ import annotations

import asyncio
import os
import selectors
from typing import TYPE_CHECKING, Any

from harness.worker.host import Desk
from harness.worker.messages import Message, call_of
from harness.worker.stdio import READ_BYTES

if TYPE_CHECKING:
    from collections.abc import Callable

    from harness.worker.stdio import Stdio


class CountingSelector(selectors.DefaultSelector):
    """The system's selector; counts how often it is asked, and acts after the n-th time."""

    def __init__(self) -> None:
        super().__init__()
        self.steps = 0
        self._due: list[tuple[int, Callable[[], None]]] = []

    def after(self, steps: int, act: Callable[[], None]) -> Callable[[], None]:
        """Act after so many whole iterations, not counting the one that is under way."""
        entry = (self.steps + max(1, steps) + 1, act)
        self._due.append(entry)

        def undo() -> None:
            if entry in self._due:
                self._due.remove(entry)

        return undo

    def select(self, timeout: float | None = None) -> list[Any]:
        """What is ready; what is due is done first, and may make something ready."""
        self.steps += 1
        due = [entry for entry in self._due if entry[0] <= self.steps]
        for entry in due:
            self._due.remove(entry)
            entry[1]()
        found: list[Any] = super().select(0 if due else timeout)
        return found


class AsyncioHost:
    """The client on an event loop that does nothing else."""

    def __init__(self, client: Any, stdio: Stdio) -> None:
        self._client = client
        self._stdio = stdio
        self._desk = Desk(stdio)
        self._selector = CountingSelector()
        self._loop = asyncio.SelectorEventLoop(self._selector)
        self._calls: dict[int, asyncio.Task[Any]] = {}
        self._cancelled: set[int] = set()

    def serve(self, hello: Message) -> None:
        """Greet, then serve until the harness is gone."""
        asyncio.set_event_loop(self._loop)
        if os.name == "nt":  # there a selector takes sockets alone
            self._stdio.pump(lambda news: self._loop.call_soon_threadsafe(self._take, news))
        else:
            os.set_blocking(self._stdio.source, False)
            self._loop.add_reader(self._stdio.source, self._read)
            self._stdio.leave_when_alone()
        self._stdio.send(hello)
        while True:
            try:
                self._loop.run_forever()
            except (SystemExit, KeyboardInterrupt):
                continue  # its task has it as well

    def _read(self) -> None:
        try:
            data = os.read(self._stdio.source, READ_BYTES)
        except BlockingIOError:
            return
        if not data:
            self._stdio.leave()
        for message in self._stdio.feed(data):
            self._take(message)

    def _take(self, message: Message) -> None:
        number, op = message.get("id", 0), message.get("op")
        if op == "call":
            self._begin(number, message)
        elif op == "cancel":
            self._cancel(number)
        elif op in {"open", "close"}:
            self._start(self._open_or_close(op, message)).add_done_callback(
                lambda task: self._ended(number, task)
            )

    async def _open_or_close(self, op: str, message: Message) -> None:
        if op == "open":
            await self._client.open(self._desk.settings(message))
        else:
            await self._client.close()

    def _begin(self, number: int, message: Message) -> None:
        task = self._calls[number] = self._start(self._client.call(call_of(message)))
        undo: Callable[[], None] = lambda: None  # noqa: E731 - nothing to undo, for most calls
        step = message["call"].get("cancel_step")
        if step is not None:
            undo = self._selector.after(step, lambda: self._cancel(number))

        def ended(task: asyncio.Task[Any]) -> None:
            undo()
            self._ended(number, task)

        task.add_done_callback(ended)

    def _start(self, coroutine: Any) -> asyncio.Task[Any]:
        return self._loop.create_task(coroutine)

    def _cancel(self, number: int) -> None:
        task = self._calls.get(number)
        if task is not None and not task.done():
            self._cancelled.add(number)
            self._desk.cancelling(number)
            task.cancel()

    def _ended(self, number: int, task: asyncio.Task[Any]) -> None:
        is_call = self._calls.pop(number, None) is not None
        was_asked = number in self._cancelled
        self._cancelled.discard(number)
        if task.cancelled():
            if was_asked:
                self._desk.cancelled(number)
            else:
                self._desk.raised(number, asyncio.CancelledError("cancelled within asyncio"))
            return
        error = task.exception()
        if error is not None:
            self._desk.raised(number, error)
        elif is_call:
            self._desk.replied(number, task.result())
        else:
            self._desk.done(number)
