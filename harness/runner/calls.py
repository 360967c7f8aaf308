"""One call from beginning to end: invoked, perhaps cancelled, judged as ok, failed or unknown."""

from __future__ import annotations

from collections.abc import Callable
from typing import Self

import trio

from harness.clients import Call, Client, Reply, outcome_of
from harness.fabric import Fabric
from harness.fabric.waiting import waits_in
from harness.faults import Cancellation
from harness.history import (
    CallCancelled,
    CallFailed,
    CallInvoked,
    CallOk,
    CallUnknown,
    Event,
)
from harness.runner.host import CLIENT_RAISES, ClientHost
from harness.scenario import PlannedCall
from harness.worker.contract import Asked, nonce_of, reply_body

GRACE_S = 3.0
"""How much longer than the caller's patience a call may take before the harness cuts it off."""
PATIENCE_S = 30.0
"""The same for a call whose caller has no limit."""


class Caller:
    """Makes calls through the client and writes down how each one ends."""

    def __init__(
        self,
        host: ClientHost,
        fabric: Fabric,
        serve: str,
        tell: Callable[[Event], None],
        zero: float,
    ) -> None:
        self._host = host
        self._fabric = fabric
        self._serve = serve
        self._tell = tell
        self._zero = zero
        self.made = 0
        self.failed = 0

    async def make(
        self, planned: PlannedCall, caller: int, phase: str, cancellation: Cancellation | None
    ) -> bool:
        """Make a planned call; whether it was answered."""
        asked = Asked(
            nonce=planned.nonce,
            size_bytes=planned.size_bytes,
            slow_s=planned.slow_s or 0.0,
            framing=planned.framing,
        )
        call = Call(
            asked=asked,
            unsafe=planned.unsafe,
            body=b"x" * planned.request_bytes,
            timeout_s=planned.timeout_s,
            abandon=planned.abandon,
        )
        return await self.make_call(call, caller, phase, cancellation or planned.cancel)

    async def make_call(
        self, call: Call, caller: int, phase: str, cancellation: Cancellation | None = None
    ) -> bool:
        """Make a call; whether it was answered."""
        expected = call.line if self._serve == "echo" else _expected(call)
        began = trio.current_time()
        self._tell(
            CallInvoked(
                at_s=began - self._zero,
                nonce=call.nonce,
                caller=caller,
                phase=phase,
                unsafe=call.unsafe,
                expected_bytes=len(expected),
                timeout_s=call.timeout_s,
            )
        )
        self.made += 1
        self._host.in_flight += 1
        try:
            reply = await self.ask(call, began, cancellation)
        except CLIENT_RAISES as error:
            self.failed += 1
            self._tell_failed(call, began, error)
            return False
        finally:
            self._host.in_flight -= 1
        if reply is None:
            self.failed += 1
            return False
        self._tell_ok(call, began, reply, expected)
        return True

    async def ask(
        self, call: Call, began: float, cancellation: Cancellation | None
    ) -> Reply | None:
        """The reply of the client, or None if the caller was cancelled or cut off."""
        if not self._host.usable:
            await trio.sleep_forever()  # the run is being ended
        limit_s = PATIENCE_S if call.timeout_s is None else call.timeout_s + GRACE_S
        guard = _Guard(began + limit_s, self._fabric)
        canceller = _Canceller(cancellation, self._fabric, self._host.client)
        try:
            with guard, canceller:
                return _as_reply(await self._host.client.call(call))
        finally:
            if canceller.asked_at is not None:
                self._tell_cancelled(call, began, canceller.asked_at)
        if canceller.struck:
            self._tell_unknown(call, began, "cancelled", "the caller was cancelled")
        else:
            message = f"it had not ended {GRACE_S:g} s after its timeout: cut off by the harness"
            message += f"; it {guard.place}" if guard.place else ""
            self._tell_unknown(call, began, "timeout", message)
        return None

    def _tell_cancelled(self, call: Call, began: float, asked_at: float) -> None:
        """The caller was cancelled, whether or not the client heeded it."""
        self._tell(
            CallCancelled(at_s=asked_at - self._zero, nonce=call.nonce, after_s=asked_at - began)
        )

    def _tell_ok(self, call: Call, began: float, reply: Reply, expected: bytes) -> None:
        now = trio.current_time()
        body = reply.body
        echoed = (
            body.split(None, 1)[0].removeprefix(b"!").decode("ascii", "replace") if body else ""
        )
        self._tell(
            CallOk(
                at_s=now - self._zero,
                nonce=call.nonce,
                took_s=now - began,
                reply_nonce=echoed if self._serve == "echo" else nonce_of(body),
                reply_bytes=len(body),
                expected_bytes=len(expected),
                intact=body == expected,
            )
        )

    def _tell_failed(self, call: Call, began: float, error: BaseException) -> None:
        outcome = outcome_of(error)
        if outcome.certainty == "unknown":
            self._tell_unknown(call, began, outcome.kind, outcome.message)
            return
        now = trio.current_time()
        self._tell(
            CallFailed(
                at_s=now - self._zero,
                nonce=call.nonce,
                took_s=now - began,
                kind=outcome.kind,
                message=outcome.message,
            )
        )

    def _tell_unknown(self, call: Call, began: float, kind: str, message: str) -> None:
        now = trio.current_time()
        self._tell(
            CallUnknown(
                at_s=now - self._zero,
                nonce=call.nonce,
                took_s=now - began,
                kind=kind,
                message=message,
            )
        )


def _expected(call: Call) -> bytes:
    return reply_body(call.nonce, call.asked.size_bytes)


def _as_reply(answer: object) -> Reply:
    if isinstance(answer, Reply):
        return answer
    if isinstance(answer, bytes | bytearray):
        return Reply(bytes(answer))
    raise TypeError(f"call() returned {type(answer).__name__}; it must return Reply or bytes")


class _Guard:
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


class _Canceller:
    """Cancels the block after a while, or at its N-th step.

    ``asked_at`` tells when it did, ``struck`` whether the block ended by it.
    """

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
