"""Which checks may be asked of a run whose times are not those that its scenario was written for.

A scenario's limits on counts and durations (``connections_opened``, ``latency``, ``connect_rate``)
hold for its own times: callers who wait for twice the idle timeout need more connections, and no
client can help it. So they are judged only where the scenario itself says how it is perturbed.
What must hold at any time is always judged. Errors lie between: who calls while a link is down
sees one. They count if the reference client, in the very same run, has none.
"""

from __future__ import annotations

from dataclasses import replace

from harness.checks import Check, Verdict
from harness.result import RunResult
from harness.scenario import Perturb, Scenario

CONTROL = "reference"
"""The client that tells what can be asked for."""
TIMELESS_GROUPS = ("safety", "meta")
TIMELESS = ("no_leaks", "slots_conserved")
"""What must hold whenever callers come and however late packets are, besides those groups.

That calls end within their own time limits is always on, so only ``within`` is left out of it.
"""
COMPARED = ("errors", "error_names_cause")
"""What must hold if it holds for the reference client."""


def fair(scenario: Scenario, client: str) -> Scenario:
    """The scenario with the checks that are fair under a perturbation that isn't its own."""
    if scenario.perturb != Perturb():
        return scenario
    asked = tuple(check for check in scenario.checks if _is_fair(check, client))
    return replace(scenario, checks=asked)


def _is_fair(check: Check, client: str) -> bool:
    if check.GROUP in TIMELESS_GROUPS or check.NAME in TIMELESS:
        return True
    return check.NAME in COMPARED and client != CONTROL


def without_shared(result: RunResult, control: RunResult) -> RunResult:
    """The result in which what the control fails as well is not failed but unknown."""
    shared = {finding.check for finding in control.findings if finding.verdict is Verdict.FAIL}
    findings = tuple(
        replace(finding, verdict=Verdict.UNKNOWN)
        if finding.verdict is Verdict.FAIL and finding.check in shared
        else finding
        for finding in result.findings
    )
    return replace(result, findings=findings)
