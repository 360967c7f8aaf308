"""What programs get: plain values, complete, in an order that doesn't depend on timing."""

import json

import pytest
from made import finding, result

from harness import __version__
from harness.checks import Verdict
from harness.report import to_json

FAIL, UNKNOWN = Verdict.FAIL, Verdict.UNKNOWN


def test_it_is_json():
    value = to_json([result(), result("b", FAIL), result("c", setup_error="x")], took_s=3.0)
    assert json.loads(json.dumps(value, allow_nan=False)) == value


def test_a_result_tells_everything():
    value = to_json([result(verdict=FAIL)])
    assert (value["version"], value["harness"]) == (1, __version__)
    (told,) = value["results"]
    assert told["id"] == "idle/fin/race"
    assert told["verdict"] == "fail"
    assert (told["calls"], told["errors"], told["connections_opened"]) == (3, 1, 2)
    assert told["recovery_s"] == 2.012 - 2.0
    assert told["command"] == "harness run idle/fin/race --seed 7"


def test_evidence_holds_the_events_themselves():
    (told,) = to_json([result(verdict=FAIL)])["results"]
    event = told["findings"][0]["evidence"][1]
    assert event["id"] == 3
    assert event["type"] == "CallFailed"
    assert event["witness"] == "client"
    assert (event["kind"], event["at_s"]) == ("reset", 1.25)


def test_evidence_that_is_missing_is_left_out():
    run = result(findings=(finding(FAIL, evidence=(2, 99, -1)),))
    (told,) = to_json([run])["results"]
    assert [event["id"] for event in told["findings"][0]["evidence"]] == [2]


def test_results_are_sorted_by_id_and_round():
    value = to_json([result("b"), result("a", round=2), result("a", round=1)])
    assert [(r["id"], r["round"]) for r in value["results"]] == [("a", 1), ("a", 2), ("b", 1)]


def test_totals_agree_with_the_exit_code():
    value = to_json([result(), result("b", FAIL, level="info"), result("c", UNKNOWN)], took_s=1.5)
    assert value["totals"] == {
        "passed": 1,
        "failed": 0,
        "unknown": 1,
        "not_set_up": 0,
        "excused_failed": 1,
        "excused_unknown": 0,
        "not_supported": 0,
        "verdict": "unknown",
        "took_s": 1.5,
        "exit_code": 2,
    }


def test_whether_a_level_counts_depends_on_strict():
    run = result(verdict=FAIL, level="should")
    assert to_json([run])["results"][0]["counts"] is False
    assert to_json([run], strict=True)["results"][0]["counts"] is True


def test_what_is_not_supported_is_named_and_counted_apart():
    run = result("b", unsupported=("pre_ping",), findings=())
    value = to_json([result("a"), run])
    assert [r["unsupported"] for r in value["results"]] == [[], ["pre_ping"]]
    assert value["results"][1]["verdict"] == "unknown"
    totals = value["totals"]
    assert (totals["not_supported"], totals["verdict"], totals["exit_code"]) == (1, "pass", 0)


@pytest.mark.parametrize("strict", [False, True])
def test_to_judge_nothing_is_no_pass(strict):
    totals = to_json([result(unsupported=("tls",), findings=())], strict=strict)["totals"]
    assert (totals["verdict"], totals["exit_code"]) == ("unknown", 2)
