import json
from dataclasses import replace
from importlib import import_module
from pathlib import Path

import made
import pytest

from harness.checks import Verdict
from harness.cli.explore import Telling, parse_seeds
from harness.cli.screen import Screen
from harness.report import Look
from harness.runner import Interrupted, kept

RACY = Path(__file__).parents[1] / "campaign" / "racy"


class FakeRuns:
    def __init__(self):
        self.seeds = []
        self.verdict = lambda scenario: Verdict.PASS

    def __call__(self, scenario, client="reference", *, fabric="loopback", seed=None):
        seed = scenario.seed if seed is None else seed
        self.seeds.append(seed)
        scenario = replace(scenario, seed=seed)
        verdict = Verdict.PASS if client == "reference" else self.verdict(scenario)
        return made.result(
            scenario.id, verdict, scenario=scenario, client=client, seed=seed, fabric=fabric
        )


@pytest.fixture
def runs(monkeypatch):
    fake = FakeRuns()
    for module in ("explore", "minimise"):
        home = import_module(f"harness.campaign.{module}")
        monkeypatch.setattr(home, "run_scenario", fake)
    return fake


def failing(*seeds):
    return lambda scenario: Verdict.FAIL if scenario.seed in seeds else Verdict.PASS


def explore(harness, *args):
    return harness("explore", "a/one", "--jobs", "1", "--client", "naive", *args)


def test_nothing_fails(here, harness, runs):
    done = explore(harness, "--seeds", "1..50")
    assert (done.exit_code, done.stderr) == (0, "")
    assert done.stdout.startswith("a/one: 50 of 50 seeds, ")
    assert "none failed" in done.stdout
    assert runs.seeds == list(range(1, 51))
    assert not (here / "failures").exists()


def test_the_first_failure_is_shrunk_written_and_told(here, harness, runs):
    runs.verdict = failing(7, 8)
    done = explore(harness, "--seeds", "1..50")
    assert done.exit_code == 1
    assert "seed 7 fails: at_most_once\n" in done.stdout
    assert "at_most_once failed: of 100 unsafe calls 1 ran more than once" in done.stdout
    file = here / "failures/a-one-7/scenario.yaml"
    assert f"harness run {file.relative_to(here)} --on virtual --client naive\n" in done.stdout
    assert file.read_text() in done.stdout.replace("\n  ", "\n")
    assert (file.parent / "story.txt").read_text().startswith("at_most_once failed: ")
    (again,) = kept.load(file.parent)
    assert (again.scenario.id, again.seed, again.client, again.fabric) == (
        "a/one", 7, "naive", "virtual",
    )  # fmt: skip
    assert [phase.calls for phase in again.scenario.workload] == [1]


def test_a_failure_can_be_left_as_it_was_found(here, harness, runs):
    runs.verdict = failing(7)
    done = explore(harness, "--seeds", "7", "--no-shrink", "--out", "kept")
    assert "shrunk" not in done.stdout
    (again,) = kept.load(here / "kept/a-one-7")
    assert [phase.calls for phase in again.scenario.workload] == [4]


def test_all_failures_are_counted_if_wanted(here, harness, runs):
    runs.verdict = failing(7, 8, 40)
    done = explore(harness, "--seeds", "1..50", "--all", "--no-shrink", "--json", "found.json")
    assert "50 of 50 seeds" in done.stdout
    assert "3 failed" in done.stdout
    assert "seed 40 fails: at_most_once" in done.stdout
    told = json.loads((here / "found.json").read_text())
    assert [failure["seed"] for failure in told["failures"]] == [7, 8, 40]
    assert told["seeds"] == [1, 50]
    assert told["first"]["command"].startswith("harness run failures/a-one-7/scenario.yaml")
    assert len(told["first"]["story"]) <= 10


def test_a_failure_that_does_not_come_again_is_told_as_such(here, harness, runs):
    runs.verdict = lambda scenario: (
        Verdict.FAIL if runs.seeds.count(scenario.seed) == 1 else Verdict.PASS
    )
    done = explore(harness, "--seeds", "7")
    assert done.exit_code == 1
    assert "but not when it is run again" in done.stdout


def test_only_unknown_is_exit_code_2_and_some_unknown_is_not(here, harness, runs):
    runs.verdict = lambda scenario: Verdict.UNKNOWN
    assert explore(harness, "--seeds", "1..9").exit_code == 2
    runs.verdict = lambda scenario: Verdict.UNKNOWN if scenario.seed == 3 else Verdict.PASS
    done = explore(harness, "--seeds", "1..9")
    assert done.exit_code == 0
    assert "1 unknown" in done.stdout


def test_an_interrupted_search_says_how_far_it_came(here, harness, runs):
    def interrupt(scenario):
        if scenario.seed == 20:
            raise Interrupted(2)
        return Verdict.PASS

    runs.verdict = interrupt
    done = explore(harness, "--seeds", "1..50")
    assert done.exit_code == 130
    assert "a/one: 15 of 50 seeds" in done.stdout


def test_what_cannot_be_set_up_is_exit_code_4(here, harness, runs, monkeypatch):
    home = import_module("harness.campaign.explore")
    broken = made.result("a/one", setup_error="no memory", findings=())
    monkeypatch.setattr(home, "run_scenario", lambda *_, **__: broken)
    done = explore(harness, "--seeds", "1..3")
    assert done.exit_code == 4
    assert "some could not be set up: no memory" in done.stdout


@pytest.mark.parametrize(
    ("text", "seeds"), [("1..3", [1, 2, 3]), ("7", [7]), (" 0 .. 1 ", [0, 1]), ("5..5", [5])]
)
def test_ranges_of_seeds(text, seeds):
    problems = []
    assert list(parse_seeds(text, problems)) == seeds
    assert problems == []


@pytest.mark.parametrize(
    ("text", "said"),
    [
        ("5..1", "--seeds: '5..1' ends before it begins; write the smaller one first: 1..5"),
        ("x..y", "--seeds: 'x..y' is no range of seeds; write 1..1000 or 7"),
        ("..", "--seeds: '..' is no range of seeds"),
        ("1..", "--seeds: '1..' is no range of seeds"),
        ("-3..4", "--seeds: '-3..4' is no range of seeds"),
        ("", "--seeds: '' is no range of seeds"),
        ("1...3", "--seeds: '1...3' is no range of seeds"),
        ("1..99999999999", "--seeds: '1..99999999999' are too many; write at most 10000000"),
    ],
)
def test_bad_ranges_say_what_is_right(here, harness, runs, text, said):
    done = harness("explore", "a/one", f"--seeds={text}")
    assert done.exit_code == 3
    assert said in done.stderr
    assert runs.seeds == []


def test_all_mistakes_are_told_at_once(here, harness, runs):
    done = harness(
        "explore", "nowhere", "--seeds", "5..1", "--client", "refrence", "--json", "no/x.json"
    )
    assert done.exit_code == 3
    for part in ("nowhere", "5..1", "refrence", "no/x.json"):
        assert part in done.stderr


def test_one_scenario_is_explored_at_a_time(here, harness, write_scenario):
    write_scenario(here, "a/three")
    done = harness("explore", "a")
    assert done.exit_code == 3
    assert "'a' names 2 scenarios, and one is explored at a time; name one, such as a/one" in (
        done.stderr
    )


class Stream:
    encoding = "utf-8"

    def __init__(self):
        self.text = ""

    def write(self, text):
        self.text += text

    def flush(self):
        pass


@pytest.mark.parametrize("live", [True, False])
def test_progress_is_one_line_on_a_terminal_and_now_and_then_a_line_on_a_pipe(
    live, monkeypatch, here
):
    from harness.campaign import Exploration
    from harness.scenario import read_file

    stream, clock = Stream(), iter(range(1000))
    module = import_module("harness.cli.explore")
    monkeypatch.setattr(module.time, "perf_counter", lambda: next(clock))
    scenario = read_file(here / "scenarios/a/one.yaml")
    telling = Telling(Screen(stream, Look(), live=live), "a/one", 50)
    found = Exploration(scenario, "naive", range(1, 51), done=20)
    for _ in range(4):
        telling.on_progress(found)
    telling.end(found)
    begun = stream.text.count("a/one: 20 of 50 seeds, ")
    assert stream.text.endswith("none failed\n")
    if live:
        assert begun == 5
        assert stream.text.count("\n") == 1
    else:
        assert 1 < begun < 5
        assert stream.text.count("\n") == begun


# --- true runs ------------------------------------------------------------------------------


def test_a_racy_pool_is_found_shrunk_and_fails_again(tmp_path, monkeypatch, harness):
    monkeypatch.chdir(tmp_path)
    client = f"{RACY / 'checkout.py'}:UnsynchronisedCheckout"
    done = harness(
        "explore", RACY / "together.yaml", "--client", client, "--seeds", "1..100", "--jobs", "1"
    )
    assert done.exit_code == 1, done.output
    (command,) = [line for line in done.stdout.splitlines() if "repeat with" in line]
    again = harness(*command.split("harness ", 1)[1].split())
    assert again.exit_code == 1, again.output
    assert "no_crosstalk" in again.stdout
    (kept_run,) = kept.load(tmp_path / "failures")
    (phase,) = kept_run.scenario.workload
    assert phase.callers == 2
    assert phase.calls <= 6
