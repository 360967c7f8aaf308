"""What a workload's phases come to, call by call, before anything runs.

Every call's fate is drawn from a generator of its own, keyed by seed, phase and call, and in a
fixed order. So neither the callers' timing nor another setting of the phase can change whether
call 17 is unsafe or cancelled. Shares are spread evenly: of any ten calls in a row half are
unsafe if half shall be, give or take one, so that no seed leaves a small phase without any.
"""

from __future__ import annotations

from collections.abc import Sequence
from dataclasses import dataclass
from typing import Literal, overload

from harness.faults import Cancellation
from harness.scenario.model import UNPERTURBED, Perturb, PhaseWords
from harness.scenario.perturbing import think_s
from harness.timeline import Draws


@dataclass(frozen=True, slots=True, kw_only=True)
class PlannedCall:
    """One call of a phase: what is asked, when at the earliest, and what the caller does to it.

    ``start_s`` counts from the beginning of the phase and is None unless the phase has a rate;
    ``every_s`` is how long after its own last beginning a caller begins this one, and ``think_s``
    how long this call waits beyond all that.
    """

    nonce: str
    index: int
    unsafe: bool
    size_bytes: int
    request_bytes: int
    slow_s: float | None
    framing: Literal["length", "chunked", "eof"]
    timeout_s: float | None
    start_s: float | None
    every_s: float | None
    cancel: Cancellation | None
    abandon: Literal["exception", "reference"] | None
    think_s: float = 0.0
    session: bool = False


@dataclass(frozen=True, slots=True)
class PhasePlan(Sequence[PlannedCall]):
    """The calls of one phase, each made when it is looked at; a pause has none.

    A million calls cost nothing until they are taken, and taking one twice gives the same call.
    """

    phase: PhaseWords
    ordinal: int
    seed: int
    perturb: Perturb = UNPERTURBED

    def __len__(self) -> int:
        return self.phase.calls or 0

    @overload
    def __getitem__(self, index: int) -> PlannedCall: ...
    @overload
    def __getitem__(self, index: slice) -> list[PlannedCall]: ...
    def __getitem__(self, index: int | slice) -> PlannedCall | list[PlannedCall]:
        if isinstance(index, slice):
            return [self._call(i) for i in range(*index.indices(len(self)))]
        return self._call(range(len(self))[index])

    def _call(self, index: int) -> PlannedCall:
        phase = self.phase
        random = Draws(self.seed, "workload", self.ordinal).random(index)
        mark = random.getrandbits(24)
        lucky = self._spread(index)
        unsafe = lucky[0] < phase.unsafe
        cancel = _cancellation(phase, index, lucky[1])
        nonce = _nonce("p", self.ordinal, index, mark)
        return PlannedCall(
            nonce=nonce,
            index=index,
            unsafe=unsafe,
            size_bytes=phase.size_bytes,
            request_bytes=phase.request_bytes if unsafe else 0,
            slow_s=phase.slow_s,
            framing=phase.framing,
            timeout_s=phase.timeout_s,
            start_s=None if phase.rate_per_s is None else index / phase.rate_per_s,
            every_s=phase.every_s,
            cancel=cancel,
            abandon=None if cancel is not None else _abandonment(phase, lucky[2]),
            think_s=think_s(self.perturb, self.seed, nonce),
            session=lucky[3] < phase.session,
        )

    def _spread(self, index: int) -> list[float]:
        """Numbers from 0 to 1 for the shares, each evenly spread over the calls of the phase.

        Multiples of an irrational number, wrapped at 1, fill it evenly (the additive recurrence
        of low-discrepancy sequences); the seed chooses where each sequence begins.
        """
        starts = Draws(self.seed, "workload", self.ordinal).random("shares")
        return [(starts.random() + index * step) % 1.0 for step in _STEPS]


_STEPS = ((5**0.5 - 1) / 2, 2**0.5 - 1, 3**0.5 - 1, 7**0.5 - 2)


def plan_phase(
    phase: PhaseWords, ordinal: int, seed: int, perturb: Perturb = UNPERTURBED
) -> PhasePlan:
    """The calls of a phase, which is the ``ordinal``-th of its workload (from 1).

    Calls belong to no caller: whoever is free takes the next one.
    """
    return PhasePlan(phase, ordinal, seed, perturb)


def plan_workload(
    workload: Sequence[PhaseWords], seed: int, perturb: Perturb = UNPERTURBED
) -> list[PhasePlan]:
    """The plan of each phase, in order."""
    phases = enumerate(workload, start=1)
    return [plan_phase(phase, ordinal, seed, perturb) for ordinal, phase in phases]


def probe_nonce(round_ordinal: int, index: int, seed: int) -> str:
    """A nonce for a call that measures recovery; no planned call has the same."""
    mark = Draws(seed, "probe", round_ordinal).random(index).getrandbits(24)
    return _nonce("r", round_ordinal, index, mark)


def _nonce(letter: str, ordinal: int, index: int, mark: int) -> str:
    """``p1-c17-9f03ab``: unique in a run by its counts, and between runs by the seed."""
    return f"{letter}{ordinal}-c{index + 1}-{mark:06x}"


def _cancellation(phase: PhaseWords, index: int, luck: float) -> Cancellation | None:
    words = phase.cancel
    if words is None or luck >= words.probability:
        return None
    return Cancellation(after_s=words.after_s, step=words.step_of(index))


def _abandonment(phase: PhaseWords, luck: float) -> Literal["exception", "reference"] | None:
    words = phase.abandon
    return None if words is None or luck >= words.probability else words.how
