"""``connections_opened``: how many connections the client opens for its work."""

from __future__ import annotations

from dataclasses import dataclass
from typing import Any, ClassVar

from harness.checks._base import Finding
from harness.checks._fields import AtLeast, AtMost, demand_any
from harness.checks._run import is_workload_over, until_healed
from harness.checks._verdicts import bounds, decide, many, unknown
from harness.history import ConnectionClosed, ConnectionOpened, History, ProxyEvent
from harness.units import YAML_CONFIG


@dataclass(frozen=True, slots=True, kw_only=True)
class ConnectionsOpened:
    """The client opens no more connections than it needs, and no fewer than it must.

    Connections are counted as the proxy accepted them, from the start until every fault is healed;
    what the recovery probes open is not the scenario's. For an exact number give both limits.

    Evidence: the connections beyond the limit, or those there were. Unknown if the proxy told
    nothing at all.
    """

    __pydantic_config__: ClassVar[Any] = YAML_CONFIG
    NAME: ClassVar[str] = "connections_opened"
    GROUP: ClassVar[str] = "conservation"
    REQUIREMENT: ClassVar[str] = (
        "A pool must reuse connections that are good and replace those that are not, no more."
    )
    SHORTHAND: ClassVar[str | None] = "at_most"
    EXAMPLES: ClassVar[tuple[str, ...]] = (
        "connections_opened: 12",
        "connections_opened: {at_least: 2, at_most: 12}",
    )

    at_most: AtMost | None = None
    at_least: AtLeast | None = None

    def __post_init__(self) -> None:
        demand_any(at_most=self.at_most, at_least=self.at_least)

    def judge(self, history: History) -> Finding:
        """Count the connections of the workload."""
        expected = f"{bounds(self.at_most, self.at_least, 'connection')} opened before healing"
        if history.first(ProxyEvent) is None:
            return unknown(self, expected, "the proxy told nothing")
        cancels = {
            event.connection
            for _, event in history.of(ConnectionClosed)
            if event.purpose == "cancel"  # of a query: none of the pool's
        }
        seen = until_healed(history, ConnectionOpened)
        opened = [number for number, event in seen if event.connection not in cancels]
        actual = f"{many(len(opened), 'connection')} opened"
        too_many = self.at_most is not None and len(opened) > self.at_most
        too_few = self.at_least is not None and len(opened) < self.at_least
        # Too few may still become enough in a part of the history that is missing.
        failed = too_many or (too_few and is_workload_over(history))
        shown = opened[self.at_most :] if too_many else opened
        return decide(self, history, expected, actual, failed=failed, evidence=shown)
