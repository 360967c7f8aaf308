"""``harness run``: what is chosen, what is said, what the exit code is; the runner is a fake."""

import json

import pytest
from made import result

import harness.cli.run as run_module
from harness.checks import Verdict
from harness.choice import ClientChoice
from harness.errors import SetupError
from harness.runner import Interrupted, Progress

BAD_CLIENT = "no_such_client"


class Runner:
    """Stands in for ``run_all``; every scenario ends with the verdict planned for it."""

    def __init__(self):
        self.verdicts = {}
        self.error = None
        self.options = None
        self.scenarios = None

    def __call__(self, scenarios, options, on_progress, on_result):
        self.options, self.scenarios = options, scenarios
        results = []
        for number in range(1, options.repeat + 1):
            for scenario in scenarios:
                on_progress(Progress(scenario.id, phase="work", round=number))
                verdict = self.verdicts.get((scenario.id, number), Verdict.PASS)
                results.append(
                    result(scenario.id, verdict, scenario=scenario, round=number, seed=number)
                )
                on_result(results[-1])
        if self.error is not None:
            raise self.error
        return results


@pytest.fixture
def runner(monkeypatch):
    fake = Runner()
    monkeypatch.setattr(run_module, "run_all", fake)
    return fake


def test_with_no_name_everything_runs(here, harness, runner):
    done = harness("run")
    assert done.exit_code == 0
    assert [scenario.id for scenario in runner.scenarios] == ["a/one", "b/two"]
    first, second, _, last = done.stdout.splitlines()
    assert first.startswith("pass     a/one  calls=")
    assert second.startswith("pass     b/two  calls=")
    assert last.startswith("2 passed in ")


@pytest.mark.parametrize("name", ["a/one", "a", "a/*", "scenarios/a/one.yaml", "scenarios/a"])
def test_ids_families_patterns_files_and_folders_name_scenarios(here, harness, runner, name):
    assert harness("run", name).exit_code == 0
    assert [scenario.id for scenario in runner.scenarios] == ["a/one"]


def test_a_scenario_named_twice_runs_once(here, harness, runner):
    harness("run", "a/one", "scenarios/a/one.yaml", "a")
    assert len(runner.scenarios) == 1


def test_options_reach_the_runner(here, harness, runner):
    harness("run", "a", "--seed", "9", "--repeat", "3", "--jobs", "2", "--keep", here / "kept")
    options = runner.options
    assert (options.client, options.seed, options.repeat) == (ClientChoice(), 9, 3)
    assert (options.jobs, options.keep) == (2, here / "kept")


def test_jobs_are_the_cores_unless_told(here, harness, runner):
    harness("run", "a")
    assert runner.options.jobs == run_module.cores() >= 1


@pytest.mark.parametrize(
    ("verdict", "code"), [(Verdict.PASS, 0), (Verdict.FAIL, 1), (Verdict.UNKNOWN, 2)]
)
def test_the_verdict_makes_the_exit_code(here, harness, runner, verdict, code):
    runner.verdicts["a/one", 1] = verdict
    assert harness("run").exit_code == code


def test_should_counts_only_with_strict(here, harness, runner):
    runner.verdicts["b/two", 1] = Verdict.FAIL
    assert harness("run").exit_code == 0
    assert harness("run", "--strict").exit_code == 1


def test_a_failure_says_how_to_repeat_it(here, harness, runner):
    runner.verdicts["a/one", 1] = Verdict.FAIL
    assert "  repeat with  harness run a/one --seed 1\n" in harness("run").stdout


def test_a_file_elsewhere_is_repeated_by_its_path(here, harness, runner, write_scenario):
    write_scenario(here / "other", "x").rename(here / "mine.yaml")
    runner.verdicts["mine", 1] = Verdict.FAIL
    assert "harness run mine.yaml --seed 1\n" in harness("run", "mine.yaml").stdout


def test_rounds_are_told_singly_and_then_together(here, harness, runner):
    runner.verdicts["a/one", 2] = Verdict.FAIL
    done = harness("run", "a", "--repeat", "3")
    assert done.exit_code == 1
    assert [line.split()[-1] for line in done.stdout.splitlines()[:3]] == [
        "round=1/3", "round=2/3", "round=3/3",
    ]  # fmt: skip
    assert "FAIL 2/3" in done.stdout
    assert "flaky: a/one (2/3)" in done.stdout


def test_json_on_standard_output_sends_the_rest_to_standard_error(here, harness, runner):
    done = harness("run", "--json", "-")
    assert [told["id"] for told in json.loads(done.stdout)["results"]] == ["a/one", "b/two"]
    assert "2 passed" in done.stderr


def test_json_goes_to_a_file(here, harness, runner):
    runner.verdicts["a/one", 1] = Verdict.FAIL
    assert harness("run", "--json", "out.json").exit_code == 1
    assert json.loads((here / "out.json").read_text())["totals"]["exit_code"] == 1


def test_a_file_that_cannot_be_written_is_known_before_anything_runs(here, harness, runner):
    done = harness("run", "--json", "nowhere/out.json")
    assert done.exit_code == 3
    assert "nowhere/out.json: --json: its folder doesn't exist" in done.stderr
    assert runner.scenarios is None
    assert harness("run", "--json", "scenarios").exit_code == 3


def test_another_fabric_is_a_mistake_that_names_those_there_are(here, harness, runner):
    done = harness("run", "--on", "moon")
    assert done.exit_code == 3
    assert "there is no fabric 'moon'; known are loopback, netns, virtual" in done.stderr
    assert runner.scenarios is None


def test_a_packet_fault_on_loopback_is_a_mistake_at_its_place(here, harness, runner):
    text = (here / "scenarios/a/one.yaml").read_text()
    assert "faults:" not in text
    (here / "scenarios/a/one.yaml").write_text(f"{text}faults:\n  - {{fault: blackhole}}\n")
    done = harness("run", "a/one", "--on", "loopback")
    assert done.exit_code == 3
    assert "one.yaml:" in done.stderr
    assert "blackhole needs packets, and the loopback fabric has none" in done.stderr
    assert "say --on virtual" in done.stderr
    assert runner.scenarios is None


def test_each_scenario_runs_where_it_belongs_unless_told_otherwise(here, harness, runner):
    harness("run", "a/one")
    assert runner.options.fabric is None
    harness("run", "a/one", "--on", "virtual")
    assert runner.options.fabric == "virtual"


def test_all_mistakes_are_told_at_once_and_nothing_runs(here, harness, runner):
    (here / "scenarios/a/bad.yaml").write_text("scenario: x\nworklod: []\n")
    (here / "scenarios/a/worse.yaml").write_text("scenario: [\n")
    done = harness("run", "a", "nowhere/at/all", "--client", BAD_CLIENT, "--on", "mars")
    assert done.exit_code == 3
    for part in ("a/bad.yaml:2:", "a/worse.yaml:", "nowhere/at/all", BAD_CLIENT, "mars"):
        assert part in done.stderr
    assert done.stdout == ""
    assert runner.scenarios is None


def test_files_in_messages_are_named_as_seen_from_here(here, harness, runner):
    (here / "scenarios/a/bad.yaml").write_text("scenario: x\nworklod: []\n")
    assert "\nscenarios/a/bad.yaml:2:1: " in "\n" + harness("run").stderr


def test_an_empty_folder_is_a_mistake_not_a_pass(here, harness, runner, tmp_path):
    (here / "empty").mkdir()
    done = harness("run", "empty")
    assert done.exit_code == 3
    assert done.stderr


def test_no_scenario_at_all_is_a_mistake_not_a_pass(tmp_path, monkeypatch, harness, runner):
    (tmp_path / "scenarios").mkdir()
    monkeypatch.chdir(tmp_path)
    done = harness("run")
    assert done.exit_code == 3
    assert "there is no scenario" in done.stderr


@pytest.mark.parametrize(("number", "code"), [(2, 130), (15, 143)])
def test_an_interrupted_run_tells_what_it_has(here, harness, runner, number, code):
    runner.error = Interrupted(number)
    done = harness("run", "--repeat", "2")
    assert done.exit_code == code
    assert "4 passed" in done.stdout
    assert done.stdout.endswith("stopped after 4 of 4 runs\n")


def test_a_set_up_that_fails_altogether_is_exit_code_4(here, harness, runner):
    runner.error = SetupError("no memory")
    done = harness("run")
    assert (done.exit_code, done.stderr) == (4, "set-up failed: no memory\n")


def test_a_bug_is_told_as_ours(here, harness, runner):
    runner.error = ZeroDivisionError("oops")
    done = harness("run")
    assert done.exit_code == 70
    assert "ZeroDivisionError: oops" in done.stderr
