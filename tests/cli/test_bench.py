"""``harness bench`` hands on; what it measures is tested where it is measured."""

import json

import pytest

from harness.cli import bench
from harness.errors import SetupError


@pytest.fixture
def asked(monkeypatch):
    seen = {}

    def run_bench(**options):
        seen.update(options)
        options["on_progress"]("latency")
        if "error" in seen:
            raise seen["error"]
        return "report"

    monkeypatch.setattr(bench, "run_bench", run_bench)
    monkeypatch.setattr(bench, "render", lambda report: f"the {report}\n")
    monkeypatch.setattr(bench, "to_json", lambda report: {"is": report})
    return seen


def test_the_report_is_shown(harness, asked):
    done = harness("bench")
    assert (done.exit_code, done.stdout, done.stderr) == (0, "the report\n", "")
    assert asked["rounds"] == 5


def test_quick_is_shorter(harness, asked):
    harness("bench", "--quick")
    assert asked["rounds"] * asked["seconds_per_measure"] <= 0.5


def test_json_on_standard_output_sends_the_table_to_standard_error(harness, asked):
    done = harness("bench", "--json", "-")
    assert json.loads(done.stdout) == {"is": "report"}
    assert done.stderr == "the report\n"


def test_what_the_machine_lacks_is_exit_code_4(harness, asked):
    asked["error"] = SetupError("no socket")
    done = harness("bench")
    assert (done.exit_code, done.stderr) == (4, "set-up failed: no socket\n")
