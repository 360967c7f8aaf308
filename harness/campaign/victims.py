"""The callers whose cancellation is tortured: which call of which phase, and in what company."""

from __future__ import annotations

from collections.abc import Iterator
from copy import deepcopy
from dataclasses import dataclass

from harness.campaign.points import Series, base_document, shorten
from harness.scenario import Document, Scenario

WAITERS = 2
"""So many callers more than the pool has room for, where a series is about contention."""
CONTENDED_LIMIT = 16
"""A larger pool is made this small where a series is about contention."""


def cancel_series(scenario: Scenario, seed: int, calls: int | None = None) -> list[Series]:
    """The victims: a call that is alone, one that others wait for, and the first of those.

    All are calls of the last phase that calls. With ``calls`` they are the first so many calls of
    that phase as it stands in the scenario.
    """
    base = base_document(scenario, seed)
    base["faults"] = [f for f in base.get("faults", []) if f.get("fault") != "cancel"]
    if not base["faults"]:
        base["expect"]["errors"] = 0
        shorten(base, calls or 0)
    index = max(i for i, phase in enumerate(base["workload"]) if phase.get("calls"))
    for phase in base["workload"]:
        phase.pop("cancel", None)
    victim = _Victims(scenario, base, index)
    if calls is not None:
        return [victim.as_written(call) for call in range(1, calls + 1)]
    if base["workload"][index].get("rate"):
        return [victim.as_written(1)]
    return [victim.alone(), *victim.contended()]


@dataclass(frozen=True, slots=True)
class _Victims:
    scenario: Scenario
    base: Document
    index: int

    def as_written(self, call: int) -> Series:
        about = f"the caller of call {call} of phase {self._phase}, as the scenario has it"
        return self._series(f"call-{call}", about, self.base, call)

    def alone(self) -> Series:
        document = deepcopy(self.base)
        document["workload"][self.index]["callers"] = 1
        about = f"the caller of the first call of phase {self._phase}, alone with the pool"
        return self._series("alone", about, document, 1)

    def contended(self) -> Iterator[Series]:
        document = deepcopy(self.base)
        pool = self.scenario.client.pool
        capacity = pool.size + pool.max_overflow
        if capacity > CONTENDED_LIMIT:
            capacity = CONTENDED_LIMIT
            words = document.setdefault("client", {}).setdefault("pool", {})
            words |= {"size": capacity, "max_overflow": 0}
            words["min_idle"] = min(pool.min_idle, capacity)
        phase = document["workload"][self.index]
        phase["callers"] = max(phase.get("callers", 1), capacity + WAITERS)
        phase["calls"] = max(phase["calls"], 2 * phase["callers"])
        crowd = f"{phase['callers']} callers and room for {capacity}"
        about = f"the first caller of phase {self._phase}, while others wait ({crowd})"
        yield self._series("first", about, document, 1)
        about = f"the first caller of phase {self._phase} who has to wait ({crowd})"
        yield self._series("waiting", about, document, capacity + 1)

    @property
    def _phase(self) -> str:
        return str(self.base["workload"][self.index]["phase"])

    def _series(self, name: str, about: str, document: Document, call: int) -> Series:
        entry = {"fault": "cancel", "call": call, "when": {"during": self._phase}}
        return Series(
            name=name,
            about=f"{about}, is cancelled",
            noun="step",
            id=self.scenario.base_id,
            document=document,
            entry=entry,
        )
