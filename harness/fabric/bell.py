"""A bell that wakes one task: lighter than an event, and it never misses a ring."""

from __future__ import annotations

import trio


class Bell:
    """One task waits, anyone rings; a ring while nobody waits is kept for the next wait."""

    __slots__ = ("_rung", "_task")

    def __init__(self) -> None:
        self._task: trio.lowlevel.Task | None = None
        self._rung = False

    def ring(self) -> None:
        """Wake the task, or let its next wait return at once."""
        if self._task is None:
            self._rung = True
        else:
            trio.lowlevel.reschedule(self._task)
            self._task = None

    async def wait(self) -> None:
        """Wait for a ring since the last wait; always a checkpoint."""
        if self._rung:
            await trio.lowlevel.checkpoint()
            self._rung = False
            return
        self._task = trio.lowlevel.current_task()
        await trio.lowlevel.wait_task_rescheduled(self._abort)

    def _abort(self, _: object) -> trio.lowlevel.Abort:
        self._task = None
        return trio.lowlevel.Abort.SUCCEEDED
