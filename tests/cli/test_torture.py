"""``harness torture``: what it shows, what it leaves with."""

import json
from pathlib import Path

import pytest

FRAGILE = Path(__file__).parents[1] / "campaign" / "fragile"
LOSES_A_SLOT = f"{FRAGILE / 'loses_a_slot.py'}:LosesASlot"

MINI = """
scenario: mini
seed: 3
client: {pool: {size: 1, timeout: 2s}}
workload: [{phase: work, callers: 2, calls: 4, size: 10B, timeout: 3s}]
faults: [{fault: reset, when: {response: 2, byte: 10}}]
expect: {no_leaks: true}
"""


@pytest.fixture
def mini(tmp_path, monkeypatch):
    monkeypatch.chdir(tmp_path)
    (tmp_path / "mini.yaml").write_text(MINI)
    return tmp_path


def test_a_strip_shows_the_points_and_the_end_says_how_to_repeat_one(mini, harness):
    result = harness("torture", "mini.yaml", "--client", LOSES_A_SLOT, "--what", "cancel",
                     "--jobs", 1)  # fmt: skip
    assert result.exit_code == 1, result.output
    assert "torture mini  (client " in result.output
    assert "    xx···\n    fails for step 1..2 (2 of 5 points)\n" in result.output
    assert "slots_conserved" in result.output
    command = next(li for li in result.output.splitlines() if "repeat with" in li).split("  ")[-1]
    assert command.endswith("--what cancel --seed 3 --point alone:1")
    again = harness(*command.split()[1:], "--jobs", 1)
    assert again.exit_code == 1
    assert "1 point: 1 failed" in again.output


def test_a_failing_point_is_kept_and_fails_when_run_and_replayed(mini, harness):
    result = harness("torture", "mini.yaml", "--client", LOSES_A_SLOT, "--what", "cancel",
                     "--point", "waiting:2", "--keep", "out", "--jobs", 1)  # fmt: skip
    assert result.exit_code == 1, result.output
    (place,) = [path.parent for path in Path("out").rglob("run.json")]
    assert place.name.endswith("-3-waiting-2")
    run = harness("run", place / "scenario.yaml", "--client", LOSES_A_SLOT, "--on", "virtual")
    assert run.exit_code == 1, run.output
    replayed = harness("replay", place)
    assert replayed.exit_code == 0, replayed.output
    assert "the same, decision for decision" in replayed.output


def test_programs_get_every_mark(mini, harness):
    result = harness("torture", "mini.yaml", "--what", "fault", "--json", "-", "--jobs", 1)
    assert result.exit_code == 0, result.output
    told = json.loads(result.stdout)
    names = [series["name"] for series in told["series"]]
    assert names == ["reset/request", "reset/response", "reset/instants"]
    assert set("".join(series["marks"] for series in told["series"])) == {"."}
    assert told["totals"]["points"] == sum(series["points"] for series in told["series"]) > 50
    assert told["failures"] == []
    assert "reset/response" in result.stderr


@pytest.mark.parametrize(
    ("args", "says"),
    [
        (["mini.yaml", "--point", "alon:1"], "there is no series 'alon'"),
        (["mini.yaml", "--point", "alone"], "'alone' is no point; write SERIES:K"),
        (["mini.yaml", "--client", "refrence"], "did you mean 'reference'"),
        (["mini.yaml", "--executor", "dask"], "dask needs its scheduler's address"),
        (["nothing.yaml"], "no scenario is called"),
        (["mini.yaml", "--on", "moon"], "'moon' is not one of"),
    ],
)
def test_a_mistake_is_told_before_anything_runs(mini, harness, args, says):
    result = harness("torture", *args, "--what", "cancel", "--jobs", 1)
    assert result.exit_code == 3, result.output
    assert says in result.output


def test_a_point_past_the_end_strikes_nothing(mini, harness):
    result = harness("torture", "mini.yaml", "--what", "cancel", "--point", "alone:999",
                     "--jobs", 1)  # fmt: skip
    assert result.exit_code == 2, result.output
    assert "nothing could be struck" in result.output
