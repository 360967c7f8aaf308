"""Ends a call early: cut off by the harness, or cancelled as the scenario says."""

from __future__ import annotations

from collections.abc import Callable
from typing import Protocol, Self

import trio

from harness.clients import CallStruck, Client, ProcessClient
from harness.fabric import Fabric
from harness.fabric.waiting import waits_in
from harness.faults import Cancellation


class Guard:
    """Cuts the block off at an instant; ``place`` tells where its task waited then."""

    def __init__(self, when: float, fabric: Fabric) -> None:
        self.place = ""
        self._when = when
        self._fabric = fabric
        self._scope = trio.CancelScope()
        self._task = trio.lowlevel.current_task()

    def __enter__(self) -> None:
        self._alarm = self._fabric.call_at(self._when, self._cut_off)
        self._scope.__enter__()

    def __exit__(self, *exc_info: object) -> bool | None:
        self._alarm.cancel()
        return self._scope.__exit__(*exc_info)  # type: ignore[arg-type]

    def _cut_off(self) -> None:
        self.place = waits_in(self._task)
        self._scope.cancel()


class Canceller(Protocol):
    """Cancels the block it is around, as the scenario says.

    ``asked_at`` tells when it did, ``struck`` whether the block ended by it.
    """

    asked_at: float | None

    @property
    def struck(self) -> bool:
        """Whether the block was ended by this."""

    def __enter__(self) -> Self:
        """Be ready to cancel."""

    def __exit__(self, *exc_info: object) -> bool | None:
        """Don't cancel any more; swallow what the cancellation raised."""


def canceller(
    cancellation: Cancellation | None, fabric: Fabric, client: Client, nonce: str
) -> Canceller:
    """What cancels one call of this client, or nothing."""
    if isinstance(client, ProcessClient):
        return RemoteCanceller(cancellation, fabric, client, nonce)
    return ScopeCanceller(cancellation, fabric, client)


class ScopeCanceller:
    """Cancels the task that makes the call, after a while or at its N-th step."""

    def __init__(self, cancellation: Cancellation | None, fabric: Fabric, client: Client) -> None:
        self._after_step = getattr(client, "after_step", None)
        self.asked_at: float | None = None
        self._cancellation = cancellation
        self._fabric = fabric
        self._scope = trio.CancelScope()
        self._undo: Callable[[], None] | None = None

    @property
    def struck(self) -> bool:
        """Whether the block was ended by this."""
        return self._scope.cancelled_caught

    def cancel(self) -> None:
        """Cancel the block now."""
        self.asked_at = trio.current_time()
        self._scope.cancel()

    def __enter__(self) -> Self:
        words = self._cancellation
        if words is None:
            return self  # most calls: a scope costs more than it looks
        if words.after_s is not None:
            when = trio.current_time() + words.after_s
            self._undo = self._fabric.call_at(when, self.cancel).cancel
        elif words.step is not None and self._after_step is not None:
            self._undo = self._after_step(words.step, self.cancel)
        elif words.step is not None:
            counter = _StepCounter(trio.lowlevel.current_task(), words.step, self.cancel)
            trio.lowlevel.add_instrument(counter)
            self._undo = lambda: trio.lowlevel.remove_instrument(counter)
        self._scope.__enter__()
        return self

    def __exit__(self, *exc_info: object) -> bool | None:
        if self._cancellation is None:
            return None
        if self._undo is not None:
            self._undo()
        return self._scope.__exit__(*exc_info)  # type: ignore[arg-type]


class RemoteCanceller:
    """Has a client in another process cancel its caller, after a while or at the N-th step.

    It happened when that process says so; one that can't goes on with the call, and then nobody
    was cancelled.
    """

    def __init__(
        self,
        cancellation: Cancellation | None,
        fabric: Fabric,
        client: ProcessClient,
        nonce: str,
    ) -> None:
        self.asked_at: float | None = None
        self.struck = False
        self._cancellation = cancellation
        self._fabric = fabric
        self._client = client
        self._nonce = nonce
        self._undo: list[Callable[[], None]] = []

    def _happened(self) -> None:
        self.asked_at = trio.current_time()

    def __enter__(self) -> Self:
        words = self._cancellation
        if words is None:
            return self
        self._undo = [self._client.plan_cancel(self._nonce, words.step, self._happened)]
        if words.after_s is not None:
            when = trio.current_time() + words.after_s
            alarm = self._fabric.call_at(when, lambda: self._client.cancel(self._nonce))
            self._undo.append(alarm.cancel)
        return self

    def __exit__(self, *exc_info: object) -> bool:
        for undo in self._undo:
            undo()
        self.struck = isinstance(exc_info[1], CallStruck) and self.asked_at is not None
        return self.struck


class _StepCounter(trio.abc.Instrument):
    """Counts how often a task gives way to others, and cancels it at the N-th time."""

    def __init__(self, task: trio.lowlevel.Task, step: int, cancel: Callable[[], None]) -> None:
        self._task = task
        self._left = step
        self._cancel = cancel

    def after_task_step(self, task: trio.lowlevel.Task) -> None:
        """A task has given way."""
        if task is self._task and self._left > 0:
            self._left -= 1
            if self._left == 0:
                self._cancel()
