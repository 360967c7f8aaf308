"""The client did what every client must: open, answer, close."""

from __future__ import annotations

from dataclasses import dataclass
from typing import Any, ClassVar

from harness.checks._base import Finding
from harness.checks._verdicts import decide, unknown
from harness.history import ClientClosed, ClientFailed, ClientOpened, History
from harness.units import YAML_CONFIG


@dataclass(frozen=True, slots=True, kw_only=True)
class ClientContract:
    """Demands that the client opens and closes without raising and without hanging.

    It is judged in every run. Evidence: ``ClientFailed``, an exception or a time limit in
    ``open`` or ``close``, or a call that blocked the event loop. Unknown if the history doesn't
    show that the client was opened and closed.
    """

    NAME: ClassVar[str] = "client_contract"
    GROUP: ClassVar[str] = "meta"
    REQUIREMENT: ClassVar[str] = "The client opens, takes calls and closes as its contract says."
    SHORTHAND: ClassVar[str | None] = None
    EXAMPLES: ClassVar[tuple[str, ...]] = ("client_contract: true",)
    __pydantic_config__: ClassVar[Any] = YAML_CONFIG

    def judge(self, history: History) -> Finding:
        """Fail if the client failed as such."""
        expected = "open() and close() return without raising"
        failed = history.of(ClientFailed)
        if failed:
            event = failed[0][1]
            actual = f"{event.during}(): {event.kind}: {event.message}"
            ids = [event_id for event_id, _ in failed]
            return decide(self, history, expected, actual, failed=True, evidence=ids)
        if history.first(ClientOpened) is None or history.first(ClientClosed) is None:
            return unknown(self, expected, "the client was not opened and closed")
        return decide(self, history, expected, "they did", failed=False)
