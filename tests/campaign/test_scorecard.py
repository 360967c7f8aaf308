"""Which pairs there are, what becomes of those that can't be run, and real runs side by side."""

import os
from dataclasses import replace

import pytest
from made import result

import harness.campaign.scorecard as scorecard_module
from harness.campaign.scorecard import (
    Pair,
    Survey,
    default_choices,
    pairs,
    parsed_choices,
    run_pair,
    survey,
)
from harness.checks import Verdict
from harness.choice import ClientChoice
from harness.clients import Card, all_clients
from harness.errors import InputError, Problem, SetupError
from harness.scenario import read_text

HTTP = Card(name="h", file="", class_name="H", serves=("http",))
REDIS = Card(name="r", file="", class_name="R", serves=("redis",))
ANY = Card(name="a", file="", class_name="A")


def test_the_reference_comes_first_and_naive_is_left_out():
    names = [choice.name for choice in default_choices(all_clients())]
    assert names[0] == "reference"
    spoken = [all_clients()[name].serves for name in names[1:]]
    assert spoken == sorted(spoken)
    assert set(names) == set(all_clients()) - {"naive"}


@pytest.mark.parametrize(
    ("texts", "choices"),
    [
        (["a,b", "c"], [ClientChoice("a"), ClientChoice("b"), ClientChoice("c")]),
        ([" a , a,"], [ClientChoice("a")]),
        (["a+idiomatic"], [ClientChoice("a+idiomatic")]),
        (["my.py:Client"], [ClientChoice("my.py:Client")]),
        (["a,a@v/bin/python"], [ClientChoice("a"), ClientChoice("a", python="v/bin/python")]),
        (["command:node c.js a,b@x"], [ClientChoice("", command="node c.js a,b@x")]),
        (["", ","], []),
    ],
)
def test_clients_are_named_in_lists(texts, choices):
    assert parsed_choices(texts) == choices


def test_a_client_meets_the_scenarios_whose_protocol_it_speaks(scenario):
    cards = {ClientChoice("h"): HTTP, ClientChoice("r"): REDIS, ClientChoice("a"): ANY}
    cards[ClientChoice("unknown")] = None
    met = [pair.choice.name for pair in pairs([scenario], cards)]
    assert met == ["h", "a", "unknown"]


def test_every_pair_comes_once_a_round(scenario):
    found = list(pairs([scenario, replace(scenario, id="x/y")], {ClientChoice("h"): HTTP}, 2))
    assert [(pair.scenario.id, pair.ordinal) for pair in found] == [
        ("idle/small", 1),
        ("x/y", 1),
        ("idle/small", 2),
        ("x/y", 2),
    ]


@pytest.mark.parametrize(
    ("error", "told"),
    [
        (SetupError("redis is not installed"), "redis is not installed"),
        (InputError("one", Problem("two", "three")), "one; two; three"),
        (ImportError("libpq is missing"), "libpq is missing"),
    ],
)
def test_what_keeps_a_run_from_being_made_is_its_result(scenario, monkeypatch, error, told):
    def fail(*args, **options):
        raise error

    monkeypatch.setattr(scorecard_module, "run_scenario", fail)
    made = run_pair(Survey(seed=11), Pair(scenario, ClientChoice("redis_sync"), 3))
    assert (made.setup_error, made.seed, made.round) == (told, 11, 3)
    assert made.verdict is Verdict.UNKNOWN


def test_a_client_that_says_it_speaks_something_else_is_no_cell(scenario, monkeypatch):
    def run(scenario, choice, *, seed, ordinal):
        lacks = ("http", "pre_ping") if choice.name == "r" else ("pre_ping",)
        return result(scenario=scenario, choice=choice, unsupported=lacks, findings=())

    monkeypatch.setattr(scorecard_module, "run_scenario", run)
    told = []
    asked = [Pair(scenario, ClientChoice(name)) for name in ("h", "r")]
    kept = survey(asked, Survey(), told.append)
    assert [run.choice.name for run in kept] == ["h"]
    assert len(told) == 2


@pytest.mark.parametrize("quiet", [False, True])
def test_what_clients_complain_of_is_kept_off_a_terminal(scenario, monkeypatch, capfd, quiet):
    def run(scenario, choice, *, seed, ordinal):
        os.write(2, b"discarding a connection\n")
        raise SetupError("no")

    monkeypatch.setattr(scorecard_module, "run_scenario", run)
    run_pair(Survey(quiet=quiet), Pair(scenario, ClientChoice("h")))
    os.write(2, b"and on\n")
    assert capfd.readouterr().err == ("" if quiet else "discarding a connection\n") + "and on\n"


def test_real_runs_are_made_side_by_side(tmp_path):
    text = "scenario: calm\nrecovery: false\nworkload: [{phase: w, callers: 1, calls: 2}]\n"
    scenario = read_text(text + "expect: {errors: 0}\n", file="calm.yaml", id="a/calm")
    client = tmp_path / "broken.py"
    client.write_text(
        "from harness.clients import NamedClient\n"
        "class Broken:\n"
        "    async def open(self, settings): pass\n"
        "    async def call(self, call): raise OSError('no')\n"
        "    async def close(self): pass\n"
    )
    cards = dict.fromkeys([ClientChoice("reference"), ClientChoice(f"{client}:Broken")])
    runs = survey(list(pairs([scenario], cards, 2)), Survey(jobs=2))
    verdicts = sorted((run.choice.name == "reference", run.verdict, run.round) for run in runs)
    assert verdicts == [
        (False, Verdict.FAIL, 1),
        (False, Verdict.FAIL, 2),
        (True, Verdict.PASS, 1),
        (True, Verdict.PASS, 2),
    ]
