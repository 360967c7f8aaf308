"""Kept runs made again, and what is said where they differ."""

from dataclasses import replace

import pytest

from harness.campaign.replay import decisions, kept_at, parting, replay
from harness.errors import InputError
from harness.history import CallFailed, CallInvoked, CallOk, FaultFired, History
from harness.runner import RunOptions, kept, run_all
from harness.scenario import at_value, read_text

TEXT = """
scenario: kept
seed: 3
client: {pool: {size: 2}}
workload:
  - {phase: work, callers: 2, calls: 6, unsafe: 50%}
faults: [{fault: reset, when: {connection: 1, sweep: {byte: 0..40, step: 20}, request: 2}}]
expect: {no_leaks: true}
"""


@pytest.fixture
def scenario():
    return read_text(TEXT, file="kept.yaml")


def keep(scenario, folder, fabric):
    (result,) = run_all([scenario], RunOptions(keep=folder, fabric=fabric))
    return result


def test_a_run_in_virtual_time_is_the_same_to_the_byte(scenario, tmp_path):
    keep(scenario, tmp_path, "virtual")
    told = replay(kept_at(tmp_path))
    assert told.same
    assert told.exact
    assert told.after.history.to_jsonl() == told.before.history.to_jsonl()


def test_the_value_of_a_sweep_is_that_of_the_kept_run(scenario, tmp_path):
    keep(at_value(scenario, "20"), tmp_path, "virtual")
    told = replay(kept_at(tmp_path))
    assert told.before.scenario.value == "byte=20"
    assert told.after.scenario.faults[0].when.byte == 20
    assert told.same


def test_a_run_in_real_time_makes_the_same_decisions(scenario, tmp_path):
    text = TEXT.replace("callers: 2", "callers: 1")
    keep(read_text(text, file="kept.yaml"), tmp_path, "loopback")
    told = replay(kept_at(tmp_path))
    assert told.same, (told.only_before, told.only_after)
    assert not told.exact


def test_a_history_that_was_changed_parts_where_it_was_changed(scenario, tmp_path):
    result = keep(scenario, tmp_path, "virtual")
    number, event = result.history.of(CallInvoked)[3]
    before = kept_at(tmp_path)
    before.history.events[number] = replace(event, nonce="other")
    told = replay(before)
    assert told.parting.number == number
    assert told.parting.before.nonce == "other"
    assert told.parting.after == event
    assert not told.same
    assert told.same_outcome


def test_a_change_of_the_environment_is_named(scenario, tmp_path):
    keep(scenario, tmp_path, "virtual")
    before = kept_at(tmp_path)
    before.environment["trio"] = "0.1"
    ((name, old, _),) = replay(before).environment
    assert (name, old) == ("trio", "0.1")


def test_another_client_is_another_outcome(scenario, tmp_path):
    keep(scenario, tmp_path, "virtual")
    told = replay(kept_at(tmp_path), "naive")
    assert told.after.client == "naive"
    assert not told.same_outcome
    assert told.parting.number > 0  # that it is another client is no news


def test_a_run_is_named_by_its_folder_or_by_a_file_in_it(scenario, tmp_path):
    keep(scenario, tmp_path, "virtual")
    place = next(tmp_path.rglob(kept.RUN)).parent
    for path in (place, place / kept.HISTORY, place / kept.SCENARIO, tmp_path):
        assert kept_at(path).scenario.id == "kept"


def test_several_runs_are_a_mistake_that_names_one(scenario, tmp_path):
    for value in ("0", "20"):
        keep(at_value(scenario, value), tmp_path, "virtual")
    with pytest.raises(InputError, match="2 runs are kept here; name one of them, such as"):
        kept_at(tmp_path)


@pytest.mark.parametrize("name", ["", "nothing", "scenario.yaml"])
def test_where_no_run_is_kept_it_says_who_keeps_them(tmp_path, name):
    (tmp_path / "scenario.yaml").write_text(TEXT)
    with pytest.raises(InputError, match="no kept run is here"):
        kept_at(tmp_path / name)


# --- what is compared -----------------------------------------------------------------------


def fired(at_s, where, connection=1):
    return FaultFired(at_s=at_s, index=0, fault="close", connection=connection, where=where)


def test_decisions_have_no_times():
    old = decisions(History([fired(0.1, "age 112 ms, idle 99.5 ms")]))
    new = decisions(History([fired(0.2, "age 110 ms, idle 100 ms")]))
    assert old == new == {"fault 0 (close) struck on connection 1": 1}


def test_where_a_fault_struck_is_a_decision():
    old = decisions(History([fired(0.1, "upstream exchange 2 byte 7")]))
    new = decisions(History([fired(0.1, "upstream exchange 2 byte 8")]))
    assert old != new


def test_how_a_call_ended_is_a_decision_and_probes_are_none():
    invoked = CallInvoked(at_s=0, nonce="r1", caller=1, phase="recovery", unsafe=False,
                          expected_bytes=1)  # fmt: skip
    probe = CallOk(at_s=1, nonce="r1", took_s=1, reply_nonce="r1", reply_bytes=1, expected_bytes=1)
    failed = CallFailed(at_s=1, nonce="p1", took_s=1, kind="reset", message="gone")
    assert decisions(History([invoked, probe, failed])) == {"call p1 failed: reset": 1}


def test_a_history_that_ends_early_parts_at_its_end():
    events = [fired(0.1, "a"), fired(0.2, "b")]
    found = parting(History(events), History(events[:1]))
    assert (found.number, found.before, found.after) == (1, events[1], None)
    assert parting(History(events), History(list(events))) is None
