"""What counts, what doesn't, and which exit code that makes."""

import pytest
from made import result

from harness.checks import Verdict
from harness.choice import ClientChoice
from harness.report import Tally, counts, exit_code, outcomes, tally

PASS, FAIL, UNKNOWN = Verdict.PASS, Verdict.FAIL, Verdict.UNKNOWN


@pytest.mark.parametrize(
    ("level", "strict", "expected"),
    [
        ("must", False, True),
        ("must", True, True),
        ("should", False, False),
        ("should", True, True),
        ("info", False, False),
        ("info", True, False),
    ],
)
def test_must_always_counts_should_with_strict_info_never(level, strict, expected):
    assert counts(level, strict=strict) is expected


@pytest.mark.parametrize(
    ("results", "code"),
    [
        ([], 0),
        ([result()], 0),
        ([result(), result("b", FAIL)], 1),
        ([result(), result("b", UNKNOWN)], 2),
        ([result("a", UNKNOWN), result("b", FAIL)], 1),
        ([result("a", setup_error="no port")], 4),
        ([result("a", setup_error="no port"), result("b", UNKNOWN)], 4),
        ([result("a", setup_error="no port"), result("b", FAIL)], 1),
        ([result("a", FAIL, level="info")], 0),
        ([result("a", FAIL, level="should")], 0),
        ([result("a", setup_error="no port", level="info")], 0),
        ([result(), result("a", unsupported=("pre_ping",))], 0),
        ([result("a", FAIL), result("a", unsupported=("pre_ping",))], 1),
        ([result("a", FAIL, level="info"), result("a", unsupported=("pre_ping",))], 0),
        ([result("a", unsupported=("pre_ping",))], 2),
        ([result("a", unsupported=("pre_ping",), level="info")], 2),
    ],
)
def test_a_failure_outweighs_a_missing_set_up_and_that_an_unknown(results, code):
    assert exit_code(results) == code


def test_strict_makes_should_count():
    assert exit_code([result("a", FAIL, level="should")], strict=True) == 1
    assert exit_code([result("a", FAIL, level="info")], strict=True) == 0


def test_strict_makes_what_is_not_supported_count_as_unknown():
    info = result("b", unsupported=("pre_ping",), level="info")
    runs = [result(), result("a", unsupported=("pre_ping",), level="should")]
    assert exit_code([result(), info], strict=True) == 0
    assert (tally(runs).not_supported, tally(runs).unknown) == (1, 0)
    assert (tally(runs, strict=True).not_supported, tally(runs, strict=True).unknown) == (0, 1)
    assert (exit_code(runs), exit_code(runs, strict=True)) == (0, 2)


def test_every_result_is_counted_once():
    results = [
        result(),
        result("b", FAIL),
        result("c", UNKNOWN),
        result("d", setup_error="no port"),
        result("e", FAIL, level="info"),
        result("f", UNKNOWN, level="should"),
        result("g", level="info"),
        result("h", unsupported=("tls",), level="should"),
    ]
    assert tally(results) == Tally(2, 1, 1, 1, 1, 1, 1)


def test_rounds_of_a_scenario_belong_together_in_order():
    told = outcomes([result("b"), result("a", round=2), result("a", round=1)])
    assert [outcome.id for outcome in told] == ["a", "b"]
    assert [run.round for run in told[0].runs] == [1, 2]


def test_clients_are_told_apart():
    assert len(outcomes([result(client="one"), result(client="two")])) == 2


def test_one_client_in_two_environments_is_told_apart():
    old = ClientChoice("redis_sync", python="old/bin/python")
    assert len(outcomes([result(choice=old), result(client="redis_sync")])) == 2


def test_what_none_of_the_runs_could_express_is_unsupported():
    (outcome,) = outcomes([result(unsupported=("tls", "recycle"), findings=())])
    assert outcome.unsupported == ("tls", "recycle")
    assert outcome.verdict is UNKNOWN


def test_runs_that_disagree_are_flaky():
    (outcome,) = outcomes([result(round=1), result(verdict=FAIL, round=2), result(round=3)])
    assert (outcome.flaky, outcome.share, outcome.verdict) == (True, "2/3", FAIL)


def test_runs_that_agree_are_not_flaky_even_in_failing():
    (outcome,) = outcomes([result(verdict=FAIL, round=n) for n in (1, 2)])
    assert (outcome.flaky, outcome.share) == (False, "0/2")


def test_the_worst_run_is_shown_first():
    (outcome,) = outcomes([result(verdict=UNKNOWN, round=1), result(verdict=FAIL, round=2)])
    assert [run.round for run in outcome.bad] == [2, 1]
