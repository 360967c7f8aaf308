"""Waiting for a simulated socket, as ``trio.lowlevel.wait_readable`` does for a real one."""

from __future__ import annotations

import outcome
import trio

from harness.fabric.virtual.socket import Socket


class _Waiter:
    """The one task that waits for something."""

    __slots__ = ("_task",)

    def __init__(self) -> None:
        self._task: trio.lowlevel.Task | None = None

    @property
    def is_waiting(self) -> bool:
        return self._task is not None

    async def wait(self) -> None:
        if self._task is not None:
            raise trio.BusyResourceError("another task waits for this socket already")
        self._task = trio.lowlevel.current_task()
        await trio.lowlevel.wait_task_rescheduled(self._abort)

    def wake(self) -> None:
        task, self._task = self._task, None
        if task is not None:
            trio.lowlevel.reschedule(task)

    def refuse(self) -> None:
        task, self._task = self._task, None
        if task is not None:
            closed = trio.ClosedResourceError("another task closed this socket")
            trio.lowlevel.reschedule(task, outcome.Error(closed))

    def _abort(self, _: object) -> trio.lowlevel.Abort:
        self._task = None
        return trio.lowlevel.Abort.SUCCEEDED


class Readiness:
    """Lets one task wait until a socket can be read, and one until it can be written."""

    __slots__ = ("_reader", "_socket", "_writer")

    def __init__(self, socket: Socket) -> None:
        self._socket = socket
        self._reader = _Waiter()
        self._writer = _Waiter()

    async def readable(self) -> None:
        """Wait for bytes, a connection, an end or an error; ClosedResourceError once closed."""
        self._refuse_closed()
        if self._socket.readable:
            await trio.lowlevel.checkpoint()
            return
        await self._wait(self._reader)

    async def writable(self) -> None:
        """Wait until bytes can be sent or an error waits; ClosedResourceError once closed."""
        self._refuse_closed()
        if self._socket.writable:
            await trio.lowlevel.checkpoint()
            return
        await self._wait(self._writer)

    async def _wait(self, waiter: _Waiter) -> None:
        # Only while somebody waits does the socket know of us: else the two would hold each other,
        # and one that nobody holds any more would be found late.
        self._socket.on_change = self._changed
        try:
            await waiter.wait()
        finally:
            if not (self._reader.is_waiting or self._writer.is_waiting):
                self._socket.on_change = None

    def interrupt(self) -> None:
        """Let those who wait have ClosedResourceError, as ``notify_closing`` does."""
        self._reader.refuse()
        self._writer.refuse()

    def _changed(self) -> None:
        socket = self._socket
        if socket.closed:
            self.interrupt()
            return
        if self._reader.is_waiting and socket.readable:
            self._reader.wake()
        if self._writer.is_waiting and socket.writable:
            self._writer.wake()

    def _refuse_closed(self) -> None:
        if self._socket.closed:
            raise trio.ClosedResourceError("this socket is closed")
