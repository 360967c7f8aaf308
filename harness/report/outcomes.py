"""Results counted: which scenarios passed, what counts, and what the exit code is."""

from __future__ import annotations

from collections.abc import Iterable, Sequence
from dataclasses import dataclass

from harness.checks import Verdict, worst
from harness.report.strip import Mark
from harness.result import RunResult
from harness.scenario import swept_value

PASSED, FAILED, UNKNOWN, SET_UP_FAILED = 0, 1, 2, 4
"""Exit codes of a run, apart from those for mistakes and interruptions."""


@dataclass(frozen=True, slots=True)
class Outcome:
    """All the runs of one scenario with one client, by the values of its sweep and by rounds."""

    runs: tuple[RunResult, ...]

    @property
    def id(self) -> str:
        """The scenario's id."""
        return self.runs[0].scenario.base_id

    @property
    def level(self) -> str:
        """The scenario's level: must, should or info."""
        return self.runs[0].scenario.level

    @property
    def verdict(self) -> Verdict:
        """The worst of the runs."""
        return worst(run.verdict for run in self.runs)

    @property
    def passed(self) -> int:
        """How many of the runs passed."""
        return sum(run.verdict is Verdict.PASS for run in self.runs)

    @property
    def share(self) -> str:
        """``48/50``: how many of how many runs passed."""
        return f"{self.passed}/{len(self.runs)}"

    @property
    def flaky(self) -> bool:
        """Whether runs of the same thing disagree."""
        return any(len({run.verdict for run in same}) > 1 for same in self.by_value.values())

    @property
    def by_value(self) -> dict[str, list[RunResult]]:
        """The runs for each value of a sweep; without one all of them, under an empty name."""
        found: dict[str, list[RunResult]] = {}
        for run in self.runs:
            found.setdefault(run.scenario.value, []).append(run)
        return found

    @property
    def swept(self) -> str:
        """The condition that was swept, or nothing."""
        return self.runs[0].scenario.value.partition("=")[0]

    @property
    def marks(self) -> list[Mark]:
        """Each value of a sweep and the worst verdict of its runs, in order."""
        return [
            Mark(value.partition("=")[2], worst(run.verdict for run in runs))
            for value, runs in self.by_value.items()
        ]

    @property
    def unsupported(self) -> tuple[str, ...]:
        """What the scenario needs and the client hasn't got; then none of the runs was made."""
        words = dict.fromkeys(word for run in self.runs for word in run.unsupported)
        return tuple(words) if all(run.unsupported for run in self.runs) else ()

    @property
    def bad(self) -> tuple[RunResult, ...]:
        """The runs that did not pass, failed ones first."""
        rest = [run for run in self.runs if run.verdict is not Verdict.PASS]
        return tuple(sorted(rest, key=lambda run: run.verdict is not Verdict.FAIL))


def outcomes(results: Iterable[RunResult]) -> list[Outcome]:
    """Results by scenario and client, sorted: in what order they ended leaves no trace."""
    runs: dict[tuple[str, str, str, str], list[RunResult]] = {}
    for result in results:
        scenario = result.scenario
        # Kept values of one sweep lie in files of their own, with the same text.
        home = scenario.source if scenario.value else scenario.file
        key = (scenario.base_id, home, result.client, result.choice.python)
        runs.setdefault(key, []).append(result)
    return [Outcome(tuple(sorted(same, key=_place_in_outcome))) for _, same in sorted(runs.items())]


def _place_in_outcome(run: RunResult) -> tuple[float, int]:
    """Runs go by the value they were made with, then by their rounds."""
    scenario = run.scenario
    if scenario.sweep is None or not scenario.value:
        return 0.0, run.round
    return swept_value(scenario), run.round


def counts(level: str, *, strict: bool = False) -> bool:
    """Whether a scenario of this level can make a run fail."""
    return level == "must" or (strict and level == "should")


@dataclass(frozen=True, slots=True)
class Tally:
    """How many runs ended how; ``excused`` ones did not pass, at a level that doesn't count.

    What a client can't express is ``not_supported``, at whatever level.
    """

    passed: int = 0
    failed: int = 0
    unknown: int = 0
    not_set_up: int = 0
    excused_failed: int = 0
    excused_unknown: int = 0
    not_supported: int = 0

    @property
    def exit_code(self) -> int:
        """1 if any failed, else 4 if any could not be set up, else 2 if any is unknown, else 0.

        What is not supported is left out, unless there is nothing else: to judge nothing is no
        pass.
        """
        if self.failed:
            return FAILED
        if self.not_set_up:
            return SET_UP_FAILED
        if self.unknown or Tally(not_supported=self.not_supported or 1) == self:
            return UNKNOWN
        return PASSED


def tally(results: Sequence[RunResult], *, strict: bool = False) -> Tally:
    """The results counted by how they ended and whether that counts.

    With ``strict`` what is not supported counts as unknown.
    """
    kinds = [_kind(result, strict) for result in results]
    return Tally(**{name: kinds.count(name) for name in Tally.__dataclass_fields__})


def _kind(result: RunResult, strict: bool) -> str:
    if result.verdict is Verdict.PASS:
        return "passed"
    does_count = counts(result.scenario.level, strict=strict)
    if result.unsupported:
        return "unknown" if strict and does_count else "not_supported"
    if not does_count:
        return "excused_failed" if result.verdict is Verdict.FAIL else "excused_unknown"
    if result.setup_error:
        return "not_set_up"
    return "failed" if result.verdict is Verdict.FAIL else "unknown"


def exit_code(results: Sequence[RunResult], *, strict: bool = False) -> int:
    """What these results make the command's exit code."""
    return tally(results, strict=strict).exit_code
