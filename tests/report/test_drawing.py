"""Text keeps its width, whatever it holds, and obeys nobody but us."""

import pytest
from rich.cells import cell_len
from rich.text import Text

from harness.report.drawing import Look, draw, lasting, many, padded, printable


def test_escape_sequences_of_others_are_written_out_not_obeyed():
    assert printable("\x1b[31mred\x07") == "\\x1b[31mred\\x07"


def test_line_ends_become_blanks_so_one_event_stays_one_line():
    assert printable("one\ntwo\r\n\tthree") == "one two   three"


def test_lone_surrogates_and_bidi_marks_are_written_out():
    assert printable("a\udc80b\u202ec") == "a\\udc80b\\u202ec"


def test_wide_characters_count_twice():
    assert cell_len(padded("漢字", 8)) == 8
    assert padded("漢字", 8) == "漢字    "
    assert padded("12", 4, right=True) == "  12"


def test_text_that_is_too_long_stays_whole():
    assert padded("longer", 3) == "longer"


def test_without_a_width_lines_are_never_broken():
    assert draw([Text("word " * 500)], Look()) == ("word " * 500).rstrip() + "\n"


def test_without_colour_no_escape_is_drawn():
    text = Text("x", style="bold red")
    assert draw([text], Look(width=80)) == "x\n"
    assert "\x1b[" in draw([text], Look(width=80, colour=True))


def test_colour_of_the_environment_changes_nothing(monkeypatch):
    monkeypatch.setenv("FORCE_COLOR", "1")
    assert draw([Text("x", style="red")], Look(width=80)) == "x\n"


@pytest.mark.parametrize(
    ("seconds", "text"),
    [(0.04, "0.0 s"), (9.94, "9.9 s"), (31.2, "31 s"), (119.0, "119 s"), (125.0, "2 min 5 s")],
)
def test_a_long_time_is_told_coarsely(seconds, text):
    assert lasting(seconds) == text


def test_one_thing_has_no_plural():
    assert (many(1, "call"), many(2, "call"), many(0, "call")) == ("1 call", "2 calls", "0 calls")
