"""What the three ways to serve a client have in common: its answers, and what is kept."""

from __future__ import annotations

from collections import deque
from typing import TYPE_CHECKING, Any

from harness.worker.contract import Reply, Settings
from harness.worker.messages import Message, error_answer, reply_answer, settings_of
from harness.worker.outcome import outcome_of

if TYPE_CHECKING:
    from harness.worker.stdio import Stdio

KEPT_ERRORS = 1_000
"""The last exceptions are held until leaks are counted, as a log or a future of a caller's may."""


class Desk:
    """Sends the answers of one client, and holds on to its exceptions."""

    def __init__(self, stdio: Stdio) -> None:
        self._stdio = stdio
        self._kept: deque[BaseException] = deque(maxlen=KEPT_ERRORS)

    def settings(self, message: Message) -> Settings:
        """The settings of an ``open`` line."""
        return settings_of(message, self._on_leak)

    def _on_leak(self, where: str) -> None:
        self._stdio.send({"event": "leak", "where": where})

    def done(self, number: int) -> None:
        """``open`` or ``close`` has returned."""
        self._stdio.send({"id": number, "ok": True})

    def replied(self, number: int, answer: Any) -> None:
        """A call has returned; what is no reply is an error."""
        if isinstance(answer, (bytes, bytearray)):
            answer = Reply(bytes(answer))
        body = answer.body if isinstance(answer, Reply) else None
        if isinstance(body, (bytes, bytearray)):
            self._stdio.send(reply_answer(number, answer))
            return
        kind = f"Reply({body!r:.40})" if isinstance(answer, Reply) else type(answer).__name__
        self.raised(number, TypeError(f"call() returned {kind}; it must return Reply or bytes"))

    def raised(self, number: int, error: BaseException) -> None:
        """A request ended with an exception."""
        self._kept.append(error)
        self._stdio.send(error_answer(number, outcome_of(error)))

    def cancelling(self, number: int) -> None:
        """A call is cancelled now."""
        self._stdio.send({"event": "cancelling", "id": number})

    def cancelled(self, number: int, error: BaseException | None = None) -> None:
        """A call ended because it was cancelled."""
        if error is not None:
            self._kept.append(error)
        self._stdio.send({"id": number, "cancelled": True})
