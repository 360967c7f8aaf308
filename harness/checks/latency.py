"""``latency``: how long calls may take that succeed."""

from __future__ import annotations

from dataclasses import dataclass
from math import inf
from typing import Annotated, Any, ClassVar

from pydantic import Field

from harness.checks._base import Finding
from harness.checks._calls import workload_calls
from harness.checks._fields import LimitS, demand_any
from harness.checks._run import exceeds
from harness.checks._verdicts import decide, many, unknown
from harness.history import CallOk, History
from harness.units import YAML_CONFIG, format_duration


@dataclass(frozen=True, slots=True, kw_only=True)
class Latency:
    """Calls that succeed take no longer than this, at these percentiles.

    Durations are those of successful calls made before healing, as their callers measured them,
    time in the pool's queue included. A percentile is the nearest rank: ``p99`` of 200 calls is
    the 198th shortest, always a duration that occurred; of few calls it is the longest. Calls
    that failed don't count: limit them with ``errors`` and ``every_call_ends``.

    Evidence: the calls that are slower than the first limit exceeded, slowest first. Unknown if
    no call succeeded.
    """

    __pydantic_config__: ClassVar[Any] = YAML_CONFIG
    NAME: ClassVar[str] = "latency"
    GROUP: ClassVar[str] = "errors"
    REQUIREMENT: ClassVar[str] = (
        "Trouble on some connections must not slow down the calls that don't need them."
    )
    SHORTHAND: ClassVar[str | None] = None
    EXAMPLES: ClassVar[tuple[str, ...]] = (
        "latency: {p99: 250ms}",
        "latency: {p50: 20ms, p95: <100ms, max: 1s}",
    )

    p50_s: Annotated[LimitS | None, Field(description="half of the calls")] = None
    p95_s: Annotated[LimitS | None, Field(description="95 of 100 calls")] = None
    p99_s: Annotated[LimitS | None, Field(description="99 of 100 calls")] = None
    max_s: Annotated[LimitS | None, Field(description="every call")] = None

    def __post_init__(self) -> None:
        demand_any(p50=self.p50_s, p95=self.p95_s, p99=self.p99_s, max=self.max_s)

    def judge(self, history: History) -> Finding:
        """Compare each percentile with its limit."""
        limits = {name: limit_s for name, limit_s in self._all() if limit_s is not None}
        expected = ", ".join(f"{name} at most {format_duration(s)}" for name, s in limits.items())
        outcomes = (call.outcome for call in workload_calls(history) if call.outcome is not None)
        slowest = sorted(
            ((ok.took_s, number) for number, ok in outcomes if isinstance(ok, CallOk)),
            reverse=True,
        )
        if not slowest:
            return unknown(self, expected, "no call succeeded")
        reached = {name: slowest[_place(name, len(slowest))][0] for name in limits}
        over = [name for name in limits if exceeds(reached[name], limits[name])]
        actual = ", ".join(f"{name} {format_duration(s)}" for name, s in reached.items())
        limit_s = limits[over[0]] if over else -inf
        return decide(
            self,
            history,
            expected,
            f"{actual} of {many(len(slowest), 'call')}",
            failed=bool(over),
            evidence=[number for took_s, number in slowest if exceeds(took_s, limit_s)],
        )

    def _all(self) -> tuple[tuple[str, float | None], ...]:
        return ("p50", self.p50_s), ("p95", self.p95_s), ("p99", self.p99_s), ("max", self.max_s)


def _place(name: str, number: int) -> int:
    """Where in a list that begins with the slowest a percentile stands, by nearest rank."""
    percent = 100 if name == "max" else int(name.removeprefix("p"))
    rank = -(-percent * number // 100)
    return number - max(1, rank)
