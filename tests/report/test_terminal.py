"""The table, the failures and the summary, as a person reads them."""

import pytest
from made import finding, history, result
from rich.cells import cell_len

from harness import history as ev
from harness.checks import Verdict
from harness.report import Look, ending, render, summary

PASS, FAIL, UNKNOWN = Verdict.PASS, Verdict.FAIL, Verdict.UNKNOWN
EIGHTY = Look(width=80)


def lines(text):
    return text.splitlines()


def test_the_table_lines_up():
    text = render([result("idle/fin/race"), result("tls/alert", FAIL)], EIGHTY)
    head, rule, first, second = lines(text)[:4]
    assert head == "  scenario       verdict   calls  errors  opened  recovery"
    assert set(rule) == {"─"}
    assert first == "✓ idle/fin/race  pass          3       0       2      12ms"
    assert second == "✗ tls/alert      FAIL          3       1       2      12ms"


def test_wide_characters_do_not_shift_the_columns():
    text = render([result("漢字/の"), result("ascii/one")], EIGHTY)
    rows = lines(text)[2:4]
    assert len({cell_len(row) for row in rows}) == 1


def test_a_failure_tells_all_it_takes():
    text = render([result(verdict=FAIL)], EIGHTY)
    assert "FAIL  idle/fin/race  (client reference, seed 7)" in text
    assert "  at_most_once\n" in text
    assert "    required  A call that is not safe to repeat must never be sent again.\n" in text
    assert "    expected  every unsafe call executed at most once\n" in text
    assert "    actual    of 100 unsafe calls 1 ran more than once\n" in text
    assert "  repeat with  harness run idle/fin/race --seed 7\n" in text


def test_evidence_is_one_aligned_line_an_event_in_the_order_of_time():
    text = render([result(verdict=FAIL, findings=(finding(FAIL, evidence=(3, 2, 0)),))], EIGHTY)
    shown = [line for line in lines(text) if " s  " in line]
    assert shown == [
        "    0.1000 s  proxy   connection 1 opened to blue",
        "    1.2000 s  client  unsafe call p1-c0-9f03ab begins (caller 2, phase resume)",
        "    1.2500 s  client  call p1-c0-9f03ab failed after 50ms: reset (reset by peer)",
    ]


def test_evidence_that_the_history_lacks_is_said_to_be_missing():
    text = render([result(verdict=FAIL, findings=(finding(FAIL, evidence=(99,)),))], EIGHTY)
    assert "event 99 is missing from this history" in text


def test_findings_that_passed_are_not_shown_beside_one_that_failed():
    findings = (finding(PASS, check="no_leaks"), finding(FAIL))
    text = render([result(verdict=FAIL, findings=findings)], EIGHTY)
    assert "no_leaks" not in text


def test_beside_a_failure_what_is_unknown_is_told_in_short():
    findings = (finding(UNKNOWN, check="fault_fired", actual="never fired"), finding(FAIL))
    text = render([result(findings=findings)], EIGHTY)
    assert text.index("at_most_once") < text.index("  unknown as well\n")
    assert "    fault_fired  never fired\n" in text


def test_without_a_failure_what_is_unknown_is_told_in_full():
    text = render([result(findings=(finding(UNKNOWN, check="fault_fired"),))], EIGHTY)
    assert "  fault_fired (unknown)\n    required  " in text


def test_a_set_up_that_failed_says_why():
    text = render([result(setup_error="port 8080 is taken", findings=())], EIGHTY)
    assert "set-up  port 8080 is taken" in text
    assert text.endswith("\n1 not set up\n")


def test_a_level_that_does_not_count_is_marked():
    text = render([result(verdict=FAIL, level="info")], EIGHTY)
    assert "FAIL (info)" in text
    assert "level info: does not count" in text
    assert text.endswith("0 passed; not counted: 1 failed\n")


def test_with_strict_should_is_no_longer_excused():
    text = render([result(verdict=FAIL, level="should")], EIGHTY, strict=True)
    assert "FAIL (should)" not in text
    assert text.endswith("\n1 failed\n")


def test_text_of_others_cannot_move_the_cursor():
    text = render([result(verdict=FAIL, findings=(finding(FAIL, actual="\x1b[2Jx"),))], EIGHTY)
    assert "\x1b" not in text
    assert "\\x1b[2Jx" in text


def test_square_brackets_are_not_taken_for_markup():
    text = render(
        [result(verdict=FAIL, findings=(finding(FAIL, actual="[red]x[/red] :bug:"),))], EIGHTY
    )
    assert "[red]x[/red] :bug:" in text


@pytest.mark.parametrize("width", [40, 60, 72, 80, 120])
def test_no_line_is_wider_than_the_terminal(width):
    results = [
        result("inflight/reset/in-the-middle-of-a-response", FAIL),
        result("a/b", UNKNOWN, level="info"),
        result("漢字/の/場合"),
        result("c", setup_error="word " * 40),
    ]
    text = render(results, Look(width=width), took_s=31.0)
    assert max(map(cell_len, lines(text))) <= width


def test_on_a_narrow_terminal_each_outcome_takes_two_lines():
    text = render([result("inflight/reset/in-the-middle")], Look(width=50))
    assert lines(text)[:2] == [
        "✓ inflight/reset/in-the-middle",
        "  pass, calls 3, errors 0, opened 2, recovery 12ms",
    ]


def test_without_unicode_every_character_is_ascii():
    results = [result(round=1), result(verdict=FAIL, round=2), result("b", UNKNOWN)]
    text = render(results, Look(width=80, unicode=False))
    assert text.isascii()


def test_colour_adds_nothing_but_escapes():
    import re

    results = [result(), result("b", FAIL), result("c", UNKNOWN)]
    coloured = render(results, Look(width=80, colour=True), took_s=3.0)
    bare = re.sub(r"\x1b\[[0-9;]*m", "", coloured)
    assert coloured != bare
    assert [line.rstrip() for line in lines(bare)] == lines(render(results, EIGHTY, took_s=3.0))


def rounds(*verdicts, **changes):
    return [
        result(verdict=verdict, round=number, seed=number, **changes)
        for number, verdict in enumerate(verdicts, start=1)
    ]


def test_rounds_are_aggregated_and_the_flaky_named():
    text = render([*rounds(PASS, FAIL, PASS, FAIL), *rounds(PASS, PASS)], EIGHTY)
    assert "FAIL 4/6" in text
    assert "flaky: idle/fin/race (4/6)\n" in text
    assert "0..1" in text
    assert "≤12ms" in text


def test_all_rounds_passed_is_told_as_a_share():
    text = render(rounds(*[PASS] * 50), EIGHTY)
    assert "pass 50/50" in text
    assert "flaky" not in text


def test_one_failed_round_is_shown_and_the_others_counted():
    text = ending(rounds(PASS, FAIL, PASS, FAIL), EIGHTY)
    assert "round 2 of 4" in text
    assert "1 more run did not pass either (with seed 4)" in text
    assert "--seed 2" in text
    assert text.count("required") == 1


def test_never_recovered_is_not_the_same_as_not_measured():
    story = history(recovery_s=None)
    assert "      -\n" in render([result(history=story)], EIGHTY)
    story.add(ev.RecoveryProbed(at_s=3.0, round=1, calls=2, ok=1))
    assert "   never\n" in render([result(history=story)], EIGHTY)


@pytest.mark.parametrize(
    ("results", "took_s", "expected"),
    [
        ([], None, "nothing ran"),
        ([result()], 0.94, "1 passed in 0.9 s"),
        ([result()] * 42 + [result("b", FAIL), result("c", UNKNOWN)], 31.2,
         "42 passed, 1 failed, 1 unknown in 31 s"),
        ([result(), result("b", UNKNOWN, level="info")], 2.0,
         "1 passed in 2.0 s; not counted: 1 unknown"),
    ],
)  # fmt: skip
def test_the_summary_is_one_line(results, took_s, expected):
    assert summary(results, took_s) == expected


def test_a_pipe_gets_lines_that_are_never_broken():
    long = finding(FAIL, actual="word " * 100)
    text = ending([result(verdict=FAIL, findings=(long,))], Look())
    assert ("word " * 100).rstrip() in text


def test_what_is_not_supported_is_a_row_that_says_so_and_no_failure():
    runs = [result("idle/fin/race"), result("idle/x", unsupported=("pre_ping",), findings=())]
    text = render(runs, EIGHTY)
    assert "\n? idle/x         unknown (not supported: pre_ping)\n" in text
    assert "required" not in text
    assert text.endswith("\n1 passed, 1 not supported\n")


def test_what_is_not_supported_is_told_in_a_narrow_terminal_too():
    text = render([result("idle/x", unsupported=("pre_ping",), findings=())], Look(width=40))
    assert "? idle/x\n  unknown (not supported: pre_ping)\n" in text


def test_strictly_what_is_not_supported_is_unknown():
    runs = [result(), result("idle/x", unsupported=("pre_ping",), findings=())]
    assert summary(runs, strict=True) == "1 passed, 1 unknown"


def test_the_versions_of_what_was_judged_are_told():
    on = {"harness": "1", "python": "3.11"}
    runs = [result(client="httpx", environment=on | {"httpx": "0.28.1", "httpcore": "1.0.9"})]
    assert "\nhttpx: httpx 0.28.1, httpcore 1.0.9\n1 passed\n" in render(runs, EIGHTY)
    assert "1 passed" in render([result(environment=on)], EIGHTY).splitlines()[-1]
