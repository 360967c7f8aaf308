"""One run is one line that grep and awk can rely on."""

from made import history, result

from harness.checks import Verdict
from harness.report import plain_line


def test_the_line_of_a_run_that_passed():
    assert plain_line(result()) == (
        "pass     idle/fin/race  calls=3 errors=0 opened=2 recovery=12ms took=1.34s "
        "level=must client=reference seed=7 round=1/1"
    )


def test_verdict_and_id_are_the_first_two_words_whatever_the_verdict():
    for verdict in Verdict:
        words = plain_line(result(verdict=verdict)).split()
        assert words[:2] == [verdict.value, "idle/fin/race"]


def test_every_line_has_the_same_keys_in_the_same_order():
    lines = [
        plain_line(result()),
        plain_line(result("b", Verdict.FAIL, round=3), rounds=50),
        plain_line(result("c", history=history(recovery_s=None))),
    ]
    keys = [[word.partition("=")[0] for word in line.split() if "=" in word] for line in lines]
    assert keys[0] == keys[1] == keys[2]


def test_no_recovery_measured_is_a_dash():
    assert "recovery=- " in plain_line(result(history=history(recovery_s=None)))


def test_a_set_up_that_failed_says_why_on_the_same_line():
    line = plain_line(result(setup_error="port 80\nis taken"))
    assert line.startswith("unknown  ")
    assert line.endswith("set-up failed: port 80 is taken")
    assert "\n" not in line


def test_the_round_is_told_of_how_many():
    assert plain_line(result(round=3), rounds=50).endswith("round=3/50")


def test_what_is_not_supported_says_what():
    line = plain_line(result("a/b", unsupported=("pre_ping", "recycle"), findings=()))
    assert line.startswith("unknown  a/b  calls=")
    assert line.endswith("  not supported: pre_ping, recycle")
