"""asyncio code in virtual time: an event loop that lives in a task of trio.

One task of trio runs the loop, an iteration at a time, and gives way after each, so that proxy
and servers go on between any two. While the loop has nothing to do, the task waits for a socket's
readiness, the loop's next timer or a call from outside, and virtual time may pass.

``Bridge.run`` makes an asyncio call from any task of trio. The two kinds of cancellation meet
there: trio's is handed on to the asyncio task at once, within the same instant and before the loop
turns again, and what comes of it is awaited, because an asyncio task may clean up, take its time
or not heed it at all. So whatever cancels a scope of trio can cancel an asyncio call at an exact
iteration: ``call_after`` says when.
"""

from __future__ import annotations

import asyncio
import math
from collections.abc import AsyncIterator, Callable, Coroutine
from contextlib import asynccontextmanager
from typing import Any, Generic, TypeVar

import outcome
import trio

from harness.fabric.bell import Bell
from harness.fabric.tasks import open_tasks
from harness.fabric.virtual.aio_loop import VirtualLoop
from harness.fabric.virtual.network import Network

T = TypeVar("T")

CANCEL_GRACE_S = 5.0
"""How long a cancelled asyncio task may take to end before its caller goes on without it."""
CLOSE_LIMIT_S = 10.0
"""Virtual time that what is left may take to end when a bridge is closed."""
CLOSE_STEPS = 10_000
"""Iterations it may take, for code that never lets time pass."""
CANCEL_STEPS = 100_000
"""The same in iterations, for code that never lets time pass."""
INSIST_LIMIT = 1_000
"""How often a call is cancelled that is to be cancelled again and again."""
NEVER = 2**63
LOOP_STOPPED = "the event loop has stopped"


class EndedCancelled(Exception):  # noqa: N818 - what became of a call, as trio.Cancelled is
    """An asyncio call ended with CancelledError although its caller in trio was not cancelled."""


class Bridge:
    """A running asyncio loop, as tasks of trio see it."""

    def __init__(self, loop: VirtualLoop) -> None:
        self.loop = loop
        self._bell = Bell()
        self._alarms: list[_Alarm] = []
        self._calls: list[_Running[Any]] = []
        self._stopped = False
        loop.on_wake(self._bell.ring)

    @property
    def steps(self) -> int:
        """Iterations of the event loop so far that had something to do."""
        return self.loop.steps

    async def run(
        self,
        function: Callable[..., Coroutine[Any, Any, T]],
        *args: Any,
        cancel_at_step: int | None = None,
        on_cancel: Callable[[], None] = lambda: None,
        on_end: Callable[[int], None] = lambda _: None,
        insist: bool = False,
    ) -> T:
        """What a coroutine function of asyncio returns, run to its end as a task of the loop.

        With ``cancel_at_step`` the task is cancelled after so many iterations counted from here,
        and ``on_cancel`` told, if it is still running then. ``on_end`` is told in which iteration,
        counted likewise, it ended: a later cancellation comes too late. ``insist`` cancels it again
        at every iteration until it ends, as a cancel scope would. Raises what the function raises,
        EndedCancelled if it was cancelled from within asyncio; and trio.Cancelled if the caller
        was cancelled and the task ended by that, or didn't end within ``CANCEL_GRACE_S``.
        """
        await trio.lowlevel.checkpoint_if_cancelled()
        if self._stopped:
            raise EndedCancelled(LOOP_STOPPED)
        call = _Running(self, self.loop.create_task(function(*args)), insist)
        began = self.steps

        def cancel() -> None:
            if not call.task.done():
                call.cancel()
                on_cancel()

        step = NEVER if cancel_at_step is None else cancel_at_step
        undo = self.call_after(step, cancel)
        self._calls.append(call)
        self._bell.ring()
        try:
            return await call.result()
        finally:
            self._calls.remove(call)
            undo()
            on_end(call.ended_at - began)

    def call_after(self, steps: int, call: Callable[[], None]) -> Callable[[], None]:
        """Call after the loop's n-th iteration from now (at least one); returns what undoes it."""
        alarm = _Alarm(self.loop.steps + max(1, steps), call)
        self._alarms.append(alarm)

        def undo() -> None:
            if alarm in self._alarms:
                self._alarms.remove(alarm)

        return undo

    def ring(self) -> None:
        """Wake the loop: something was put into it from outside."""
        self._bell.ring()

    async def live(self, scope: trio.CancelScope) -> None:
        """Run the loop until the scope is cancelled, and let nobody wait for it afterwards."""
        try:
            with scope:
                await self.drive()
        finally:
            self._stopped = True
            for call in self._calls:
                call.give_up()

    async def drive(self, until: Callable[[], bool] = lambda: False) -> None:
        """Run the loop until a condition holds after an iteration."""
        while not until():
            rest_s = self._step()
            if rest_s is None:
                await trio.lowlevel.checkpoint()
            elif not until():
                with trio.move_on_after(rest_s):
                    await self._bell.wait()

    def _step(self) -> float | None:
        try:
            rest_s = self.loop.step()
        except (SystemExit, KeyboardInterrupt) as error:
            if not any(call.raised(error) for call in self._calls):
                raise
            rest_s = None  # asyncio keeps it in the task as well: its caller will have it
        for alarm in [alarm for alarm in self._alarms if alarm.step <= self.loop.steps]:
            if alarm in self._alarms:
                self._alarms.remove(alarm)
                alarm.call()
        return rest_s

    async def close(self) -> None:
        """End what is left in the loop: tasks, generators, transports; bounded."""
        last = self.loop.steps + CLOSE_STEPS
        with trio.move_on_after(CLOSE_LIMIT_S):
            await self._cancel_tasks(last)
            generators = self.loop.create_task(self.loop.shutdown_asyncgens())
            await self.drive(lambda: generators.done() or self.steps >= last)
        for transport in self.loop.transports():
            abort = getattr(transport, "abort", transport.close)
            abort()
        for _ in range(CLOSE_STEPS):  # what was aborted tells its protocol in the iteration after
            if self.loop.step() is not None:
                break
        self.loop.close()

    async def _cancel_tasks(self, last: int) -> None:
        tasks = sorted(asyncio.all_tasks(self.loop), key=_age)
        for task in tasks:
            task.cancel()
        await self.drive(lambda: all(map(asyncio.Task.done, tasks)) or self.steps >= last)


class _Alarm:
    """A call that is due after a certain iteration."""

    __slots__ = ("call", "step")

    def __init__(self, step: int, call: Callable[[], None]) -> None:
        self.step = step
        self.call = call


class _Running(Generic[T]):
    """An asyncio task that a task of trio waits for."""

    def __init__(self, bridge: Bridge, task: asyncio.Task[T], insist: bool) -> None:
        self.task = task
        self.ended_at = 0
        self._bridge = bridge
        self._insists_left = INSIST_LIMIT if insist else 0
        self._waiter: trio.lowlevel.Task | None = None
        self._raise_cancel: trio.lowlevel.RaiseCancelT | None = None
        self._patience: list[Callable[[], None]] = []

    async def result(self) -> T:
        """What the task returns or raises."""
        self.task.add_done_callback(self._ended)
        self._waiter = trio.lowlevel.current_task()
        result: T = await trio.lowlevel.wait_task_rescheduled(self._abort)
        return result

    def cancel(self) -> None:
        """Cancel the asyncio task, once or until it ends."""
        if self.task.done():
            return
        self.task.cancel()
        if self._insists_left > 0:
            self._insists_left -= 1
            self._bridge.loop.call_soon(self.cancel)
        self._bridge.ring()

    def raised(self, error: BaseException) -> bool:
        """Whether an exception is what this task ended with."""
        return self.task.done() and not self.task.cancelled() and self.task.exception() is error

    def _abort(self, raise_cancel: trio.lowlevel.RaiseCancelT) -> trio.lowlevel.Abort:
        self._raise_cancel = raise_cancel
        self.cancel()
        self._patience = [
            self._bridge.loop.call_later(CANCEL_GRACE_S, self.give_up).cancel,
            self._bridge.call_after(CANCEL_STEPS, self.give_up),
        ]
        self._bridge.ring()
        return trio.lowlevel.Abort.FAILED

    def give_up(self) -> None:
        """Let the caller go on, whatever becomes of the task."""
        self.ended_at = self._bridge.steps
        self._end_cancelled(LOOP_STOPPED)

    def _ended(self, task: asyncio.Task[T]) -> None:
        self.ended_at = self._bridge.steps  # this callback's own iteration isn't counted yet
        for undo in self._patience:
            undo()
        if task.cancelled():
            self._end_cancelled("cancelled within asyncio")
            return
        error = task.exception()
        self._reschedule(outcome.Value(task.result()) if error is None else outcome.Error(error))

    def _end_cancelled(self, reason: str) -> None:
        if self._raise_cancel is not None:
            self._reschedule(outcome.capture(self._raise_cancel))
        else:
            self._reschedule(outcome.Error(EndedCancelled(reason)))

    def _reschedule(self, result: outcome.Outcome[Any]) -> None:
        if self._waiter is not None:
            waiter, self._waiter = self._waiter, None
            trio.lowlevel.reschedule(waiter, result)


@asynccontextmanager
async def open_asyncio(network: Network) -> AsyncIterator[Bridge]:
    """An asyncio event loop on a virtual network, inside the block.

    When the block ends, what is left in the loop is cancelled, awaited and closed. Raises
    SetupError if this Python's asyncio isn't the one this was made for.
    """
    bridge = Bridge(VirtualLoop(network))
    alive = trio.CancelScope(shield=True)  # a cancelled caller needs the loop for its clean-up
    try:
        async with open_tasks() as nursery:
            nursery.start_soon(bridge.live, alive)
            try:
                yield bridge
            finally:
                alive.cancel()
    finally:
        with trio.CancelScope(shield=True):
            await bridge.close()


def _age(task: asyncio.Task[Any]) -> tuple[float, str]:
    """Orders tasks by creation: asyncio numbers those that nobody named."""
    name = task.get_name()
    number = name.removeprefix("Task-")
    return (int(number), "") if number.isdigit() else (math.inf, name)
