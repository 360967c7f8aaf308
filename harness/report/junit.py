"""Results as JUnit XML, as Jenkins, GitLab and GitHub's viewers read it.

There is no standard, but a form that all of them take::

    testsuites > testsuite (a family with a client) > testcase (a run) > failure | error | skipped

Only what counts fails a build: a run of a level that doesn't count, and what a client can't
express, is *skipped*, with the reason as its message. An unknown verdict that counts is an
*error*, and so is what could not be set up: neither may look like a pass.
"""

from __future__ import annotations

import re
from collections.abc import Iterator, Sequence
from itertools import groupby
from typing import NamedTuple
from xml.sax.saxutils import escape, quoteattr

from harness.checks import Finding, Verdict
from harness.report.drawing import Look, draw
from harness.report.failures import failure
from harness.report.matrix import column_name, family_of
from harness.report.outcomes import Outcome, counts, outcomes
from harness.report.plain import not_supported
from harness.result import RunResult

_FORBIDDEN = re.compile("[^\t\n\r\u0020-\ud7ff\ue000-\ufffd\U00010000-\U0010ffff]")
"""What XML 1.0 (section 2.2, Char) can't hold, not even as a reference."""


class Ending(NamedTuple):
    """Why a test case didn't simply pass: ``failure``, ``error`` or ``skipped``."""

    tag: str
    kind: str
    message: str
    text: str = ""


def to_junit(results: Sequence[RunResult], *, strict: bool = False) -> str:
    """A document of one test case for each run, in suites of one family with one client."""
    told = [run for outcome in outcomes(results) for run in outcome.runs]
    told.sort(key=_suite_name)
    suites = [
        (name, [(run, ending(run, strict=strict)) for run in runs])
        for name, runs in groupby(told, key=_suite_name)
    ]
    everything = [case for _, cases in suites for case in cases]
    lines = [
        '<?xml version="1.0" encoding="UTF-8"?>',
        f"<testsuites{_attributes(name='chaos-harness', **_counted(everything))}>",
        *(line for name, cases in suites for line in _suite(name, cases)),
        "</testsuites>",
    ]
    return "\n".join(lines) + "\n"


def ending(run: RunResult, *, strict: bool = False) -> Ending | None:
    """What a run is to a CI system, unless it passed."""
    if run.verdict is Verdict.PASS:
        return None
    if run.unsupported:
        reason = not_supported(run.unsupported)
        is_error = strict and counts(run.scenario.level, strict=True)
        return Ending("error", "unknown", reason) if is_error else Ending("skipped", "", reason)
    message = _message(run)
    if not counts(run.scenario.level, strict=strict):
        level = f"level {run.scenario.level} does not count"
        return Ending("skipped", "", f"{run.verdict.value}: {message} ({level})")
    if run.setup_error:
        return Ending("error", "set-up", message, run.command())
    text = draw(failure(Outcome((run,)), Look(), strict=strict), Look())
    if run.verdict is Verdict.FAIL:
        return Ending("failure", _worst(run).check, message, text)
    return Ending("error", "unknown", message, text)


def _message(run: RunResult) -> str:
    if run.setup_error:
        return f"set-up failed: {run.setup_error}"
    found = _worst(run)
    more = len(run.failures) - 1
    return f"{found.check}: {found.actual}" + (f" (and {more} more)" if more else "")


def _worst(run: RunResult) -> Finding:
    return run.failures[0]


def _suite_name(run: RunResult) -> str:
    return f"{family_of(run.scenario.id)} ({column_name(run.choice)})"


def _suite(name: str, cases: Sequence[tuple[RunResult, Ending | None]]) -> Iterator[str]:
    yield f"  <testsuite{_attributes(name=name, **_counted(cases))}>"
    first = cases[0][0]
    yield "    <properties>"
    for key, value in first.environment.items():
        yield f"      <property{_attributes(name=key, value=value)}/>"
    yield f"      <property{_attributes(name='client', value=column_name(first.choice))}/>"
    yield "    </properties>"
    for run, ended in cases:
        yield from _case(run, ended)
    yield "  </testsuite>"


def _case(run: RunResult, ended: Ending | None) -> Iterator[str]:
    rest = run.scenario.id.partition("/")[2] or run.scenario.id
    again = f" #{run.round}" if run.round > 1 else ""
    where = f"{column_name(run.choice)}.{family_of(run.scenario.id)}"
    head = _attributes(name=rest + again, classname=where, time=f"{run.took_s:.3f}")
    if ended is None:
        yield f"    <testcase{head}/>"
        return
    yield f"    <testcase{head}>"
    told = _attributes(message=ended.message, **({"type": ended.kind} if ended.kind else {}))
    body = escape(_legal(ended.text))
    yield f"      <{ended.tag}{told}>{body}</{ended.tag}>"
    yield "    </testcase>"


def _counted(cases: Sequence[tuple[RunResult, Ending | None]]) -> dict[str, str]:
    tags = [ended.tag for _, ended in cases if ended is not None]
    took_s = sum(run.took_s for run, _ in cases)
    return {
        "tests": str(len(cases)),
        "failures": str(tags.count("failure")),
        "errors": str(tags.count("error")),
        "skipped": str(tags.count("skipped")),
        "time": f"{took_s:.3f}",
    }


def _attributes(**values: str) -> str:
    """Attributes, each behind a blank; line ends in them are written as references."""
    entities = {"\n": "&#10;", "\r": "&#13;", "\t": "&#9;"}
    return "".join(f" {name}={quoteattr(_legal(text), entities)}" for name, text in values.items())


def _legal(text: str) -> str:
    return _FORBIDDEN.sub(lambda found: found[0].encode("unicode_escape").decode(), text)
