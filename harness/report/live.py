"""What a terminal shows while scenarios run: rows of the table as they end, below them who runs.

Rich redraws a region at the bottom of the screen; whatever is printed meanwhile scrolls by above
it. There is no thread that redraws: that one would take the interpreter from the connections
under test. The board is redrawn when news comes in, but no more often than ``REDRAW_EVERY_S``.
"""

from __future__ import annotations

from collections.abc import Callable, Mapping
from types import TracebackType
from typing import Self

from rich.console import Console, Group
from rich.live import Live
from rich.text import Text

from harness.checks import Verdict
from harness.report.drawing import STYLES, many, padded, printable
from harness.report.outcomes import outcomes
from harness.report.table import Columns
from harness.result import Progress, RunResult

REDRAW_EVERY_S = 0.1
LINES_LIMIT = 16
"""More lines than this make a board that is taller than many terminals."""


class Board:
    """Live progress as a context manager; feed it ``progress`` and ``finished``.

    ``values`` tells how many values each swept scenario has, by its id. ``now`` tells the time by
    which redrawing is limited; with ``catch_stderr`` what others write
    to standard error scrolls by above the board. One call at a time: its owner holds a lock.
    """

    def __init__(
        self,
        console: Console,
        columns: Columns,
        *,
        total: int,
        rounds: int,
        values: Mapping[str, int] | None = None,
        now: Callable[[], float],
        catch_stderr: bool = False,
    ) -> None:
        self._columns = columns
        self._total = total
        self._rounds = rounds
        self._values = values or {}
        self._now = now
        self._drawn_at = float("-inf")
        self._running: dict[tuple[str, int], Progress] = {}
        self._ended: dict[str, list[RunResult]] = {}
        self._verdicts: list[Verdict] = []
        self._live = Live(
            console=console,
            auto_refresh=False,
            transient=True,
            redirect_stdout=False,
            redirect_stderr=catch_stderr,
            vertical_overflow="crop",
        )

    def __enter__(self) -> Self:
        for line in self._columns.head():
            self._print(line)
        self._live.start()
        return self

    def __exit__(
        self,
        kind: type[BaseException] | None,
        error: BaseException | None,
        trace: TracebackType | None,
    ) -> None:
        self._live.stop()

    def progress(self, news: Progress) -> None:
        """A run has come this far."""
        self._running[news.scenario, news.round] = news
        self._redraw()

    def finished(self, result: RunResult) -> None:
        """A run has ended; the last round of a scenario prints its row."""
        name = result.scenario.base_id
        self._running.pop((result.scenario.id, result.round), None)
        self._verdicts.append(result.verdict)
        ended = self._ended.setdefault(name, [])
        ended.append(result)
        if len(ended) == self._rounds * self._values.get(name, 1):
            (outcome,) = outcomes(self._ended.pop(name))
            for line in self._columns.row(outcome):
                self._print(line)
        self._redraw(at_once=True)

    def lines(self) -> list[Text]:
        """What the region at the bottom shows now."""
        running = list(self._running.values())
        shown = [running_line(news, self._columns, self._rounds) for news in running[:LINES_LIMIT]]
        if len(running) > LINES_LIMIT:
            shown.append(Text(f"  and {len(running) - LINES_LIMIT} more", style="dim"))
        return [*shown, self._counted()]

    def _counted(self) -> Text:
        text = Text(f"  {len(self._verdicts)} of {many(self._total, 'run')} done", style="dim")
        for verdict, word in ((Verdict.FAIL, "failed"), (Verdict.UNKNOWN, "unknown")):
            number = self._verdicts.count(verdict)
            if number:
                text.append(", ")
                text.append(f"{number} {word}", style=STYLES[verdict])
        return text

    def _print(self, line: Text) -> None:
        self._live.console.print(line, highlight=False)

    def _redraw(self, *, at_once: bool = False) -> None:
        now = self._now()
        if at_once or now - self._drawn_at >= REDRAW_EVERY_S:
            self._drawn_at = now
            self._live.update(Group(*self.lines()), refresh=True)


def running_line(news: Progress, columns: Columns, rounds: int = 1) -> Text:
    """``idle/fin/race  resume  120 calls, 3 failed, 4 faults fired``: one running scenario."""
    look = columns.look
    cells = min(columns.id_cells, max(look.cells // 2, 20))
    text = Text(look.sign("▸ ", "> "), style="cyan", no_wrap=True, overflow="ellipsis")
    text.append(padded(printable(news.scenario), cells), style="none")
    told = [many(news.calls, "call")]
    if news.failed:
        told.append(f"{news.failed} failed")
    if news.fired:
        told.append(f"{many(news.fired, 'fault')} fired")
    if rounds > 1:
        told.append(f"round {news.round} of {rounds}")
    text.append(f"  {printable(news.phase) or 'starts'}  ", style="cyan")
    text.append(", ".join(told), style="dim")
    return text
