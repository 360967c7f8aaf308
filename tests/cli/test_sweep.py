"""``harness run`` of a sweep: one row, the boundary, a value repeated."""

import json
from pathlib import Path

import pytest

FRAGILE = Path(__file__).parents[1] / "campaign" / "fragile"
NEVER_LOOKS = f"{FRAGILE / 'returns_half_read.py'}:NeverLooks"

SWEPT = """
scenario: swept
seed: 3
client: {pool: {size: 1, timeout: 2s}}
workload:
  - {phase: warm, calls: 1}
  - {phase: quiet, pause: 100ms}
  - {phase: again, calls: 1}
  - {phase: rest, pause: 200ms}
faults: [{fault: close, sweep: {idle: 90ms..110ms, step: 5ms}}]
expect: {errors: 0}
"""


@pytest.fixture
def swept(tmp_path, monkeypatch):
    monkeypatch.chdir(tmp_path)
    (tmp_path / "swept.yaml").write_text(SWEPT)


def test_the_boundary_stands_in_one_row_with_how_to_repeat_a_value(swept, harness):
    result = harness("run", "swept.yaml", "--on", "virtual", "--client", NEVER_LOOKS, "--jobs", 1)
    assert result.exit_code == 1, result.output
    rows = [line for line in result.output.splitlines() if " swept " in line and "FAIL" in line]
    assert len([row for row in rows if "(client" not in row]) == 1
    assert "FAIL 2/5" in result.output
    assert "  fails for idle 90ms..100ms (3 of 5 values)\n" in result.output
    assert "\n  xxx··\n" in result.output
    assert "--seed 3 --value 90ms\n" in result.output
    assert "flaky" not in result.output


@pytest.mark.parametrize(("value", "code"), [("90ms", 1), ("110ms", 0), ("104.5ms", 0)])
def test_one_value_runs_alone(swept, harness, value, code):
    result = harness("run", "swept.yaml", "--on", "virtual", "--client", NEVER_LOOKS,
                     "--value", value)  # fmt: skip
    assert result.exit_code == code, result.output
    assert f"swept[idle={value}]" in result.output


def test_programs_get_the_boundary(swept, harness):
    result = harness("run", "swept.yaml", "--on", "virtual", "--client", NEVER_LOOKS,
                     "--jobs", 1, "--json", "-")  # fmt: skip
    told = json.loads(result.stdout)
    assert told["sweeps"] == [
        {
            "scenario": "swept",
            "client": NEVER_LOOKS,
            "condition": "idle",
            "values": 5,
            "verdict": "fail",
            "fails": ["90ms..100ms"],
            "unknown": [],
        }
    ]
    assert [run["value"] for run in told["results"]] == [
        "idle=90ms", "idle=95ms", "idle=100ms", "idle=105ms", "idle=110ms",
    ]  # fmt: skip


def test_a_value_for_what_sweeps_nothing_is_a_mistake(here, harness):
    result = harness("run", "a/one", "--value", "3s")
    assert result.exit_code == 3
    assert "it sweeps nothing" in result.output


def test_kept_values_are_judged_and_told_together_again(swept, harness):
    harness("run", "swept.yaml", "--on", "virtual", "--client", NEVER_LOOKS, "--jobs", 1,
            "--keep", "runs")  # fmt: skip
    result = harness("judge", "runs")
    assert result.exit_code == 1, result.output
    assert "fails for idle 90ms..100ms (3 of 5 values)" in result.output
