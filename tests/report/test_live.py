"""What a terminal shows meanwhile."""

import io

import pytest
from made import result
from rich.console import Console

from harness.checks import Verdict
from harness.report import Board, Columns, Look
from harness.report.live import LINES_LIMIT, REDRAW_EVERY_S, running_line
from harness.result import Progress

LOOK = Look(width=80)


class Stage:
    """A board on a terminal that is a string, and a clock that stands still."""

    def __init__(self, ids=("a/b", "c/d"), rounds=1):
        self.now = 0.0
        self.file = io.StringIO()
        console = Console(file=self.file, force_terminal=True, width=80, color_system=None)
        columns = Columns.fitting([(name, "must") for name in ids], LOOK, rounds=rounds)
        self.board = Board(
            console, columns, total=len(ids) * rounds, rounds=rounds, now=lambda: self.now
        )

    def shown(self):
        return [line.plain for line in self.board.lines()]


@pytest.fixture
def stage():
    return Stage()


def test_a_running_scenario_is_a_line_with_its_phase_calls_and_faults(stage):
    with stage.board as board:
        board.progress(Progress("a/b", phase="resume", calls=120, failed=3, fired=1))
        assert stage.shown() == [
            "▸ a/b       resume  120 calls, 3 failed, 1 fault fired",
            "  0 of 2 runs done",
        ]


def test_a_finished_scenario_leaves_the_board_and_prints_its_row(stage):
    with stage.board as board:
        board.progress(Progress("a/b"))
        board.finished(result("a/b", Verdict.FAIL))
        assert stage.shown() == ["  1 of 2 runs done, 1 failed"]
    assert "✗ a/b       FAIL" in stage.file.getvalue()


def test_the_head_of_the_table_comes_first(stage):
    with stage.board:
        pass
    assert stage.file.getvalue().startswith("  scenario  verdict")


def test_with_rounds_a_row_is_printed_when_all_of_them_ended():
    stage = Stage(("a/b",), rounds=2)
    with stage.board as board:
        board.progress(Progress("a/b", phase="warm", round=1))
        assert "round 1 of 2" in stage.shown()[0]
        board.finished(result("a/b", round=1))
        assert "pass" not in stage.file.getvalue()
        board.finished(result("a/b", Verdict.UNKNOWN, round=2))
    assert "unknown 1/2" in stage.file.getvalue()


def test_rounds_that_run_side_by_side_have_a_line_each():
    stage = Stage(("a/b",), rounds=2)
    with stage.board as board:
        board.progress(Progress("a/b", round=1))
        board.progress(Progress("a/b", round=2))
        assert len(stage.shown()) == 3


def test_news_in_quick_succession_redraw_once(stage):
    with stage.board as board:
        board.progress(Progress("a/b", calls=1))
        before = stage.file.getvalue()
        board.progress(Progress("a/b", calls=2))
        assert stage.file.getvalue() == before
        stage.now += REDRAW_EVERY_S
        board.progress(Progress("a/b", calls=3))
        assert "3 calls" in stage.file.getvalue().removeprefix(before)


def test_many_running_scenarios_do_not_fill_the_screen():
    ids = [f"x/{number}" for number in range(LINES_LIMIT + 4)]
    stage = Stage(ids)
    with stage.board as board:
        for name in ids:
            board.progress(Progress(name))
        assert len(stage.shown()) == LINES_LIMIT + 2
        assert stage.shown()[-2] == "  and 4 more"


def test_a_failure_in_the_block_gives_the_cursor_back(stage):
    with pytest.raises(KeyboardInterrupt), stage.board:
        raise KeyboardInterrupt
    hidden, shown = "\x1b[?25l", "\x1b[?25h"
    text = stage.file.getvalue()
    assert text.rindex(shown) > text.rindex(hidden)


def test_a_scenario_that_has_sent_no_phase_starts():
    columns = Columns.fitting([("a/b", "must")], LOOK)
    assert running_line(Progress("a/b"), columns).plain == "▸ a/b       starts  0 calls"
