"""What a failing run fails by, so that a smaller one can be asked for the same."""

from __future__ import annotations

from dataclasses import dataclass

from harness.checks import Finding, Verdict, all_checks
from harness.history import History
from harness.result import RunResult

GROUPS = ("safety", "conservation", "errors", "fairness", "liveness", "load")
"""Of several failing checks the one of the earlier group says more of the cause."""


@dataclass(frozen=True, slots=True)
class Target:
    """A check that failed, and what its evidence consists of.

    ``kinds`` names the types of the evidence's events, and how a call among them ended: errors
    by reset are another failure than errors by timeout.
    """

    check: str
    kinds: frozenset[str] = frozenset()

    def is_hit_by(self, result: RunResult) -> bool:
        """Whether a run fails by the same check, for nothing that wasn't seen before."""
        found = (kinds_of(finding, result.history) for finding in _failed(result, self.check))
        return any(kinds <= self.kinds and bool(kinds) == bool(self.kinds) for kinds in found)


def target_of(result: RunResult) -> Target | None:
    """The failure to look for in smaller runs; None if nothing failed."""
    finding = telling(result)
    return None if finding is None else Target(finding.check, kinds_of(finding, result.history))


def telling(result: RunResult, check: str | None = None) -> Finding | None:
    """The failed finding that says most, or that of the named check; None if there is none."""
    return min(_failed(result, check), key=_place, default=None)


def _failed(result: RunResult, check: str | None = None) -> list[Finding]:
    failed = (finding for finding in result.findings if finding.verdict is Verdict.FAIL)
    return [finding for finding in failed if check is None or finding.check == check]


def _place(finding: Finding) -> int:
    group = getattr(all_checks().get(finding.check), "GROUP", "")
    return GROUPS.index(group) if group in GROUPS else len(GROUPS)


def kinds_of(finding: Finding, history: History) -> frozenset[str]:
    """The types of the evidence's events, each with its ``kind`` if it has one."""
    events = [history.events[number] for number in finding.evidence if number < len(history)]
    return frozenset(
        f"{type(event).__name__} {getattr(event, 'kind', '')}".strip() for event in events
    )
