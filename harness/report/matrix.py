"""Results arranged as scenarios by clients: what a scorecard shows, in whatever form.

A cell is one scenario with one client: all values of its sweep, all rounds. Where a client doesn't
speak a scenario's protocol there is no cell. Everything here is a pure function of results.
"""

from __future__ import annotations

from collections import Counter
from collections.abc import Iterable, Iterator, Mapping, Sequence
from dataclasses import dataclass
from enum import StrEnum
from statistics import median

from harness.checks import detection_s
from harness.choice import ClientChoice
from harness.report.outcomes import Outcome, outcomes
from harness.result import RunResult

PLATFORM = ("harness", "python", "trio", "openssl", "platform")
"""What every environment names, and no client's library."""
OWN_PYTHON = "client's python"
"""What an environment calls the interpreter of a client in a process of its own."""


class State(StrEnum):
    """What a cell comes to, worst first."""

    FAIL = "fail"
    FLAKY = "flaky"
    NOT_SET_UP = "not set up"
    UNKNOWN = "unknown"
    UNSUPPORTED = "not supported"
    PASS = "pass"  # noqa: S105 - a verdict, not a password


SIGNS = {
    State.FAIL: "✗",
    State.FLAKY: "~",
    State.NOT_SET_UP: "!",
    State.UNKNOWN: "?",
    State.UNSUPPORTED: "∅",
    State.PASS: "✓",
}
"""One character for each state; colour is never the only sign."""
NOT_APPLICABLE = "—"
CLASSES = {
    State.FAIL: "fail",
    State.FLAKY: "flaky",
    State.NOT_SET_UP: "missing",
    State.UNKNOWN: "unknown",
    State.UNSUPPORTED: "unsupported",
    State.PASS: "pass",
}
"""The same as one word each, for style sheets."""


@dataclass(frozen=True, slots=True)
class Cell:
    """One scenario with one client."""

    outcome: Outcome
    state: State
    detection_s: float | None
    recovery_s: float | None

    @property
    def scenario(self) -> str:
        """The scenario's id."""
        return self.outcome.id

    @property
    def share(self) -> str:
        """``3/5``: how many of several rounds passed; empty of one alone, or if none could run."""
        ran = len(self.outcome.runs) > len(self.outcome.by_value)
        return self.outcome.share if ran and not self.outcome.unsupported else ""

    @property
    def worst(self) -> RunResult:
        """The run that tells most: the first of the worst."""
        return (self.outcome.bad or self.outcome.runs)[0]


@dataclass(frozen=True, slots=True)
class Column:
    """One client: its cells by scenario, and what its library's versions were."""

    choice: ClientChoice
    cells: Mapping[str, Cell]

    @property
    def name(self) -> str:
        """What the column is called."""
        return column_name(self.choice)

    @property
    def versions(self) -> dict[str, str]:
        """The versions of what the client requires, by distribution."""
        found: dict[str, str] = {}
        for cell in self.cells.values():
            for run in cell.outcome.runs:
                found |= client_versions(run)
        return found

    @property
    def version(self) -> str:
        """``httpx 0.28.1``: the versions in a line."""
        return ", ".join(f"{name} {number}" for name, number in self.versions.items())

    @property
    def problem(self) -> str:
        """Why nothing of it could be set up, if that is so."""
        reasons = {
            run.setup_error
            for cell in self.cells.values()
            if not cell.outcome.unsupported
            for run in cell.outcome.runs
        }
        return next(iter(reasons)) if len(reasons) == 1 else ""

    def counts(self, family: str | None = None) -> Counter[State]:
        """How many cells, of one family or of all, are in which state."""
        return Counter(
            cell.state
            for name, cell in self.cells.items()
            if family is None or family_of(name) == family
        )

    @property
    def detection_s(self) -> float | None:
        """The median time to detect of its cells."""
        return _median(cell.detection_s for cell in self.cells.values())

    @property
    def recovery_s(self) -> float | None:
        """The median time to recover of its cells."""
        return _median(cell.recovery_s for cell in self.cells.values())


@dataclass(frozen=True, slots=True)
class Matrix:
    """Scenarios by clients."""

    columns: tuple[Column, ...]
    scenarios: tuple[str, ...]

    @property
    def families(self) -> tuple[str, ...]:
        """The first part of every id, each once."""
        return tuple(dict.fromkeys(map(family_of, self.scenarios)))

    @property
    def counts(self) -> Counter[State]:
        """How many cells are in which state."""
        return sum((column.counts() for column in self.columns), Counter[State]())

    def cells(self) -> Iterator[tuple[int, int, Cell]]:
        """Every cell with the places of its scenario and its client, row by row."""
        for row, scenario in enumerate(self.scenarios):
            for place, column in enumerate(self.columns):
                if scenario in column.cells:
                    yield row, place, column.cells[scenario]

    @property
    def environment(self) -> dict[str, str]:
        """What all of it ran on."""
        for _, _, cell in self.cells():
            known = cell.worst.environment
            return {name: known[name] for name in PLATFORM if name in known}
        return {}


def arranged(results: Iterable[RunResult], choices: Sequence[ClientChoice] = ()) -> Matrix:
    """Results as a matrix; clients in the order of ``choices``, others behind them by name."""
    found: dict[ClientChoice, dict[str, Cell]] = {choice: {} for choice in choices}
    for outcome in outcomes(results):
        found.setdefault(outcome.runs[0].choice, {})[outcome.id] = _cell(outcome)
    columns = tuple(Column(choice, cells) for choice, cells in found.items())
    scenarios = {name for column in columns for name in column.cells}
    # A family's scenarios stand together; by their ids alone a/z would come behind a-b/c.
    return Matrix(columns, tuple(sorted(scenarios, key=lambda name: (family_of(name), name))))


def summed(counted: Counter[State]) -> tuple[State, int] | None:
    """The worst there is among some cells, and how many are so; None if there are no cells.

    What isn't supported beside what passed takes nothing from it.
    """
    if not counted.total():
        return None
    best = State.PASS if counted[State.PASS] else State.UNSUPPORTED
    bad = (state for state in State if not is_good(state))
    worst = next((state for state in bad if counted[state]), best)
    return worst, counted[worst]


def is_good(state: State) -> bool:
    """Whether nothing is wrong with the client, as far as is known."""
    return state in {State.PASS, State.UNSUPPORTED}


def column_name(choice: ClientChoice) -> str:
    """The client's label, and behind an @ the interpreter that it was given."""
    return f"{choice.label}@{choice.python}" if choice.python else choice.label


def client_versions(run: RunResult) -> dict[str, str]:
    """The versions of what a client requires, out of the run's environment.

    Its interpreter is among them if it isn't the harness's own.
    """
    known = run.environment
    found = {name: text for name, text in known.items() if name not in (*PLATFORM, OWN_PYTHON)}
    if known.get(OWN_PYTHON, known.get("python")) != known.get("python"):
        found["python"] = known[OWN_PYTHON]
    return found


def family_of(scenario: str) -> str:
    """The first part of a scenario's id."""
    return scenario.partition("/")[0]


def _cell(outcome: Outcome) -> Cell:
    runs = outcome.runs
    return Cell(
        outcome,
        _state(outcome),
        detection_s=_median(detection_s(run.history) for run in runs),
        recovery_s=_median(run.recovery_s for run in runs),
    )


def _state(outcome: Outcome) -> State:
    if outcome.unsupported:
        return State.UNSUPPORTED
    if any(run.setup_error for run in outcome.runs):
        return State.NOT_SET_UP
    if outcome.flaky:
        return State.FLAKY
    return State(outcome.verdict.value)


def _median(values: Iterable[float | None]) -> float | None:
    known = [value for value in values if value is not None]
    return median(known) if known else None
