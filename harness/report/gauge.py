"""What a terminal shows while a survey goes on: how far each client has come.

As the board of ``live`` it is redrawn only when a run ends, by nobody's thread but the caller's.
"""

from __future__ import annotations

from collections import Counter
from collections.abc import Callable, Mapping
from types import TracebackType
from typing import Self

from rich.cells import cell_len
from rich.console import Console, Group
from rich.live import Live
from rich.text import Text

from harness.checks import Verdict
from harness.report.drawing import STYLES, Look, lasting, many, padded, printable
from harness.report.live import LINES_LIMIT, REDRAW_EVERY_S
from harness.report.matrix import column_name
from harness.result import RunResult

BAR_CELLS = 20


class Gauge:
    """Live progress of a survey as a context manager; feed it ``finished``.

    ``totals`` is how many runs each client has ahead, by its name. ``now`` tells the time.
    """

    def __init__(
        self,
        console: Console,
        look: Look,
        totals: Mapping[str, int],
        *,
        now: Callable[[], float],
        catch_stderr: bool = False,
    ) -> None:
        self._look = look
        self._totals = totals
        self._now = now
        self._began = now()
        self._drawn_at = float("-inf")
        self._done: Counter[str] = Counter()
        self._failed: Counter[str] = Counter()
        self._live = Live(
            console=console,
            auto_refresh=False,
            transient=True,
            redirect_stdout=False,
            redirect_stderr=catch_stderr,
            vertical_overflow="crop",
        )

    def __enter__(self) -> Self:
        self._live.start()
        self._redraw()
        return self

    def __exit__(
        self,
        kind: type[BaseException] | None,
        error: BaseException | None,
        trace: TracebackType | None,
    ) -> None:
        self._live.stop()

    def finished(self, result: RunResult) -> None:
        """A run has ended."""
        name = column_name(result.choice)
        self._done[name] += 1
        self._failed[name] += result.verdict is Verdict.FAIL
        self._redraw()

    def lines(self) -> list[Text]:
        """What the region at the bottom shows now: clients still under way, then the whole."""
        ahead = [name for name, total in self._totals.items() if self._done[name] < total]
        cells = max([cell_len(printable(name)) for name in self._totals], default=0)
        shown = [self._line(name, cells) for name in ahead[:LINES_LIMIT]]
        if len(ahead) > LINES_LIMIT:
            shown.append(Text(f"  and {many(len(ahead) - LINES_LIMIT, 'more client')}"))
        done, total = self._done.total(), sum(self._totals.values())
        took = lasting(self._now() - self._began)
        return [*shown, Text(f"  {done} of {many(total, 'run')} done after {took}", style="dim")]

    def _line(self, name: str, cells: int) -> Text:
        done, total = self._done[name], self._totals[name]
        filled = BAR_CELLS * done // total
        text = Text(f"  {padded(printable(name), cells)}  ", no_wrap=True, overflow="ellipsis")
        text.append(self._look.sign("━", "=") * filled, style="cyan")
        text.append(self._look.sign("─", "-") * (BAR_CELLS - filled), style="dim")
        text.append(f"  {done:>{len(str(total))}}/{total}", style="none")
        if self._failed[name]:
            text.append(f"  {self._failed[name]} failed", style=STYLES[Verdict.FAIL])
        return text

    def _redraw(self) -> None:
        now = self._now()
        if now - self._drawn_at >= REDRAW_EVERY_S:
            self._drawn_at = now
            self._live.update(Group(*self.lines()), refresh=True)
