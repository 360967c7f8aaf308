"""How a call to a client in another process can end, and who waits for that."""

from __future__ import annotations

from collections.abc import Callable

import trio

from harness.worker.messages import Answer
from harness.worker.outcome import Outcome


class ClientGone(Exception):  # noqa: N818 - states what is so
    """The client's process has ended, or said what makes no sense; nothing more can be asked."""

    def __init__(self, message: str, *, sent: bool = True) -> None:
        super().__init__(message)
        self.outcome = Outcome("unknown" if sent else "failed", "other", message)


class NotAnswered(Exception):  # noqa: N818 - states what is so
    """The client says that a call got no reply; ``outcome`` is what it says."""

    def __init__(self, outcome: Outcome) -> None:
        super().__init__(outcome.message)
        self.outcome = outcome


class CallStruck(NotAnswered):
    """The client says that a call ended because its caller was cancelled."""

    def __init__(self) -> None:
        super().__init__(Outcome("unknown", "cancelled", "the caller was cancelled"))


class Waiting:
    """A request that waits for its answer."""

    __slots__ = ("_answer", "_failure", "ended", "on_cancelling")

    def __init__(self, on_cancelling: Callable[[], None] | None = None) -> None:
        self.ended = trio.Event()
        self.on_cancelling = on_cancelling
        self._answer: Answer | None = None
        self._failure: ClientGone | None = None

    def struck(self) -> None:
        """Its cancellation is at work now; told once."""
        act, self.on_cancelling = self.on_cancelling, None
        if act is not None:
            act()

    def end(self, answer: Answer) -> None:
        """It is answered."""
        if answer.cancelled:
            self.struck()
        self._answer = answer
        self.ended.set()

    def fail(self, failure: ClientGone) -> None:
        """It won't be answered."""
        self._failure = failure
        self.ended.set()

    def result(self) -> Answer:
        """The answer, once it has ended. Raises ClientGone, CallStruck or NotAnswered."""
        if self._failure is not None:
            raise self._failure
        answer = self._answer
        assert answer is not None
        if answer.cancelled:
            raise CallStruck
        if answer.outcome is not None:
            raise NotAnswered(answer.outcome)
        return answer
