"""Results made by hand: what a run of some scenario might have come to."""

from __future__ import annotations

from typing import Any

from harness import history as ev
from harness.checks import Finding, Verdict
from harness.choice import ClientChoice
from harness.result import RunResult
from harness.scenario import Scenario

ASKED: dict[str, Any] = {"caller": 2, "phase": "resume", "unsafe": True, "expected_bytes": 256}


def history(calls: int = 3, failed: int = 0, opened: int = 2, recovery_s: float | None = 0.012):
    """A short run: connections, calls of which some failed, healing and probes."""
    story = ev.History()
    for number in range(1, opened + 1):
        story.add(ev.ConnectionOpened(at_s=0.1, connection=number, backend="blue"))
    for number in range(calls):
        nonce = f"p1-c{number}-9f03ab"
        story.add(ev.CallInvoked(at_s=1.2, nonce=nonce, **ASKED))
        if number < failed:
            story.add(
                ev.CallFailed(
                    at_s=1.25, nonce=nonce, took_s=0.05, kind="reset", message="reset by peer"
                )
            )
    story.add(ev.FaultFired(at_s=1.2051, index=0, fault="reset", connection=2, where="byte 512"))
    story.add(ev.Healed(at_s=2.0))
    if recovery_s is not None:
        story.add(ev.RecoveryProbed(at_s=2.0 + recovery_s, round=1, calls=0, ok=0))
    return story


def finding(verdict: Verdict = Verdict.PASS, **changes: Any) -> Finding:
    values: dict[str, Any] = {
        "check": "at_most_once",
        "verdict": verdict,
        "requirement": "A call that is not safe to repeat must never be sent again.",
        "expected": "every unsafe call executed at most once",
        "actual": "of 100 unsafe calls 1 ran more than once",
        "evidence": (2, 3, 4),
    }
    return Finding(**(values | changes))


def result(id: str = "idle/fin/race", verdict: Verdict = Verdict.PASS, **changes: Any) -> RunResult:  # noqa: A002
    level = changes.pop("level", "must")
    story = changes.pop("history", None)
    if story is None:
        story = history(failed=verdict is Verdict.FAIL)
    values: dict[str, Any] = {
        "scenario": Scenario(id=id, name=id.rpartition("/")[2], level=level),
        "choice": ClientChoice(changes.pop("client", "reference")),
        "seed": 7,
        "fabric": "loopback",
        "history": story,
        "findings": (finding(verdict),),
        "took_s": 1.34,
    }
    return RunResult(**(values | changes))
