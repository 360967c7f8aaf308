"""The scorecard as text: it fits, lines up, and says what was not judged and why."""

import json
from dataclasses import replace

import pytest
from made import finding, result
from rich.cells import cell_len

from harness.checks import Verdict
from harness.choice import ClientChoice
from harness.report import Look, render_scorecard, scorecard_json

PASS, FAIL, UNKNOWN = Verdict.PASS, Verdict.FAIL, Verdict.UNKNOWN
EIGHTY = Look(width=80)
NAMES = [f"sqlalchemy_asyncpg_{n}" for n in range(16)]


def many():
    """Sixteen clients, twenty families."""
    verdicts = (PASS, PASS, FAIL, UNKNOWN)
    return [
        result(f"family_{f:02}/case_{n}", verdicts[(f + c * n) % 4], client=name)
        for c, name in enumerate(NAMES)
        for f in range(20)
        for n in range(2)
    ]


def test_sixteen_clients_fit_eighty_columns_in_one_table():
    text = render_scorecard(many(), EIGHTY, [ClientChoice(name) for name in NAMES], took_s=1.0)
    assert max(map(cell_len, text.splitlines())) <= 80
    assert text.count("\nfamily_00 ") == 1


def test_more_clients_than_fit_make_several_tables():
    text = render_scorecard(many(), Look(width=50))
    assert max(map(cell_len, text.splitlines())) <= 50
    assert text.count("\nfamily_00 ") > 1


def test_families_are_rows_and_clients_columns():
    runs = [
        result("idle/a"),
        result("idle/b", FAIL),
        result("tls/c"),
        result("idle/a", client="x"),
        result("tls/c", client="x", unsupported=("tls",), findings=()),
        result("leak/d", UNKNOWN, client="x"),
    ]
    text = render_scorecard(runs, EIGHTY)
    head = text.splitlines().index("          1   2")
    assert [line.split() for line in text.splitlines()[head + 1 : head + 4]] == [
        ["idle", "✗1", "✓"],
        ["leak", "—", "?"],
        ["tls", "✓", "∅"],
    ]


def test_a_single_family_is_shown_scenario_by_scenario():
    text = render_scorecard([result("idle/a"), result("idle/b", FAIL)], EIGHTY)
    assert "\nidle/a    ✓\nidle/b    ✗\n" in text


def test_verbose_shows_scenarios_and_failures_in_full():
    runs = [result("idle/a"), result("tls/b", FAIL)]
    assert "required" not in render_scorecard(runs, EIGHTY)
    text = render_scorecard(runs, EIGHTY, verbose=True)
    assert "\ntls/b" in text
    assert "repeat with  harness run tls/b --seed 7" in text


def test_each_client_is_listed_with_its_numbers_and_times():
    text = render_scorecard([result("idle/a"), result("idle/b", FAIL)], EIGHTY)
    head, row = text.splitlines()[:2]
    assert head.split() == ["client", "✓", "✗", "detects", "recovers"]
    assert row.split() == ["1", "reference", "1", "1", "-", "12ms"]


def test_versions_and_who_has_them_are_printed():
    runs = [
        result(client=name, environment={"python": "3.11", "psycopg": "3.2.1"})
        for name in ("a", "b")
    ]
    assert "versions: psycopg 3.2.1 (1, 2)" in render_scorecard(runs, EIGHTY)


def test_a_client_that_is_not_set_up_says_why_once():
    runs = [result(f"a/{n}", setup_error="redis is not installed") for n in range(3)]
    text = render_scorecard(runs, EIGHTY)
    assert text.count("redis is not installed") == 1
    assert "3 not set up" in text


def test_flaky_cells_tell_how_often_they_passed():
    runs = [result(verdict=verdict, round=n) for n, verdict in enumerate((PASS, FAIL, PASS), 1)]
    text = render_scorecard(runs, EIGHTY)
    assert "flaky: idle/fin/race (reference 2/3)" in text
    assert "1 flaky" in text


def test_a_client_without_results_is_a_column_of_dashes():
    text = render_scorecard([result()], EIGHTY, [ClientChoice("reference"), ClientChoice("redis")])
    assert "idle/fin/race  ✓   —" in text


def test_nothing_is_said_to_be_nothing():
    assert render_scorecard([], EIGHTY).splitlines()[-1] == "nothing ran"


def test_without_unicode_it_is_ascii():
    runs = [*many(), result("z/flaky"), result("z/flaky", FAIL, round=2)]
    runs.append(result("z/none", unsupported=("tls",), findings=()))
    assert render_scorecard(runs, replace(EIGHTY, unicode=False)).isascii()


def test_names_of_others_move_no_cursor():
    text = render_scorecard([result("a/\x1b[2J", client="b\x1b]0;x\x07")], EIGHTY)
    assert "\x1b" not in text


def test_programs_get_clients_and_cells_beside_the_results():
    runs = [
        result(findings=(finding(PASS),), environment={"redis": "6.4"}),
        result(verdict=FAIL, round=2),
    ]
    value = scorecard_json(runs, took_s=2.0)
    assert json.loads(json.dumps(value, allow_nan=False)) == value
    assert len(value["results"]) == 2
    (client,) = value["clients"]
    assert (client["name"], client["versions"]) == ("reference", {"redis": "6.4"})
    assert client["states"]["flaky"] == 1
    (cell,) = value["cells"]
    assert (cell["scenario"], cell["client"]) == ("idle/fin/race", "reference")
    assert (cell["state"], cell["passed"], cell["runs"]) == ("flaky", 1, 2)
    assert cell["recovery_s"] == pytest.approx(0.012)
