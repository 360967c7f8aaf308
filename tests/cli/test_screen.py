"""Colours and live lines only where a person reads."""

import io

import pytest

from harness.cli.screen import NARROWEST, screen_of


class Terminal(io.StringIO):
    encoding = "utf-8"

    def isatty(self):
        return True


class Pipe(io.StringIO):
    encoding = "utf-8"


def test_a_pipe_gets_no_colour_no_width_and_nothing_live():
    shown = screen_of(Pipe(), {"COLUMNS": "80", "FORCE_COLOR": "1"})
    assert (shown.live, shown.look.colour, shown.look.width) == (False, False, None)


def test_a_terminal_gets_colours_and_live_lines():
    shown = screen_of(Terminal(), {"COLUMNS": "100"})
    assert (shown.live, shown.look.colour, shown.look.width) == (True, True, 100)


@pytest.mark.parametrize(("value", "colour"), [("1", False), ("", True)])
def test_no_color_counts_if_it_is_not_empty(value, colour):
    shown = screen_of(Terminal(), {"NO_COLOR": value})
    assert shown.look.colour is colour
    assert shown.live


def test_a_dumb_terminal_gets_plain_lines():
    shown = screen_of(Terminal(), {"TERM": "dumb"})
    assert (shown.live, shown.look.colour) == (False, False)


def test_an_unknown_width_is_eighty_and_none_is_too_narrow():
    assert screen_of(Terminal(), {}).look.width == 80
    assert screen_of(Terminal(), {"COLUMNS": "5"}).look.width == NARROWEST


def test_a_stream_without_unicode_gets_ascii():
    class Latin(Pipe):
        encoding = "iso-8859-1"

    assert not screen_of(Latin(), {}).look.unicode
    assert screen_of(Pipe(), {}).look.unicode
