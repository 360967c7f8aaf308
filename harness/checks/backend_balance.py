"""``backend_balance``: load is spread over the backends."""

from __future__ import annotations

from dataclasses import dataclass
from math import inf
from typing import Any, ClassVar

from harness.checks._base import Finding
from harness.checks._fields import AtMostRatio
from harness.checks._run import until_healed
from harness.checks._verdicts import decide, unknown
from harness.history import ConnectionOpened, Executed, History, RunStarted
from harness.units import YAML_CONFIG


@dataclass(frozen=True, slots=True, kw_only=True)
class BackendBalance:
    """The busiest backend executes at most this many times as many calls as the least busy one.

    Executions until healing are counted for every backend of the scenario; one that executed
    nothing makes the ratio infinite.

    Evidence: the first execution on each backend. Unknown if fewer than two backends were in
    use, or if nothing was executed.
    """

    __pydantic_config__: ClassVar[Any] = YAML_CONFIG
    NAME: ClassVar[str] = "backend_balance"
    GROUP: ClassVar[str] = "fairness"
    REQUIREMENT: ClassVar[str] = (
        "A pool must not keep all of its load on one server when others share the work."
    )
    SHORTHAND: ClassVar[str | None] = "at_most"
    EXAMPLES: ClassVar[tuple[str, ...]] = ("backend_balance: 3", "backend_balance: {at_most: 3}")

    at_most: AtMostRatio

    def judge(self, history: History) -> Finding:
        """Compare the executions on each backend."""
        expected = f"the busiest backend at most {self.at_most:g} times as busy as the least"
        executed = until_healed(history, Executed)
        opened = until_healed(history, ConnectionOpened)
        share = {connection.backend: 0 for _, connection in opened if connection.backend}
        started = history.first(RunStarted)
        share |= dict.fromkeys(started.backends if started is not None else (), 0)
        first: dict[str, int] = {}
        for number, run in executed:
            share[run.backend] = share.get(run.backend, 0) + 1
            first.setdefault(run.backend, number)
        if len(share) < 2 or not executed:
            return unknown(self, expected, "fewer than two backends were in use")
        most, least = max(share.values()), min(share.values())
        ratio = most / least if least else inf
        actual = ", ".join(f"{name} {count}" for name, count in sorted(share.items()))
        actual = f"{ratio:.3g} times; executions: {actual}"
        return decide(
            self, history, expected, actual, failed=ratio > self.at_most, evidence=first.values()
        )
