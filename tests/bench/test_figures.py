import json

import pytest

from harness.bench.figures import FIGURES, BenchReport, lateness_s, percentile, to_json
from harness.bench.table import render


def report(**changes):
    samples = {
        "direct": {"bulk_bytes_per_s": [2e9, 4e9, 3e9], "round_trip_s": [50e-6] * 3},
        "proxy": {
            "bulk_bytes_per_s": [1e9, 1e9, 3e9],
            "round_trip_s": [100e-6] * 3,
            "idle_bytes": [9_000.0],
        },
        "proxy, latency": {"late_p50_s": [0.0001], "late_p99_s": [0.0004]},
        "HAProxy": {"bulk_bytes_per_s": [1e9, 2e9, 2e9]},
    }
    given = {"samples": samples, "rounds": 3, "seconds_per_measure": 0.5} | changes
    return BenchReport(**given)


@pytest.mark.parametrize(
    ("values", "share", "expected"),
    [
        ([5.0], 0.5, 5.0),
        ([1.0, 2.0, 3.0, 4.0], 0.5, 2.0),
        ([4.0, 1.0, 3.0, 2.0], 0.99, 4.0),
        ([1.0, 2.0], 0.0, 1.0),
        (list(range(1, 101)), 0.99, 99),
    ],
)
def test_a_percentile_is_one_of_the_values(values, share, expected):
    assert percentile(values, share) == expected


def test_late_is_what_exceeds_the_baseline_and_the_delay_asked_for():
    assert lateness_s([0.0061, 0.0062, 0.0070], 0.001, 0.005, 0.5) == pytest.approx(0.0002)


def test_a_median_is_of_all_rounds_and_none_if_nothing_was_measured():
    assert report().median("direct", "bulk_bytes_per_s") == 3e9
    assert report().median("direct", "idle_bytes") is None
    assert report().median("nobody", "idle_bytes") is None


def test_a_ratio_compares_figures_of_the_same_round():
    assert report().ratio("proxy", "bulk_bytes_per_s", "direct") == 0.5
    assert report().ratio("proxy", "bulk_bytes_per_s", "HAProxy") == 1.0


def test_without_a_baseline_there_is_no_ratio():
    assert report().ratio("proxy", "round_trip_s", "HAProxy") is None
    assert BenchReport(samples={"a": {"x": [1.0]}, "b": {"x": [0.0]}}).ratio("a", "x", "b") is None


def test_json_has_medians_ratios_and_samples():
    found = json.loads(json.dumps(to_json(report(machine={"Python": "3.11"}))))

    assert found.keys() == {"machine", "rounds", "seconds_per_measure", "missing", "contenders"}
    assert found["contenders"]["proxy"]["bulk_bytes_per_s"] == {
        "median": 1e9,
        "to_direct": 0.5,
        "to_haproxy": 1.0,
        "samples": [1e9, 1e9, 3e9],
    }
    assert found["contenders"]["proxy, latency"]["late_p50_s"]["to_direct"] is None


def test_a_table_has_a_row_a_contender_and_says_who_is_missing_and_why():
    text = render(report(missing={"socat": "socat is not installed"}))

    assert "0.50 x direct" in text
    assert "100 µs" in text
    assert "9.0 KB" in text
    assert "0.10 ms" in text
    assert "socat is missing: socat is not installed." in text
    assert "Medians of 3 rounds of 0.5 s" in text
    assert "\x1b" not in text
    assert all(len(line) <= 120 for line in text.splitlines())


def test_a_table_has_no_column_that_nobody_fills():
    assert "late p50" not in render(BenchReport(samples={"direct": {"bulk_bytes_per_s": [1e9]}}))


def test_nothing_measured_is_still_a_report():
    assert "direct" in render(BenchReport(samples={"direct": {}}))


def test_a_contender_is_not_compared_with_itself():
    only = BenchReport(samples={"direct": {"bulk_bytes_per_s": [1e9]}})
    assert "x direct" not in render(only)


def test_keys_of_figures_end_in_their_unit():
    assert all(figure.key.endswith(("_s", "_bytes")) for figure in FIGURES)
