"""The table of outcomes, row by row: rows can be printed as scenarios end.

Its columns are laid out once, from the ids and the width. Where they don't fit, each outcome
takes two lines instead: its id, and its figures in words.
"""

from __future__ import annotations

from collections.abc import Iterable, Sequence
from dataclasses import dataclass

from rich.cells import cell_len
from rich.text import Text

from harness.history import RecoveryProbed
from harness.report.drawing import STYLES, WORDS, Look, padded, printable
from harness.report.outcomes import Outcome, counts
from harness.report.plain import not_supported, recovery_text
from harness.units import format_duration

_HEADS = ("calls", "errors", "opened", "recovery")
_GAP = "  "


@dataclass(frozen=True, slots=True)
class Columns:
    """Where the columns stand; ``stacked`` if the width has no room for them side by side."""

    look: Look
    id_cells: int
    verdict_cells: int
    figure_cells: int
    strict: bool = False

    @classmethod
    def fitting(
        cls,
        scenarios: Iterable[tuple[str, str]],
        look: Look,
        *,
        rounds: int = 1,
        strict: bool = False,
    ) -> Columns:
        """Columns for scenarios of these ids and levels, run so many rounds each."""
        known = list(scenarios)
        excused = [len(level) + 3 for _, level in known if not counts(level, strict=strict)]
        share = 2 * len(str(rounds)) + 2 if rounds > 1 else 0
        return cls(
            look,
            id_cells=max([cell_len(printable(name)) for name, _ in known] + [len("scenario")]),
            verdict_cells=len("unknown") + share + max(excused, default=0),
            figure_cells=8 if rounds > 1 else 6,
            strict=strict,
        )

    @property
    def cells(self) -> int:
        """How wide a line is with the columns side by side."""
        figures = 3 * (self.figure_cells + 2) + 10
        return 2 + self.id_cells + 2 + self.verdict_cells + figures

    @property
    def stacked(self) -> bool:
        """Whether an outcome takes two lines."""
        return self.cells > self.look.cells

    def head(self) -> list[Text]:
        """The lines above the first row; none if rows speak for themselves."""
        if self.stacked:
            return []
        names = [padded(name, cells, right=True) for name, cells in self._figures(_HEADS)]
        first = (
            f"  {padded('scenario', self.id_cells)}{_GAP}{padded('verdict', self.verdict_cells)}"
        )
        rule = self.look.sign("─", "-") * self.cells
        return [Text(_GAP.join([first, *names]), style="bold"), Text(rule, style="dim")]

    def row(self, outcome: Outcome) -> list[Text]:
        """The lines of one outcome."""
        return self._stacked(outcome) if self.stacked else [self._line(outcome)]

    def _line(self, outcome: Outcome) -> Text:
        style = STYLES[outcome.verdict]
        if outcome.unsupported:
            return self._unsupported(outcome)
        text = Text(f"{self.look.mark(outcome.verdict)} ", style=style)
        text.append(padded(printable(outcome.id), self.id_cells) + _GAP, style="none")
        text.append(padded(self._verdict(outcome), self.verdict_cells), style=style)
        for figure, cells in self._figures(figures(outcome, self.look)):
            text.append(_GAP + padded(figure, cells, right=True), style="none")
        return text

    def _unsupported(self, outcome: Outcome) -> Text:
        """Nothing ran, so there are no figures: in their place stands what it takes."""
        style = STYLES[outcome.verdict]
        text = Text(f"{self.look.mark(outcome.verdict)} ", style=style, overflow="fold")
        text.append(padded(printable(outcome.id), self.id_cells) + _GAP, style="none")
        text.append(self._verdict(outcome), style=style)
        return text

    def _stacked(self, outcome: Outcome) -> list[Text]:
        style = STYLES[outcome.verdict]
        first = Text(f"{self.look.mark(outcome.verdict)} ", style=style)
        first.append(printable(outcome.id), style="none")
        first.overflow = "fold"
        told = zip(_HEADS, figures(outcome, self.look), strict=True)
        second = Text(f"  {self._verdict(outcome)}", style=style)
        if not outcome.unsupported:
            second.append("".join(f", {name} {figure}" for name, figure in told), style="none")
        return [first, second]

    def _verdict(self, outcome: Outcome) -> str:
        word = WORDS[outcome.verdict]
        if outcome.unsupported:
            return f"{word} ({not_supported(outcome.unsupported)})"
        if len(outcome.runs) > 1:
            word += f" {outcome.share}"
        excused = outcome.passed < len(outcome.runs) and not self.counts(outcome)
        return f"{word} ({outcome.level})" if excused else word

    def counts(self, outcome: Outcome) -> bool:
        """Whether this outcome can make the run fail."""
        return counts(outcome.level, strict=self.strict)

    def _figures(self, values: Sequence[str]) -> list[tuple[str, int]]:
        cells = [self.figure_cells] * 3 + [8]
        return list(zip(values, cells, strict=True))


def figures(outcome: Outcome, look: Look) -> tuple[str, str, str, str]:
    """Calls, errors, connections opened and recovery; of several runs the range, or the slowest."""
    runs = outcome.runs
    if all(run.setup_error or run.unsupported for run in runs):
        return ("-", "-", "-", "-")
    return (
        _range(run.calls for run in runs),
        _range(run.errors for run in runs),
        _range(run.connections_opened for run in runs),
        _slowest(outcome, look),
    )


def _range(numbers: Iterable[int]) -> str:
    seen = sorted(set(numbers))
    return str(seen[0]) if len(seen) == 1 else f"{seen[0]}..{seen[-1]}"


def _slowest(outcome: Outcome, look: Look) -> str:
    if len(outcome.runs) == 1:
        return recovery_text(outcome.runs[0])
    measured = [run.recovery_s for run in outcome.runs]
    if any(
        run.recovery_s is None and run.history.first(RecoveryProbed) is not None
        for run in outcome.runs
    ):
        return "never"
    known = [value for value in measured if value is not None]
    return look.sign("≤", "<=") + format_duration(max(known)) if known else "-"
