"""Rows of marks, and what is said of them."""

import pytest

from harness.checks import Verdict
from harness.report import Look, Mark, boundary, ranges, strip

PASS, FAIL, UNKNOWN = Verdict.PASS, Verdict.FAIL, Verdict.UNKNOWN


def marks(text, names=None):
    verdicts = {".": PASS, "x": FAIL, "?": UNKNOWN}
    names = names or [str(number) for number in range(len(text))]
    return [Mark(name, verdicts[c]) for name, c in zip(names, text, strict=True)]


def lines(text, **look):
    return [line.plain for line in strip(marks(text), Look(**look), indent=2)]


def test_each_run_is_one_character_below_a_ruler():
    assert lines("..x?.......") == ["  ╷0        ╷10", "  ··x?·······"]


def test_terminals_that_know_no_more_than_ascii_get_no_more():
    assert lines("x..", unicode=False) == ["  |0", "  x.."]


def test_a_long_row_is_broken_where_the_terminal_ends():
    drawn = lines("." * 25, width=24)
    assert drawn == ["  ╷0        ╷10", "  " + "·" * 20, "  ╷20", "  ·····"]


def test_names_too_long_for_a_tick_make_room_for_each_other():
    row = marks("." * 30, [f"1.99{n:02}50s" for n in range(30)])
    ruler, _ = strip(row, Look(), indent=0)
    assert ruler.plain == "╷1.990050s╷1.991050s╷1.992050s"
    long = marks("." * 30, [f"1.9900{n:02}50s" for n in range(30)])
    ruler, _ = strip(long, Look(), indent=0)
    assert ruler.plain == "╷1.99000050s        ╷1.99002050s"


def test_stretches_are_named_by_their_ends():
    assert ranges(marks(".xx.x??."), FAIL) == ["1..2", "4"]
    assert ranges(marks(".xx.x??."), UNKNOWN) == ["5..6"]
    assert ranges(marks("..."), FAIL) == []


def test_the_boundary_says_for_which_values_and_how_many():
    told = [line.plain for line in boundary(marks(".xx?"), "idle", "value")]
    assert told == [
        "fails for idle 1..2 (2 of 4 values)",
        "is unknown for idle 3 (1 of 4 values)",
    ]
    assert list(boundary(marks("...."), "idle", "value")) == []


@pytest.mark.parametrize("count", [9, 20])
def test_many_stretches_are_not_all_named(count):
    (told,) = [line.plain for line in boundary(marks("x." * count), "byte", "value")]
    assert f"and {count - 8} more ({count} of {2 * count} values)" in told
