"""``harness replay``: what it says of the same run, of another outcome, of another way."""

import json
from pathlib import Path

import pytest

SCENARIO = """
scenario: kept
workload: [{phase: work, callers: 2, calls: 6}]
faults: [{fault: reset, when: {response: 2, once: true}}]
expect: {no_leaks: true}
"""


@pytest.fixture
def kept(tmp_path, monkeypatch, harness):
    """The folder of a run that was kept, of the given fabric."""
    monkeypatch.chdir(tmp_path)
    (tmp_path / "kept.yaml").write_text(SCENARIO)

    def run(fabric="virtual"):
        result = harness("run", "kept.yaml", "--on", fabric, "--keep", "runs")
        assert result.exit_code == 0, result.output
        return next(Path("runs").rglob("run.json")).parent

    return run


def test_the_same_run_is_the_same_decision_for_decision(kept, harness):
    result = harness("replay", kept())
    assert result.exit_code == 0, result.output
    assert "was pass, is pass" in result.output
    assert "the same, decision for decision (" in result.output


def test_real_time_is_not_compared(kept, harness):
    result = harness("replay", kept("loopback"))
    assert "times are not compared on loopback" in result.output


def test_another_outcome_names_the_event_and_the_finding(kept, harness):
    result = harness("replay", kept(), "--client", "naive", "--json", "-")
    assert result.exit_code == 1, result.output
    assert "was pass, is FAIL" in result.stderr
    assert "the histories part at event" in result.stderr
    told = json.loads(result.stdout)
    assert told["verdict"] == {"was": "pass", "is": "fail"}
    assert told["parting"]["was"] != told["parting"]["is"]
    assert told["exit_code"] == 1


def test_the_same_outcome_by_another_way_is_its_own_code(kept, harness):
    place = kept()
    lines = (place / "history.jsonl").read_text().splitlines()
    number = next(n for n, line in enumerate(lines) if '"PhaseStarted"' in line)
    lines[number] = lines[number].replace('"phase": "work"', '"phase": "other"')
    (place / "history.jsonl").write_text("\n".join(lines) + "\n")
    result = harness("replay", place)
    assert result.exit_code == 2, result.output
    assert f"the histories part at event {number}" in result.output
    assert "phase other begins" in result.output
    assert "phase work begins" in result.output


def test_a_changed_environment_is_told(kept, harness):
    place = kept()
    about = json.loads((place / "run.json").read_text())
    about["environment"]["trio"] = "0.1"
    (place / "run.json").write_text(json.dumps(about))
    assert "changed since: trio 0.1" in harness("replay", place).output


def test_what_is_not_there_is_a_mistake(tmp_path, harness):
    result = harness("replay", tmp_path)
    assert result.exit_code == 3
    assert "no kept run is here" in result.output
