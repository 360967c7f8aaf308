"""Torture finds what it should, at the same points every time, and spares a pool that is sound."""

from pathlib import Path

import pytest

from harness.campaign.torture import find_series, undergo
from harness.checks import Verdict
from harness.errors import InputError
from harness.report import ranges
from harness.report.strip import Mark
from harness.runner import open_executor
from harness.scenario import bundled_root, read_file, read_text

FRAGILE = Path(__file__).parent / "fragile"
LOSES_A_SLOT = f"{FRAGILE / 'loses_a_slot.py'}:LosesASlot"
HALF_READ = f"{FRAGILE / 'returns_half_read.py'}:ReturnsHalfRead"
UNTIL_THE_END = f"{FRAGILE / 'returns_half_read.py'}:ReadsUntilTheEnd"

MINI = """
scenario: mini
seed: 3
client: {pool: {size: 2, timeout: 2s}}
workload:
  - {phase: work, callers: 2, calls: 6, size: 40B, timeout: 3s}
faults: [{fault: reset, when: {response: 2, byte: 10}}]
expect: {errors: 0, no_leaks: true}
"""


@pytest.fixture
def mini():
    return read_text(MINI, file="mini.yaml")


def torture(scenario, client, what=(), part="", **options):
    found = find_series(scenario, client, what=what, **options)
    found = [series for series in found if series.name.endswith(part)]
    with open_executor() as executor:
        return {series.name: undergo(series, client, executor=executor) for series in found}


def failing(ordeal):
    marks = [Mark(str(point.number), point.verdict) for point in ordeal.points]
    return ranges(marks, Verdict.FAIL)


def test_a_slot_lost_at_one_checkpoint_is_found_there_every_time(mini):
    first, again = [torture(mini, LOSES_A_SLOT, ["cancel"]) for _ in range(2)]
    assert {name: failing(ordeal) for name, ordeal in first.items()} == {
        "alone": ["1..2"],
        "first": ["1..2"],
        "waiting": ["2"],
    }
    assert {p.checks for ordeal in first.values() for p in ordeal.bad} == {("slots_conserved",)}
    assert [failing(o) for o in again.values()] == [failing(o) for o in first.values()]


def test_a_connection_taken_back_half_read_is_found_by_its_next_caller(mini):
    found = torture(mini, HALF_READ, ["cancel"])
    assert all(failing(ordeal) for ordeal in found.values())
    assert {"no_crosstalk"} <= {c for o in found.values() for p in o.bad for c in p.checks}


def test_a_reply_taken_for_whole_is_found_from_its_head_to_its_last_byte(mini):
    found = torture(mini, UNTIL_THE_END, ["fault"])
    response = found["reset/response"]
    size = len(response.points) - 1
    assert failing(response) == [f"{size - 40}..{size - 1}"]
    assert failing(found["reset/request"]) == []


def test_every_point_is_one_at_which_something_was_struck(mini):
    for ordeal in torture(mini, "reference", ["cancel", "fault"]).values():
        assert ordeal.points
        assert all(point.fired for point in ordeal.points)
        assert ordeal.verdict is Verdict.PASS


def test_steps_end_where_the_call_does(mini):
    (series, *_) = find_series(mini, "reference", what=["cancel"])
    heard = []
    with open_executor() as executor:
        ordeal = undergo(series, "reference", executor=executor, on_point=heard.append)
    steps = [point.number for point in ordeal.points]
    assert steps == list(range(1, len(steps) + 1))
    assert [torment.fired for torment in heard] == [True] * len(steps) + [False]


@pytest.mark.parametrize(
    "name",
    ["pool/size", "tls/close", "cancel/waiting", "cancel/in_flight"],
)
def test_the_reference_pool_survives_cancellation_at_every_step_of(name):
    path = min((bundled_root() / name).glob("*.yaml"))
    found = torture(read_file(path, bundled_root()), "reference", ["cancel"])
    assert {ordeal.verdict for ordeal in found.values()} == {Verdict.PASS}
    assert sum(len(ordeal.points) for ordeal in found.values()) >= 8


@pytest.mark.parametrize(
    ("name", "part", "least"),
    [("response/reset", "request", 60), ("tls/close", "records", 20)],
)
def test_the_reference_pool_survives_the_fault_wherever_it_strikes(name, part, least):
    path = min((bundled_root() / name).glob("*.yaml"))
    (ordeal,) = torture(read_file(path, bundled_root()), "reference", ["fault"], part).values()
    assert ordeal.verdict is Verdict.PASS
    assert len(ordeal.points) >= least


def test_a_scenario_without_a_fault_that_can_be_placed_says_what_could_be_done():
    text = MINI.replace("{fault: reset, when: {response: 2, byte: 10}}", "{fault: refuse, at: 1s}")
    with pytest.raises(InputError, match="no fault of this scenario can be placed"):
        find_series(read_text(text, file="mini.yaml"), "reference", what=["fault"])
