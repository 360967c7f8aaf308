"""``sweep:`` the same scenario once for each value of one condition, to find where a race begins.

``when: {sweep: {idle: 1.98s..2.02s, step: 0.5ms}}`` stands for ``when: {idle: 1.98s}``,
``when: {idle: 1.9805s}`` and so on, both ends included. A scenario sweeps one condition: of two,
every pair would need a run.
"""

from __future__ import annotations

from collections.abc import Callable, Mapping
from dataclasses import dataclass, replace
from fractions import Fraction
from typing import Any, NamedTuple, TypeAlias

from harness.errors import InputError, Problem
from harness.registry import did_you_mean
from harness.scenario.model import Scenario, Sweep
from harness.scenario.nodes import MapNode, Node, plain
from harness.scenario.problems import Path, Report
from harness.scenario.wording import shown, split_sentence, unknown_key
from harness.trigger import Trigger
from harness.units import parse_duration_s

VALUES_LIMIT = 1_000
"""More runs than this are no sweep; a coarser step finds the place, a finer one the boundary."""
BETWEEN = ".."
STEP = "step"

Number: TypeAlias = float | int


class _Sort(NamedTuple):
    """What a swept condition's values are: the trigger's field, and how they are read and told."""

    field: str
    parse: Callable[[Any], Number]
    tell: Callable[[Number], str]
    example: str
    step: str
    pattern: str


def exact_duration(seconds: float) -> str:
    """``1.9805s``, ``0.5ms``: a duration to the last digit, as it may be written."""
    for unit, in_a_second in (("s", 1), ("ms", 1_000), ("us", 1_000_000)):
        if seconds * in_a_second >= 1 or unit == "us":
            break
    text = f"{round(seconds * in_a_second, 9):.9f}".rstrip("0").rstrip(".")
    return f"{text}{unit}" if seconds else "0s"


def _parse_count(value: Any) -> int:
    text = str(value).strip()
    if isinstance(value, bool) or not text.isdecimal():
        raise ValueError(f"{value!r} is not a whole number; write one such as 64")
    return int(text)


_DURATION = r"\d+(\.\d+)?\s*(us|µs|ms|s|min|h|d)"


def _duration(field: str) -> _Sort:
    example, pattern = "1.98s..2.02s", rf"^{_DURATION}\s*\.\.\s*{_DURATION}$"
    return _Sort(field, parse_duration_s, exact_duration, example, "0.5ms", pattern)


SWEPT: Mapping[str, _Sort] = {
    "at": _duration("at_s"),
    "idle": _duration("idle_s"),
    "age": _duration("age_s"),
    "for": _duration("for_s"),
    "byte": _Sort("byte", _parse_count, str, "0..120", "1", r"^\d+\s*\.\.\s*\d+$"),
}
"""The conditions that can be swept."""


# --- reading --------------------------------------------------------------------------------


@dataclass(frozen=True, slots=True)
class _Place:
    """Where mistakes in a sweep are told."""

    report: Report
    path: Path

    def wrong(self, message: str, hint: str, *steps: str, key: bool = False) -> None:
        self.report.on((*self.path, *steps), message, hint, key=key)


def read_sweep(
    node: Node, fault: int, path: Path, allowed: list[str], report: Report
) -> Sweep | None:
    """The sweep that stands at ``path``, of the fault with this index; None if it can't be read.

    ``allowed`` are the conditions that the fault takes and that no one else has given.
    """
    at = _Place(report, path)
    if not isinstance(node, MapNode):
        at.wrong(
            f"{shown(plain(node))} is no sweep", "write sweep: {idle: 1.98s..2.02s, step: 0.5ms}"
        )
        return None
    words = [word for word in node.entries if word != STEP]
    for word in words:
        if word not in SWEPT or word not in allowed:
            unknown_key(report, (*path, word), [*allowed, STEP])
    if not words:
        at.wrong("a sweep without a condition", f"add {_example(allowed)}")
    elif len(words) > 1:
        at.wrong("a sweep goes over one condition", "keep one", words[1], key=True)
    elif words[0] in allowed:
        return _swept(words[0], node, fault, at)
    return None


def _example(allowed: list[str]) -> str:
    word = allowed[0] if allowed else "idle"
    return f"{word}: {SWEPT[word].example}"


def _swept(word: str, node: MapNode, fault: int, at: _Place) -> Sweep | None:
    sort = SWEPT[word]
    ends = _range(word, sort, plain(node.entries[word].value), at)
    step = _step(sort, node, at)
    if ends is None or step is None:
        return None
    count = (Fraction(str(ends[1])) - Fraction(str(ends[0]))) // Fraction(str(step)) + 1
    if count > VALUES_LIMIT:
        at.wrong(f"{count} values are {count} runs", f"at most {VALUES_LIMIT}: a longer step", STEP)
        return None
    return Sweep(fault=fault, word=word, first=ends[0], step=step, count=int(count))


def _range(word: str, sort: _Sort, value: Any, at: _Place) -> tuple[Number, Number] | None:
    first, between, last = str(value).partition(BETWEEN)
    if not between:
        hint = f"write {word}: {sort.example}"
        at.wrong(f"{shown(value)} is not a range", hint, word)
        return None
    try:
        ends = sort.parse(first.strip()), sort.parse(last.strip())
    except ValueError as error:
        at.wrong(*split_sentence(str(error)), word)
        return None
    if ends[1] <= ends[0]:
        at.wrong(
            f"{shown(value)} ends where it begins, or before", "the smaller one comes first", word
        )
        return None
    return ends


def _step(sort: _Sort, node: MapNode, at: _Place) -> Number | None:
    if STEP not in node.entries:
        at.wrong("the key 'step' is missing", f"add step: {sort.step}")
        return None
    try:
        step = sort.parse(plain(node.entries[STEP].value))
    except ValueError as error:
        at.wrong(*split_sentence(str(error)), STEP)
        return None
    if step <= 0:
        at.wrong("a step of nothing never comes to an end", f"write step: {sort.step}", STEP)
        return None
    return step


def first_value(sweep: Sweep, when: Trigger) -> Trigger:
    """The conditions with the first value of the sweep, for who looks at them as they stand."""
    return _with(when, sweep.word, sweep.first)


def _with(when: Trigger, word: str, value: Number) -> Trigger:
    fields: dict[str, Any] = {SWEPT[word].field: value}
    return replace(when, **fields)


# --- expansion ------------------------------------------------------------------------------


def variants(scenario: Scenario) -> list[Scenario]:
    """One scenario for each value of its sweep, in order; itself alone if it sweeps nothing.

    Their ids end with the value: ``idle/fin/race[idle=1.9805s]``.
    """
    sweep = scenario.sweep
    if sweep is None or scenario.value:
        return [scenario]
    return [_variant(scenario, sweep, value) for value in sweep.values]


def at_value(scenario: Scenario, text: str) -> Scenario:
    """The scenario with this value of its sweep, written as ``1.9985s`` or ``idle=1.9985s``.

    Any value of the sort will do, also one between two steps. Raises InputError if the scenario
    sweeps nothing or the value can't be read.
    """
    sweep, file = scenario.sweep, scenario.file or scenario.id
    if sweep is None:
        raise InputError(Problem("it sweeps nothing, so no value can be chosen", file=file))
    word, given, value = text.rpartition("=")
    if given and word != sweep.word:
        hint = did_you_mean(word, [sweep.word])
        raise InputError(Problem(f"it doesn't sweep {word!r}", hint, file=file))
    try:
        return _variant(scenario, sweep, SWEPT[sweep.word].parse(value))
    except ValueError as error:
        raise InputError(Problem(*split_sentence(str(error)), file=file)) from error


def swept_value(scenario: Scenario) -> Number:
    """The number that a variant's value stands for: seconds, or bytes."""
    word, _, text = scenario.value.partition("=")
    return SWEPT[word].parse(text)


def _variant(scenario: Scenario, sweep: Sweep, value: Number) -> Scenario:
    spec = scenario.faults[sweep.fault]
    chosen = replace(spec, when=_with(spec.when, sweep.word, value))
    faults = (*scenario.faults[: sweep.fault], chosen, *scenario.faults[sweep.fault + 1 :])
    told = f"{sweep.word}={SWEPT[sweep.word].tell(value)}"
    return replace(scenario, id=f"{scenario.base_id}[{told}]", faults=faults, value=told)
