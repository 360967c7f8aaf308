"""Results for programs, as plain values that ``json.dumps`` takes."""

from __future__ import annotations

from collections.abc import Sequence
from dataclasses import asdict
from typing import Any

from harness import __version__
from harness.checks import Finding, Verdict, worst
from harness.history import History
from harness.report.means import means
from harness.report.outcomes import UNKNOWN, Outcome, counts, outcomes, tally
from harness.report.strip import ranges
from harness.result import RunResult

VERSION = 1
"""Goes up when a reader of the older form would misunderstand the newer."""


def to_json(
    results: Sequence[RunResult], *, took_s: float | None = None, strict: bool = False
) -> dict[str, Any]:
    """Everything that is known of these results, evidence included, sorted by id, value, round.

    ::

        version     1, the version of this form; fields may be added to it, none change
        harness     the version of the harness
        results     a list, each with
          id, verdict, level, counts       counts: whether its level can fail the run
          scenario, value                  id without the value of a sweep, and that value
          client, fabric, seed, round
          calls, errors, connections_opened, fired
          recovery_s                       null if not measured, or never recovered
          performed_by                     by each fault's word what performed it, a list of proxy,
                                           router, netem, tbf, htb, host, port; {} without a choice
          took_s
          setup_error                      "" unless the run could not be set up
          unsupported                      what the client can't express; then nothing ran
          environment                      what it ran on, by name
          findings    a list, each with check, verdict, requirement, expected, actual and
            evidence  a list of events, each with id, at_s, witness, type and its own fields
          command                          repeats exactly this run
        sweeps      a list, one for each scenario that swept a condition, each with
          scenario, client, condition, values, verdict
          fails, unknown                   lists of ranges, such as "1.9985s..2.0005s"
        totals      passed, failed, unknown, not_set_up, excused_failed, excused_unknown,
                    not_supported, verdict (the worst that counts), took_s, exit_code
    """
    ordered = [run for outcome in outcomes(results) for run in outcome.runs]
    return {
        "version": VERSION,
        "harness": __version__,
        "results": [_result(run, strict) for run in ordered],
        "sweeps": [_sweep(outcome) for outcome in outcomes(results) if outcome.swept],
        "totals": _totals(results, took_s, strict),
    }


def _totals(results: Sequence[RunResult], took_s: float | None, strict: bool) -> dict[str, Any]:
    counted = tally(results, strict=strict)
    what_counts = [
        run.verdict
        for run in results
        if counts(run.scenario.level, strict=strict) and (strict or not run.unsupported)
    ]
    if counted.exit_code == UNKNOWN:  # also if there was nothing to judge
        what_counts.append(Verdict.UNKNOWN)
    return {
        **asdict(counted),
        "verdict": worst(what_counts).value,
        "took_s": took_s,
        "exit_code": counted.exit_code,
    }


def _sweep(outcome: Outcome) -> dict[str, Any]:
    return {
        "scenario": outcome.id,
        "client": outcome.runs[0].client,
        "condition": outcome.swept,
        "values": len(outcome.marks),
        "verdict": outcome.verdict.value,
        "fails": ranges(outcome.marks, Verdict.FAIL),
        "unknown": ranges(outcome.marks, Verdict.UNKNOWN),
    }


def _result(run: RunResult, strict: bool) -> dict[str, Any]:
    return {
        "id": run.scenario.id,
        "scenario": run.scenario.base_id,
        "value": run.scenario.value,
        "verdict": run.verdict.value,
        "level": run.scenario.level,
        "counts": counts(run.scenario.level, strict=strict),
        "client": run.client,
        "fabric": run.fabric,
        "seed": run.seed,
        "round": run.round,
        "calls": run.calls,
        "errors": run.errors,
        "connections_opened": run.connections_opened,
        "fired": run.fired,
        "recovery_s": run.recovery_s,
        "performed_by": means([run]),
        "took_s": run.took_s,
        "setup_error": run.setup_error,
        "unsupported": list(run.unsupported),
        "environment": dict(run.environment),
        "findings": [_finding(finding, run.history) for finding in run.findings],
        "command": run.command(),
    }


def _finding(finding: Finding, history: History) -> dict[str, Any]:
    return {
        "check": finding.check,
        "verdict": finding.verdict.value,
        "requirement": finding.requirement,
        "expected": finding.expected,
        "actual": finding.actual,
        "evidence": [
            _event(history, number) for number in finding.evidence if 0 <= number < len(history)
        ],
    }


def _event(history: History, number: int) -> dict[str, Any]:
    event = history.events[number]
    head = {"id": number, "witness": event.WITNESS, "type": type(event).__name__}
    return head | asdict(event)
