"""A kept run made again, and how the new one differs from it.

In virtual time everything that a run does follows from its scenario, seed and client: the two
histories are compared line by line. In real time instants differ and so does the order of what
happens at once; there decisions are compared, which are drawn from the seed: which faults struck
where, which calls were made and how each one ended.
"""

from __future__ import annotations

import re
from collections import Counter
from dataclasses import dataclass
from pathlib import Path

from harness.choice import ClientChoice
from harness.errors import InputError, Problem
from harness.history import (
    CallFailed,
    CallInvoked,
    CallOk,
    CallUnknown,
    Event,
    FaultFired,
    History,
)
from harness.result import RunResult
from harness.runner import kept, run_scenario

DIFFERENCES_LIMIT = 8
"""So many decisions are told of each run; one alone is often enough to see why."""


@dataclass(frozen=True, slots=True)
class Parting:
    """The first event at which two histories part: its number, and what each has there."""

    number: int
    before: Event | None
    after: Event | None


@dataclass(frozen=True, slots=True)
class Replay:
    """The kept run, the new one, and where they differ.

    ``parting`` is where histories part, in virtual time; ``only_before`` and ``only_after`` are
    decisions that only one of them made.
    """

    before: RunResult
    after: RunResult
    parting: Parting | None = None
    only_before: tuple[str, ...] = ()
    only_after: tuple[str, ...] = ()

    @property
    def exact(self) -> bool:
        """Whether times and order were compared, too."""
        return self.before.fabric == "virtual"

    @property
    def same_outcome(self) -> bool:
        """Whether the verdict is the same, by the same checks."""
        return outcome_of(self.before) == outcome_of(self.after)

    @property
    def same(self) -> bool:
        """Whether nothing differs that was compared."""
        parted = self.parting or self.only_before or self.only_after
        return self.same_outcome and not parted

    @property
    def environment(self) -> list[tuple[str, str, str]]:
        """What changed in the environment: its name, what it was, what it is."""
        old, new = self.before.environment, self.after.environment
        names = [name for name in new if old.get(name, "?") != new[name]]
        return [(name, old.get(name, "?"), new[name]) for name in names]


def kept_at(path: Path) -> RunResult:
    """The run that is kept in a folder, or beside a file; raises InputError unless it is one."""
    place = path.parent if path.is_file() else path
    if (place / kept.RUN).is_file():
        return kept.load_run(place)
    found = kept.load(place) if place.is_dir() else []
    if len(found) == 1:
        return found[0]
    if not found:
        hint = "name a folder that `harness run --keep`, explore or torture has written"
        raise InputError(Problem(f"no kept run is here (no {kept.RUN})", hint, file=str(path)))
    folders = [str(run.parent) for run in sorted(place.rglob(kept.RUN))]
    hint = f"name one of them, such as {folders[0]}"
    raise InputError(Problem(f"{len(found)} runs are kept here", hint, file=str(path)))


def replay(before: RunResult, client: str | ClientChoice | None = None) -> Replay:
    """Make a kept run again: the same scenario, value, seed, client and fabric.

    ``client`` asks another client to stand where the kept one stood. Raises InputError if there
    is no such client or fabric any more.
    """
    after = run_scenario(
        before.scenario, client or before.choice, fabric=before.fabric, seed=before.seed
    )
    if before.fabric == "virtual":
        begin = 0 if after.client == before.client else 1  # the first event names the client
        return Replay(before, after, parting=parting(before.history, after.history, begin))
    old, new = decisions(before.history), decisions(after.history)
    return Replay(
        before,
        after,
        only_before=tuple((old - new).elements())[:DIFFERENCES_LIMIT],
        only_after=tuple((new - old).elements())[:DIFFERENCES_LIMIT],
    )


def outcome_of(result: RunResult) -> tuple[str, frozenset[tuple[str, str]]]:
    """The verdict, and each check's."""
    findings = ((finding.check, finding.verdict.value) for finding in result.findings)
    return result.setup_error or result.verdict.value, frozenset(findings)


def parting(before: History, after: History, begin: int = 0) -> Parting | None:
    """Where two histories part, or None if from ``begin`` on they are the same to the byte."""
    old, new = before.to_jsonl().split("\n")[begin:], after.to_jsonl().split("\n")[begin:]
    if old == new:
        return None
    same = zip(old, new, strict=False)
    number = next((n for n, (a, b) in enumerate(same) if a != b), min(len(old), len(new)))
    number += begin
    return Parting(number, _at(before, number), _at(after, number))


def _at(history: History, number: int) -> Event | None:
    return history.events[number] if number < len(history) else None


def decisions(history: History) -> Counter[str]:
    """What was decided in a run, without its times: faults that struck, calls and their ends.

    Calls that measure recovery are none of them: how many there are is a matter of time.
    """
    probes = {event.nonce for _, event in history.of(CallInvoked) if event.phase == "recovery"}
    told = (_decision(event) for event in history.events if not _is_probe(event, probes))
    return Counter(text for text in told if text)


_TIMED = re.compile(r"\d ?(us|ms|s|min|h)\b")
"""What says when, in a sentence about where."""


def _is_probe(event: Event, probes: set[str]) -> bool:
    return getattr(event, "nonce", None) in probes


def _decision(event: Event) -> str:
    match event:
        case FaultFired():
            on = f" on connection {event.connection}" if event.connection else ""
            where = ", ".join(part for part in event.where.split(", ") if not _TIMED.search(part))
            return f"fault {event.index} ({event.fault}) struck{on}, {where}".rstrip(", ")
        case CallInvoked():
            kind = "unsafe call" if event.unsafe else "call"
            return f"{kind} {event.nonce} was made in phase {event.phase}"
        case CallOk():
            return f"call {event.nonce} ended ok"
        case CallFailed():
            return f"call {event.nonce} failed: {event.kind}"
        case CallUnknown():
            return f"call {event.nonce} ended unknown: {event.kind}"
        case _:
            return ""
