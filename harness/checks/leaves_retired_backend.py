"""``leaves_retired_backend``: work moves away from a backend that is taken out."""

from __future__ import annotations

from dataclasses import dataclass, field
from typing import Any, ClassVar

from harness.checks._base import Finding
from harness.checks._fields import WithinS
from harness.checks._run import exceeds, healed, in_order
from harness.checks._verdicts import decide, many, unknown
from harness.history import BackendRestored, BackendRetired, Executed, History
from harness.units import YAML_CONFIG, format_duration


@dataclass(frozen=True, slots=True, kw_only=True)
class LeavesRetiredBackend:
    """After a backend was taken out, no call is executed there any more, from this time on.

    A backend that later is the successor of another one is in use again. There must be calls
    executed elsewhere after that time, else nobody was there to be moved. What happens after
    healing doesn't count, because healing may bring a backend back.

    Evidence: the retirement and the executions on the retired backend that came too late, or the
    first one elsewhere. Unknown if no backend was retired, or if nothing was executed elsewhere
    after the time was over.
    """

    __pydantic_config__: ClassVar[Any] = YAML_CONFIG
    NAME: ClassVar[str] = "leaves_retired_backend"
    GROUP: ClassVar[str] = "fairness"
    REQUIREMENT: ClassVar[str] = (
        "A pool must not cling to a server that was taken out just because it still answers."
    )
    SHORTHAND: ClassVar[str | None] = "within_s"
    EXAMPLES: ClassVar[tuple[str, ...]] = (
        "leaves_retired_backend: 5s",
        "leaves_retired_backend: {within: 5s}",
    )

    within_s: WithinS

    def judge(self, history: History) -> Finding:
        """Follow which backends are out, and who executes."""
        limit = format_duration(self.within_s)
        expected = f"nothing executed on a retired backend later than {limit} after"
        retirements = self._follow(history)
        if not retirements:
            return unknown(self, expected, "no backend was retired")
        late = [r for r in retirements if r.clinging]
        unshown = [r for r in retirements if not r.moved]
        number = sum(len(r.clinging) for r in late)
        actual = f"{many(number, 'call')} executed on a retired backend later than {limit} after"
        reason = f"nothing was executed elsewhere later than {limit} after a retirement"
        ids = [[r.event_id, *(r.clinging or r.moved)] for r in (late or retirements)]
        return decide(
            self,
            history,
            expected,
            actual,
            failed=bool(late),
            evidence=[event_id for group in ids for event_id in group],
            undecided=reason if unshown else "",
        )

    def _follow(self, history: History) -> list[_Retirement]:
        found: list[_Retirement] = []
        out: dict[str, _Retirement] = {}
        end = healed(history)
        for number, event in in_order(history):
            if end is not None and (event.at_s, number) >= end:
                break
            if isinstance(event, BackendRetired):
                out.pop(event.successor, None)
                out[event.backend] = _Retirement(number, event.at_s)
                found.append(out[event.backend])
            elif isinstance(event, BackendRestored):
                out.pop(event.backend, None)
            elif isinstance(event, Executed):
                self._note(out, number, event)
        return found

    def _note(self, out: dict[str, _Retirement], number: int, executed: Executed) -> None:
        for backend, retirement in out.items():
            if not exceeds(executed.at_s - retirement.at_s, self.within_s):
                continue
            if executed.backend == backend:
                retirement.clinging.append(number)
            elif not retirement.moved:
                retirement.moved.append(number)


@dataclass(slots=True)
class _Retirement:
    """One backend taken out, and what was executed too late there, or first elsewhere."""

    event_id: int
    at_s: float
    clinging: list[int] = field(default_factory=list)
    moved: list[int] = field(default_factory=list)
