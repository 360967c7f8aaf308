"""What the benchmark of virtual time says; how fast it is here is nobody's promise."""

from harness.campaign.pace import TARGETS, measure_pace, pace_lines, pace_to_json


def test_every_figure_is_measured_and_written():
    said = []
    pace = measure_pace(rounds=1, seconds=0.1, on_progress=said.append)
    assert set(pace) == {target.key for target in TARGETS}
    assert all(value > 0 for value in pace.values())
    assert said == ["round 1 of 1"]
    lines = pace_lines(pace)
    assert [line.partition("  ")[0] for line in lines] == [target.title for target in TARGETS]
    assert all("aim" in line for line in lines)
    assert pace_to_json(pace)["runs_per_s"] == {"median": pace["runs_per_s"], "at_least": 100}
