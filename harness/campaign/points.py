"""The points at which torture strikes, each as a scenario of its own.

Points stand in *series*. In a series of cancellations the caller of one certain call is cancelled
at its first step, its second, and so on: how many there are is known once one run has come to
the call's end before it. In a series of a fault it stands before each byte of one request or
response, at each border of the TLS records that a connection begins with, or at each instant of
a dry run.

A point is made by changing the scenario's document, so it can be written down and run again. What
is expected there is what holds wherever a fault strikes: safety, conservation, an end to every
call, and recovery. How many errors or connections are right depends on the point, so checks of
those are left out; only a cancellation in a scenario without faults must not hurt other callers.
"""

from __future__ import annotations

from collections.abc import Iterator, Mapping
from copy import deepcopy
from dataclasses import dataclass, replace
from itertools import count
from typing import Any, Literal, NamedTuple, TypeAlias

from harness.campaign.instants import Instant
from harness.errors import InputError, Problem
from harness.faults import FaultSpec, StrikeFault, allowed_triggers
from harness.registry import did_you_mean
from harness.scenario import Document, Scenario, document_of, read_text, written

What: TypeAlias = Literal["cancel", "fault"]

STEPS_LIMIT = 2_000
"""A call of more steps than this is tortured at the first of them only."""
CALLS_ENOUGH = 8
"""Where no other fault counts calls, a phase has no more than this, or two for each caller."""
PLACED = frozenset({"stall"})
"""Faults that end nothing, but whose place in a message matters as much."""
UNIVERSAL = ("no_crosstalk", "no_leaks", "slots_conserved")
"""What holds wherever a fault strikes."""
KEPT = frozenset({*UNIVERSAL, "at_most_once", "no_silent_truncation", "every_call_ends",
                  "recovers_within", "closes_within"})  # fmt: skip
RECOVERS_WITHIN = "6s"


class Point(NamedTuple):
    """One place to strike: its series, its number there, and the scenario that strikes there.

    What ``forgives`` names is not judged there.
    """

    series: str
    number: int
    label: str
    scenario: Scenario
    forgives: tuple[str, ...] = ()

    @property
    def name(self) -> str:
        """``waiting:21``: what ``--point`` takes."""
        return f"{self.series}:{self.number}"


class Place(NamedTuple):
    """Where a fault stands: after so many bytes of a message of a connection."""

    connection: int
    word: Literal["request", "response"]
    exchange: int
    byte: int
    forgives: tuple[str, ...] = ()

    @property
    def label(self) -> str:
        """``response 2 byte 17``."""
        return f"{self.word} {self.exchange} byte {self.byte}"

    @property
    def when(self) -> Document:
        """The place as a scenario says it."""
        return {"connection": self.connection, self.word: self.exchange, "byte": self.byte,
                "once": True}  # fmt: skip


@dataclass(frozen=True, slots=True, kw_only=True)
class Series:
    """Points in a row.

    ``document`` is the scenario without the fault; ``entry`` the fault without its place. With
    ``places`` they are known, by their numbers; without, they are steps from 1 to nobody knows.
    ``chosen`` leaves only one of them. If they ``may_miss``, a point at which there was nothing
    to strike is none.
    """

    name: str
    about: str
    noun: str
    id: str
    document: Document
    entry: Document
    places: Mapping[int, Place] | Mapping[int, Instant] | None = None
    chosen: int | None = None
    may_miss: bool = False

    def numbers(self) -> Iterator[int]:
        """The numbers of its points; those of steps go on up to the limit."""
        if self.chosen is not None:
            yield self.chosen
            return
        if self.places is not None:
            yield from self.places
            return
        for step in count(1):
            if step > STEPS_LIMIT:
                return
            yield step

    def only(self, number: int) -> Series:
        """The same series with this point alone; raises InputError if there is none."""
        self.point(number)
        return replace(self, chosen=number)

    def point(self, number: int) -> Point:
        """The point with this number; raises InputError if there is none."""
        if self.places is None:
            if not 1 <= number <= STEPS_LIMIT:
                raise InputError(Problem(f"--point: there is no step {number}", "they begin at 1"))
            return self._point(number, str(number), {"step": number})
        if number not in self.places:
            known = f"they are {min(self.places)}..{max(self.places)}" if self.places else ""
            raise InputError(Problem(f"--point: {self.name} has no point {number}", known))
        place = self.places[number]
        when = place.when | self.entry.get("when", {})
        return self._point(number, place.label, {"when": when}, place.forgives)

    def _point(
        self, number: int, label: str, where: Document, forgives: tuple[str, ...] = ()
    ) -> Point:
        document = deepcopy(self.document)
        document["faults"] = [*document.get("faults", []), self.entry | where]
        identity = f"{self.id}[{self.name}:{number}]"
        scenario = read_text(written(document), file="", id=identity)
        return Point(self.name, number, label, scenario, forgives)


def series_named(all_series: list[Series], name: str) -> Series:
    """The series of this name, the first one for no name; raises InputError if there is none."""
    known = {series.name: series for series in all_series}
    if name and name not in known:
        hint = did_you_mean(name, known)
        raise InputError(Problem(f"--point: there is no series {name!r}", hint))
    return known[name] if name else all_series[0]


def tortured_by(scenario: Scenario) -> tuple[What, ...]:
    """What strikes at every point unless told otherwise.

    Its own faults if they can be placed, its callers' cancellation if it has such words or if
    there is nothing else.
    """
    placed = [index for index, spec in enumerate(scenario.faults) if can_be_placed(spec)]
    cancels = any(phase.cancel for phase in scenario.workload) or any(
        spec.name == "cancel" for spec in scenario.faults
    )
    if placed:
        return ("cancel", "fault") if cancels else ("fault",)
    return ("cancel",)


def can_be_placed(spec: FaultSpec) -> bool:
    """Whether a fault ends, or halts, a connection at a byte that can be chosen."""
    ends = isinstance(spec.fault, StrikeFault) or spec.name in PLACED
    return ends and "byte" in allowed_triggers(spec.fault)


# --- what all have in common ----------------------------------------------------------------


def base_document(scenario: Scenario, seed: int) -> Document:
    """The scenario's document, with this seed, and with the checks that hold at any point."""
    document = document_of(scenario.source, scenario.file or scenario.id)
    document["seed"] = seed
    document.pop("level", None)
    asked: dict[str, Any] = dict(document.get("expect") or {})
    expected = {name: value for name, value in asked.items() if name in KEPT}
    expected |= {name: True for name in UNIVERSAL if name not in expected}
    stays_open = all(phase.close_after_s is None for phase in scenario.workload)
    if scenario.origin.serve != "http" or not stays_open:  # else all slots are asked for at once
        del expected["slots_conserved"]
    expected.pop("at_most_once", None)
    if any(phase.unsafe for phase in scenario.workload):
        expected["at_most_once"] = True
    if all(phase.framing != "eof" for phase in scenario.workload):
        expected.setdefault("no_silent_truncation", True)
    if stays_open:
        document.pop("recovery", None)  # a slot lost for good shows only there
        expected.setdefault("recovers_within", RECOVERS_WITHIN)
    document["expect"] = expected
    return document


def shorten(document: Document, calls: int = 0) -> None:
    """Leave out calls that come long after the point: every run makes them all."""
    for phase in document["workload"]:
        if phase.get("calls"):
            enough = max(2 * phase.get("callers", 1), CALLS_ENOUGH, calls)
            phase["calls"] = min(phase["calls"], enough)
