"""Results by scenario and client, and what a cell or several come to."""

from collections import Counter

import pytest
from made import finding, history, result

from harness import history as ev
from harness.checks import Verdict
from harness.choice import ClientChoice
from harness.report.matrix import CLASSES, SIGNS, State, arranged, summed

PASS, FAIL, UNKNOWN = Verdict.PASS, Verdict.FAIL, Verdict.UNKNOWN


def only(*results):
    ((_, _, cell),) = arranged(results).cells()
    return cell


@pytest.mark.parametrize(
    ("runs", "state"),
    [
        ([{}], State.PASS),
        ([{"verdict": FAIL}], State.FAIL),
        ([{"verdict": UNKNOWN}], State.UNKNOWN),
        ([{}, {"verdict": FAIL, "round": 2}], State.FLAKY),
        ([{"verdict": FAIL}, {"verdict": FAIL, "round": 2}], State.FAIL),
        ([{"unsupported": ("pre_ping",), "findings": ()}], State.UNSUPPORTED),
        ([{"setup_error": "no port"}], State.NOT_SET_UP),
        ([{}, {"setup_error": "no port", "round": 2}], State.NOT_SET_UP),
    ],
)
def test_a_cell_has_one_state(runs, state):
    assert only(*(result(**run) for run in runs)).state is state


def test_every_state_has_a_sign_and_a_class_of_its_own():
    for table in (SIGNS, CLASSES):
        assert set(table) == set(State)
        assert len(set(table.values())) == len(State)


def test_a_share_is_told_of_rounds_only():
    assert only(result()).share == ""
    assert only(result(), result(verdict=FAIL, round=2)).share == "1/2"


def test_clients_come_in_the_order_they_were_asked_for_even_without_results():
    choices = [ClientChoice(name) for name in ("z", "a", "idle")]
    matrix = arranged([result(client="a"), result(client="z"), result(client="more")], choices)
    assert [column.name for column in matrix.columns] == ["z", "a", "idle", "more"]
    assert matrix.columns[2].cells == {}


def test_the_same_client_in_two_environments_makes_two_columns():
    old, new = ClientChoice("redis_sync", python="old/bin/python"), ClientChoice("redis_sync")
    matrix = arranged([result(choice=new), result(verdict=FAIL, choice=old)])
    assert {c.name: c.counts()[State.FAIL] for c in matrix.columns} == {
        "redis_sync": 0,
        "redis_sync@old/bin/python": 1,
    }


def test_a_familys_scenarios_stand_together():
    matrix = arranged([result(name) for name in ("a/z", "a-b/c", "a/b")])
    assert matrix.scenarios == ("a/b", "a/z", "a-b/c")
    assert matrix.families == ("a", "a-b")


def test_versions_are_what_the_client_requires():
    common = {"harness": "1", "python": "3.11", "trio": "0.35", "openssl": "3", "platform": "Linux"}
    plain = result(environment=common | {"httpx": "0.28.1", "client's python": "3.11"})
    assert arranged([plain]).columns[0].version == "httpx 0.28.1"
    assert arranged([plain]).environment == common
    other = result(environment=common | {"httpx": "0.20", "client's python": "3.8"})
    assert arranged([other]).columns[0].version == "httpx 0.20, python 3.8"


def test_a_client_that_can_never_be_set_up_has_a_problem():
    missing = [result(name, setup_error="no library") for name in ("a/b", "c/d")]
    assert arranged(missing).columns[0].problem == "no library"
    assert arranged([*missing, result("e/f")]).columns[0].problem == ""


def test_times_of_a_client_are_medians_over_its_cells():
    runs = [result(name, history=history(recovery_s=s)) for name, s in zip("abc", (1, 2, 9))]  # noqa: B905
    assert arranged(runs).columns[0].recovery_s == pytest.approx(2)
    assert arranged([result(history=history(recovery_s=None))]).columns[0].recovery_s is None


def test_time_to_detect_is_from_the_strike_to_letting_go():
    story = ev.History()
    for number in (1, 2, 3):
        story.add(ev.ConnectionOpened(at_s=0.0, connection=number))
    for number, gone_s in ((1, 1.5), (2, 1.7)):
        story.add(ev.FaultFired(at_s=1.0, index=0, fault="close", connection=number, ends=True))
        story.add(ev.ClientEndClosed(at_s=gone_s, connection=number, how="fin"))
    story.add(ev.FaultFired(at_s=1.0, index=0, fault="close", connection=3, ends=True))
    assert only(result(history=story)).detection_s == pytest.approx(0.6)
    assert only(result()).detection_s is None


@pytest.mark.parametrize(
    ("counted", "expected"),
    [
        ({}, None),
        ({State.PASS: 3}, (State.PASS, 3)),
        ({State.PASS: 3, State.UNSUPPORTED: 2}, (State.PASS, 3)),
        ({State.UNSUPPORTED: 2}, (State.UNSUPPORTED, 2)),
        ({State.PASS: 3, State.UNKNOWN: 1, State.FAIL: 2}, (State.FAIL, 2)),
        ({State.PASS: 3, State.UNKNOWN: 1, State.FLAKY: 1}, (State.FLAKY, 1)),
    ],
)
def test_the_worst_of_several_cells_is_told(counted, expected):
    assert summed(Counter(counted)) == expected


def test_the_worst_run_stands_for_its_cell():
    cell = only(result(), result(findings=(finding(FAIL),), round=2))
    assert cell.worst.round == 2
