"""Making a failing scenario smaller while it still fails.

The search works on the document, not on the model, so that what comes out reads as people write
it. A *pass* proposes documents that are simpler in one way; the first that still fails replaces
the present one, and passes go round until none finds anything (greedy search, with the halving
of delta debugging: Zeller and Hildebrandt, "Simplifying and Isolating Failure-Inducing Input",
2002). What is proposed is always simpler by the pass's own measure, and no pass undoes
another's, so the search ends; a limit on the number of runs ends it sooner.

A smaller scenario draws other random numbers, so a rare failure may be missed only because this
seed doesn't show it any more. Each proposal is therefore tried with a few small seeds as well.
"""

from __future__ import annotations

from collections.abc import Callable, Iterator
from dataclasses import dataclass
from typing import TypeAlias

from harness.campaign.simpler import (
    expecting_only,
    with_fewer_items,
    with_less_said,
    with_rounder_times,
    with_smaller_numbers,
    without_recovery,
)
from harness.scenario import Document, written

Fails: TypeAlias = Callable[[Document], bool]
"""Runs a document; whether it fails as the first one did. False if it can't be read."""
Pass: TypeAlias = Callable[[Document], Iterator[Document]]

RUNS_LIMIT = 1_000
"""No more runs than this; what is smallest by then is taken."""
SEEDS_EACH = 8
"""So many small seeds are tried with each proposal, besides the seed that failed last."""


@dataclass(frozen=True, slots=True)
class Shrunk:
    """The smallest document found, after how many runs, and whether nothing was left to try."""

    document: Document
    runs: int
    finished: bool


def shrink(
    document: Document,
    fails: Fails,
    check: str,
    *,
    runs_limit: int = RUNS_LIMIT,
    on_step: Callable[[Document, int], None] = lambda _, __: None,
) -> Shrunk:
    """The smallest scenario found that still fails by ``check``.

    ``document`` must fail; it is not changed. ``on_step`` is told of each smaller one, and of the
    runs made so far. The same arguments give the same answer.
    """
    search = _Search(document, fails, runs_limit, on_step)
    passes: tuple[Pass, ...] = (
        lambda found: expecting_only(found, check),
        lambda found: with_fewer_items(found, "faults"),
        lambda found: with_fewer_items(found, "workload"),
        without_recovery,
        with_smaller_numbers,
        with_less_said,
        with_rounder_times,
        _with_smaller_seed,
    )
    try:
        while any([search.exhaust(propose) for propose in passes]):  # noqa: C419 - all have a turn
            pass
    except _OutOfRunsError:
        return Shrunk(search.found, search.runs, finished=False)
    return Shrunk(search.found, search.runs, finished=True)


class _OutOfRunsError(Exception):
    """The limit on runs is reached."""


class _Search:
    """The smallest document so far, and what was tried."""

    def __init__(
        self,
        document: Document,
        fails: Fails,
        runs_limit: int,
        on_step: Callable[[Document, int], None],
    ) -> None:
        self.found = document
        self.runs = 0
        self._fails = fails
        self._limit = runs_limit
        self._on_step = on_step
        self._tried = {written(document)}  # bounded by the limit on runs

    def exhaust(self, propose: Pass) -> bool:
        """Take what a pass proposes until it proposes nothing that fails; whether it did."""
        improved = False
        while any(self._try(proposal) for proposal in propose(self.found)):
            improved = True
        return improved

    def _try(self, proposal: Document) -> bool:
        """Take the proposal if it fails, with this seed or with a small one."""
        return any(self._fails_now(variant) for variant in _with_seeds(proposal))

    def _fails_now(self, document: Document) -> bool:
        text = written(document)
        if text in self._tried:
            return False
        if self.runs >= self._limit:
            raise _OutOfRunsError
        self._tried.add(text)
        self.runs += 1
        if not self._fails(document):
            return False
        self.found = document
        self._on_step(document, self.runs)
        return True


def _with_seeds(document: Document) -> Iterator[Document]:
    present = document.get("seed", 0)
    yield document
    yield from (document | {"seed": seed} for seed in range(SEEDS_EACH) if seed != present)


def _with_smaller_seed(document: Document) -> Iterator[Document]:
    """The same with the smallest of the small seeds that fails; every proposal is tried so."""
    present = document.get("seed", 0)
    yield from (document | {"seed": seed} for seed in range(min(SEEDS_EACH, present)))
