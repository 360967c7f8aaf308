"""``harness scorecard``: who meets what, what is written, what the exit code is."""

import json
import re
import xml.etree.ElementTree as ET

import pytest
from made import result
from test_processes import on_terminal

import harness.cli.scorecard as scorecard_module
from harness.checks import Verdict
from harness.clients import all_clients
from harness.errors import SetupError
from harness.runner import Interrupted

PASS, FAIL, UNKNOWN = Verdict.PASS, Verdict.FAIL, Verdict.UNKNOWN


class Surveyor:
    """Stands in for ``survey``; every pair ends as it is planned for its client."""

    def __init__(self):
        self.changes = {}
        self.asked = self.options = self.error = None

    def __call__(self, asked, options, on_result):
        self.asked, self.options = asked, options
        results = []
        for pair in asked:
            changes = self.changes.get(pair.choice.name, {})
            results.append(
                result(
                    pair.scenario.id,
                    scenario=pair.scenario,
                    choice=pair.choice,
                    round=pair.ordinal,
                    **changes,
                )
            )
            on_result(results[-1])
        if self.error is not None:
            raise self.error
        return results

    @property
    def clients(self):
        return list(dict.fromkeys(pair.choice.name for pair in self.asked))


@pytest.fixture
def surveyor(monkeypatch):
    fake = Surveyor()
    monkeypatch.setattr(scorecard_module, "survey", fake)
    return fake


def test_by_default_every_client_but_naive_meets_every_scenario(here, harness, surveyor):
    done = harness("scorecard")
    assert done.exit_code == 0, done.output
    speaking = [name for name, card in all_clients().items() if "http" in card.serves]
    assert set(surveyor.clients) == set(speaking) - {"naive"}
    assert surveyor.clients[0] == "reference"
    assert {pair.scenario.id for pair in surveyor.asked} == {"a/one", "b/two"}


def test_a_pipe_gets_a_line_a_run_and_then_the_tables(here, harness, surveyor):
    lines = harness("scorecard", "--clients", "reference,naive").stdout.splitlines()
    assert [line.split()[:2] for line in lines[:4]] == [
        ["pass", "a/one"], ["pass", "a/one"], ["pass", "b/two"], ["pass", "b/two"],
    ]  # fmt: skip
    assert [line.split() for line in lines[5:8]] == [
        ["client", "✓", "✗", "detects", "recovers"],
        ["1", "reference", "2", "0", "-", "12ms"],
        ["2", "naive", "2", "0", "-", "12ms"],
    ]
    assert lines[-1].startswith("2 scenarios, 2 clients: 4 passed in ")


def test_options_reach_the_survey(here, harness, surveyor):
    harness("scorecard", "a", "--clients", "naive", "--seed", "9", "--repeat", "3", "--jobs", "2")
    assert [pair.ordinal for pair in surveyor.asked] == [1, 2, 3]
    assert (surveyor.options.seed, surveyor.options.jobs) == (9, 2)


def test_more_jobs_than_cores_because_runs_wait(here, harness, surveyor):
    harness("scorecard", "a", "--clients", "naive")
    assert surveyor.options.jobs == 3 * scorecard_module.cores()


@pytest.mark.parametrize(
    ("changes", "code", "strictly"),
    [
        ({}, 0, 0),
        ({"verdict": FAIL}, 0, 1),
        ({"verdict": UNKNOWN}, 0, 2),
        ({"unsupported": ("pre_ping",), "findings": ()}, 0, 2),
        ({"setup_error": "no library", "findings": ()}, 0, 4),
    ],
)
def test_a_survey_is_made_whatever_the_verdicts_but_strictly_they_count(
    here, harness, surveyor, changes, code, strictly
):
    surveyor.changes["naive"] = changes
    clients = ("--clients", "reference,naive")
    assert harness("scorecard", *clients).exit_code == code
    assert harness("scorecard", *clients, "--strict").exit_code == strictly


def test_if_nothing_could_be_set_up_that_is_the_exit_code(here, harness, surveyor):
    surveyor.changes["naive"] = {"setup_error": "no library", "findings": ()}
    done = harness("scorecard", "--clients", "naive")
    assert done.exit_code == 4
    assert "1 naive is not set up: no library" in done.stdout


def test_everything_is_written_where_it_is_asked_for(here, harness, surveyor):
    surveyor.changes["naive"] = {"verdict": FAIL}
    done = harness(
        "scorecard", "--clients", "reference,naive", "--json", "o.json", "--html", "o.html",
        "--junit", "o.xml", "--svg", "o.svg",
    )  # fmt: skip
    assert done.exit_code == 0
    value = json.loads((here / "o.json").read_text())
    assert [client["name"] for client in value["clients"]] == ["reference", "naive"]
    assert "<h1>" in (here / "o.html").read_text()
    assert ET.parse(here / "o.xml").getroot().get("failures") == "1"  # b/two is should
    assert ET.parse(here / "o.svg").getroot().tag.endswith("svg")


def test_one_output_may_be_standard_output_and_then_people_read_the_other(here, harness, surveyor):
    done = harness("scorecard", "--clients", "reference", "--json", "-")
    assert json.loads(done.stdout)["totals"]["passed"] == 2
    assert "2 passed" in done.stderr


def test_two_outputs_can_not_both_be_standard_output(here, harness, surveyor):
    done = harness("scorecard", "--json", "-", "--html", "-")
    assert done.exit_code == 3
    assert "--json and --html: only one can be -" in done.stderr


@pytest.mark.parametrize("option", ["--json", "--html", "--junit", "--svg"])
def test_a_file_that_can_not_be_written_is_told_before_anything_runs(
    here, harness, surveyor, option
):
    done = harness("scorecard", option, "no/such/folder/file")
    assert done.exit_code == 3
    assert f"no/such/folder/file: {option}: its folder doesn't exist" in done.stderr
    assert surveyor.asked is None


def test_all_mistakes_in_names_are_told_at_once(here, harness, surveyor):
    (here / "my.py").write_text("class Mine: pass\n")
    done = harness("scorecard", "nowhere", "--clients", "referenc,my.py:Mien,no.py:X")
    assert done.exit_code == 3
    for part in ("'referenc'; did you mean 'reference'?", "'Mien'", "no.py", "nowhere"):
        assert part in done.stderr
    assert surveyor.asked is None


def test_a_scorecard_without_a_cell_is_a_mistake(here, harness, surveyor):
    done = harness("scorecard", "--clients", "redis")
    assert done.exit_code == 3
    assert "no scenario speaks a protocol of these clients" in done.stderr


def test_a_list_of_nobody_is_a_mistake(here, harness, surveyor):
    assert "--clients names no client" in harness("scorecard", "--clients", ",").stderr


def test_a_class_of_ones_own_is_judged(here, harness, surveyor):
    (here / "my.py").write_text(
        "class Mine:\n"
        "    SERVES = ('redis',)\n"
        "    async def open(self, settings): pass\n"
        "    async def call(self, call): pass\n"
        "    async def close(self): pass\n"
        "class Other(Mine):\n"
        "    SERVES = ()\n"
    )
    harness("scorecard", "--clients", "my.py:Mine,my.py:Other")
    assert surveyor.clients == ["my.py:Other"]


def test_a_library_that_is_missing_makes_its_column_say_so(here, harness, surveyor, monkeypatch):
    def missing(choice):
        raise SetupError("the client needs nolib, which is not installed")

    monkeypatch.setattr(scorecard_module, "card_for", missing)
    (here / "my.py").write_text("import nolib\n")
    assert harness("scorecard", "--clients", "my.py:Mine,reference").exit_code == 0
    assert surveyor.clients == ["my.py:Mine", "reference"]


def test_stopping_tells_how_far_it_came(here, harness, surveyor):
    surveyor.error = Interrupted(2)
    done = harness("scorecard", "--clients", "reference")
    assert done.exit_code == 130
    assert "stopped after 2 of 2 runs" in done.stdout
    assert "1 client: 2 passed" in done.stdout


def test_verbose_shows_failures_in_full(here, harness, surveyor):
    surveyor.changes["naive"] = {"verdict": FAIL}
    assert "required" not in harness("scorecard", "--clients", "naive").stdout
    assert (
        "repeat with  harness run" in harness("scorecard", "--clients", "naive", "--verbose").stdout
    )


def test_a_terminal_shows_how_far_each_client_is_and_then_the_tables(here):
    text, code = on_terminal(
        "scorecard", "a", "--clients", "reference,naive", "--jobs", "1", cwd=here
    )
    assert code == 0, text
    assert re.search(r"of 2 runs done after", text)
    assert "2 passed" in text.splitlines()[-1]
