"""``harness judge`` on runs that ``harness run --keep`` kept; these run for real."""

import json

import pytest


@pytest.fixture
def kept(here, harness):
    done = harness("run", "--keep", "kept", "--jobs", "1")
    assert done.exit_code == 0, done.output
    return here / "kept"


def test_a_kept_run_is_judged_the_same_again(kept, harness):
    done = harness("judge", kept)
    assert done.exit_code == 0, done.output
    assert "a/one" in done.stdout
    assert done.stdout.endswith("2 passed\n")


def test_one_run_of_several_can_be_named(kept, harness):
    done = harness("judge", kept / "a", "--json", "-")
    assert [told["id"] for told in json.loads(done.stdout)["results"]] == ["a/one"]


def test_changed_checks_judge_the_same_history(kept, harness):
    (scenario,) = kept.glob("a/one/*/scenario.yaml")
    scenario.write_text(scenario.read_text().replace("errors: 0", "errors: {at_least: 1}"))
    done = harness("judge", kept)
    assert done.exit_code == 1
    assert "at least 1" in done.stdout


def test_a_folder_without_runs_is_a_mistake(here, harness):
    done = harness("judge", here / "scenarios", here / "nowhere")
    assert done.exit_code == 3
    assert len(done.stderr.splitlines()) == 2
