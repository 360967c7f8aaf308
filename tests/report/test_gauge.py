"""What a terminal shows while a survey goes on."""

import io

import pytest
from made import result
from rich.console import Console

from harness.checks import Verdict
from harness.report import Gauge, Look
from harness.report.live import LINES_LIMIT


class Stage:
    """A gauge on a terminal that is a string, and a clock that stands still."""

    def __init__(self, totals):
        self.now = 100.0
        self.file = io.StringIO()
        console = Console(file=self.file, force_terminal=True, width=80, color_system=None)
        self.gauge = Gauge(console, Look(width=80), totals, now=lambda: self.now)

    def shown(self):
        return [line.plain for line in self.gauge.lines()]


def test_each_client_is_a_bar_with_its_runs_and_failures():
    stage = Stage({"reference": 4, "aiohttp": 2})
    with stage.gauge as gauge:
        gauge.finished(result())
        gauge.finished(result(verdict=Verdict.FAIL, client="aiohttp"))
        stage.now += 3
        assert stage.shown() == [
            "  reference  ━━━━━───────────────  1/4",
            "  aiohttp    ━━━━━━━━━━──────────  1/2  1 failed",
            "  2 of 6 runs done after 3.0 s",
        ]


def test_a_client_that_is_done_leaves_the_screen():
    stage = Stage({"reference": 1, "aiohttp": 2})
    with stage.gauge as gauge:
        gauge.finished(result())
        assert [line.split()[0] for line in stage.shown()] == ["aiohttp", "1"]


def test_many_clients_do_not_fill_the_screen():
    stage = Stage({f"client_{n}": 1 for n in range(LINES_LIMIT + 3)})
    assert len(stage.shown()) == LINES_LIMIT + 2
    assert stage.shown()[-2] == "  and 3 more clients"


def test_a_failure_in_the_block_gives_the_cursor_back():
    stage = Stage({"reference": 1})
    with pytest.raises(KeyboardInterrupt), stage.gauge:
        raise KeyboardInterrupt
    text = stage.file.getvalue()
    assert text.rindex("\x1b[?25h") > text.rindex("\x1b[?25l")
