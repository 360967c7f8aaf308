"""What a scenario needs of a client, in the words a client says it in (``contract.FEATURES``)."""

from __future__ import annotations

from collections.abc import Iterator

from harness.faults.cancel import Cancel
from harness.scenario.model import PhaseWords, PoolWords, Scenario


def needs(scenario: Scenario) -> tuple[str, ...]:
    """The features without which a client can't be judged by it, each once."""
    found = [
        *_of_pool(scenario.client.pool),
        *(word for phase in scenario.workload for word in _of_phase(phase, scenario.client.pool)),
        *_of_faults(scenario),
        *(["tls"] if scenario.proxy.tls != "off" else []),
    ]
    return tuple(dict.fromkeys(found))


def _of_pool(pool: PoolWords) -> Iterator[str]:
    asked = {
        "max_overflow": pool.max_overflow > 0,
        "recycle": pool.recycle_s is not None,
        "idle_timeout": pool.idle_timeout_s is not None,
        "pre_ping": pool.pre_ping,
        "min_idle": pool.min_idle > 0,
    }
    yield from (word for word, is_asked in asked.items() if is_asked)


def _of_phase(phase: PhaseWords, pool: PoolWords) -> Iterator[str]:
    """Only where more callers come than there may be connections does the limit matter."""
    if phase.rate_per_s is not None or phase.callers > pool.size + pool.max_overflow:
        yield "size"
    if phase.cancel is not None:
        yield "cancel" if phase.cancel.step is None else "cancel_step"
    if phase.abandon is not None:
        yield "abandon" if phase.abandon.how == "exception" else "abandon_reference"
    if phase.close_after_s is not None:
        yield "close_busy"
    if phase.session:
        yield "session"


def _of_faults(scenario: Scenario) -> Iterator[str]:
    for spec in scenario.faults:
        if isinstance(spec.fault, Cancel):
            yield "cancel" if spec.fault.step is None else "cancel_step"
