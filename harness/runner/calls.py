"""One call from beginning to end: invoked, perhaps cancelled, judged as ok, failed or unknown."""

from __future__ import annotations

from collections.abc import Callable

import trio

from harness.clients import Call, ProcessClient, Reply, outcome_of
from harness.fabric import Fabric
from harness.faults import Cancellation
from harness.history import (
    CallCancelled,
    CallFailed,
    CallInvoked,
    CallOk,
    CallUnknown,
    Event,
)
from harness.runner.cancelling import Guard, canceller
from harness.runner.host import CLIENT_RAISES, ClientHost
from harness.scenario import Origin, PlannedCall
from harness.worker.contract import Asked, nonce_of, repeated_name, reply_body

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
        origin: Origin,
        tell: Callable[[Event], None],
        zero: float,
    ) -> None:
        self._host = host
        self._fabric = fabric
        self._origin = origin
        self._tell = tell
        self._zero = zero
        self.made = 0
        self.failed = 0
        self.cut_off = 0

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
            session=planned.session,
        )
        return await self.make_call(call, caller, phase, cancellation or planned.cancel)

    async def make_call(
        self, call: Call, caller: int, phase: str, cancellation: Cancellation | None = None
    ) -> bool:
        """Make a call; whether it was answered."""
        expected = self._expected(call)
        began = trio.current_time()
        self._tell(
            CallInvoked(
                at_s=began - self._zero,
                nonce=call.nonce,
                caller=caller,
                phase=phase,
                unsafe=call.unsafe,
                expected_bytes=0 if expected is None else len(expected),
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
        client, there = self._host.turn()
        guard = Guard(began + limit_s, self._fabric)
        cancels = canceller(cancellation, self._fabric, client, call.nonce)
        try:
            with there, guard, cancels:
                return _as_reply(await client.call(call))
        finally:
            if cancels.asked_at is not None:
                self._tell_cancelled(call, began, cancels.asked_at)
        if cancels.struck:
            self._tell_unknown(call, began, "cancelled", "the caller was cancelled")
        else:
            self.cut_off += 1
            message = f"it had not ended {GRACE_S:g} s after its timeout: cut off by the harness"
            is_here = not isinstance(client, ProcessClient)
            message += f"; it {guard.place}" if guard.place and is_here else ""
            self._tell_unknown(call, began, "timeout", message)
        return None

    def _tell_cancelled(self, call: Call, began: float, asked_at: float) -> None:
        """The caller was cancelled, whether or not the client heeded it."""
        self._tell(
            CallCancelled(at_s=asked_at - self._zero, nonce=call.nonce, after_s=asked_at - began)
        )

    def _expected(self, call: Call) -> bytes | None:
        """The one reply that is right; None if nobody knows what this origin replies."""
        if "names" not in self._origin.tells:
            return None
        match self._origin.protocol:
            case "echo":
                return call.line
            case "http":
                return reply_body(call.nonce, call.asked.size_bytes)
            case _:
                return repeated_name(call.nonce, call.asked.size_bytes)

    def _tell_ok(self, call: Call, began: float, reply: Reply, expected: bytes | None) -> None:
        now = trio.current_time()
        body = reply.body
        self._tell(
            CallOk(
                at_s=now - self._zero,
                nonce=call.nonce,
                took_s=now - began,
                reply_nonce=call.nonce if expected is None else self._name_in(body),
                reply_bytes=len(body),
                expected_bytes=len(body if expected is None else expected),
                intact=expected is None or body == expected,
            )
        )

    def _name_in(self, body: bytes) -> str:
        """The nonce that a reply names, or empty."""
        if self._origin.protocol != "echo":
            return nonce_of(body)
        first = body.split(None, 1)[:1]
        return first[0].removeprefix(b"!").decode("ascii", "replace") if first else ""

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


def _as_reply(answer: object) -> Reply:
    if isinstance(answer, Reply):
        return answer
    if isinstance(answer, bytes | bytearray):
        return Reply(bytes(answer))
    raise TypeError(f"call() returned {type(answer).__name__}; it must return Reply or bytes")
