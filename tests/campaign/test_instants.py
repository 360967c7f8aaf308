"""Faults at instants: which there are, what is judged there, and the window that only they find."""

from pathlib import Path

import pytest

from harness.campaign.instants import INSTANTS_LIMIT, Instant, fairly_judged, instants
from harness.campaign.torture import find_series, undergo
from harness.checks import Finding, Verdict
from harness.choice import ClientChoice
from harness.history import FaultFired, Healed, History, PhaseStarted, RunEnded
from harness.result import RunResult
from harness.runner.executors import open_executor
from harness.scenario import read_file, read_text

RACY = Path(__file__).parent / "racy"

ONE_CALLER = """
scenario: one-caller
seed: 3
client: {pool: {size: 2, timeout: 2s}}
workload:
  - {phase: warm, callers: 2, calls: 2}
  - {phase: quiet, pause: 1s}
  - {phase: again, callers: 2, calls: 2, unsafe: 100%, slow: 20ms}
faults: [{fault: close, when: {idle: 5s}}]
expect: {errors: 0, no_leaks: true}
"""


def history_at(*instants_s, healed_s=10.0):
    history = History()
    for at_s in instants_s:
        history.add(PhaseStarted(at_s=at_s, phase="load"))
    history.add(Healed(at_s=healed_s))
    history.add(RunEnded(at_s=healed_s + 1))
    return history


def told(history):
    return [instant.at_us for instant in instants(history).values()]


def test_instants_count_from_the_workloads_beginning_and_end_with_healing():
    assert told(history_at(0.5, 0.504, 0.5, healed_s=0.51)) == [0, 2_000, 4_000, 7_000, 10_000]


def test_a_gap_too_small_has_no_middle():
    assert told(history_at(0.0, 0.000002, healed_s=0.000002)) == [0, 2]


def test_of_very_many_the_last_are_taken():
    found = told(history_at(*(n / 1000 for n in range(1000)), healed_s=1.0))
    assert len(found) == 2 * INSTANTS_LIMIT - 1
    assert found[-1] == 1_000_000


def test_a_run_that_never_began_has_none():
    assert instants(History()) == {}


def test_an_instant_says_when_in_the_words_of_a_scenario():
    assert Instant(2_004_000).when == {"at": "2004000us", "for": "500us"}
    assert Instant(2_004_000).label == "at 2.004 s"


@pytest.mark.parametrize(
    ("where", "judged"), [("age 3 ms, idle 2 ms", True), ("age 3 ms, awaiting a reply", False)]
)
def test_errors_count_unless_a_call_was_under_way(where, judged):
    history = History()
    history.add(FaultFired(at_s=1.0, index=0, fault="close", connection=1, where=where))
    findings = tuple(
        Finding(check, Verdict.FAIL, "must", "this", "that") for check in ("errors", "no_leaks")
    )
    result = RunResult(
        scenario=read_text(ONE_CALLER, file="one.yaml"),
        choice=ClientChoice(),
        seed=3,
        fabric="virtual",
        history=history,
        findings=findings,
        took_s=0.0,
    )
    checks = [finding.check for finding in fairly_judged(result, 0).findings]
    assert checks == (["errors", "no_leaks"] if judged else ["no_leaks"])
    assert [f.check for f in fairly_judged(result, 0, ("errors",)).findings] == ["no_leaks"]


def test_errors_are_judged_between_instants_and_not_at_them():
    found = instants(history_at(0.0, 0.004, healed_s=0.004)).values()
    assert [instant.forgives for instant in found] == [("errors",), (), ("errors",)]


def tortured(scenario, client):
    (series,) = [s for s in find_series(scenario, client) if s.name.endswith("instants")]
    with open_executor() as executor:
        return undergo(series, client, executor=executor)


def test_the_reference_survives_a_close_at_every_instant_also_in_the_middle_of_a_call():
    ordeal = tortured(read_text(ONE_CALLER, file="one.yaml"), "reference")
    assert len(ordeal.points) >= 4
    assert all(point.fired for point in ordeal.points)
    assert ordeal.verdict is Verdict.PASS


def test_a_window_between_the_look_at_a_connection_and_its_use_is_found():
    scenario = read_file(RACY / "idle.yaml")
    ordeal = tortured(scenario, f"{RACY / 'set_up.py'}:LooksTooEarly")
    assert ordeal.verdict is Verdict.FAIL
    assert {point.checks for point in ordeal.points if point.verdict is Verdict.FAIL} == {
        ("errors",)
    }


def test_who_looks_right_before_sending_has_no_window():
    ordeal = tortured(read_file(RACY / "idle.yaml"), f"{RACY / 'plain_pool.py'}:PlainPool")
    assert ordeal.verdict is Verdict.PASS
