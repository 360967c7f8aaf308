"""What was measured, and what it comes to: medians, and ratios within one round. Pure.

Absolute speeds differ from machine to machine and from minute to minute. Contenders take turns
within a round, so a ratio of two figures of the same round says more than either figure.
"""

from __future__ import annotations

from collections.abc import Mapping, Sequence
from dataclasses import dataclass, field
from statistics import median
from typing import Any

BASELINES = ("direct", "HAProxy")
"""Whom the others are compared with."""


@dataclass(frozen=True, slots=True, kw_only=True)
class Figure:
    """One thing that is measured: its key, its heading, and how a person writes it."""

    key: str
    title: str
    unit: str
    per_unit: float = 1.0
    digits: int = 0
    compared: bool = True

    def text(self, value: float) -> str:
        """The value with its unit."""
        return f"{value / self.per_unit:,.{self.digits}f} {self.unit}"


FIGURES = (
    Figure(key="bulk_bytes_per_s", title="bulk", unit="GB/s", per_unit=1e9, digits=2),
    Figure(key="round_trip_s", title="round trip p50", unit="µs", per_unit=1e-6),
    Figure(key="connections_per_s", title="new connections", unit="/s"),
    Figure(key="idle_bytes", title="idle connection", unit="KB", per_unit=1e3, digits=1),
    Figure(key="late_p50_s", title="late p50", unit="ms", per_unit=1e-3, digits=2, compared=False),
    Figure(key="late_p99_s", title="late p99", unit="ms", per_unit=1e-3, digits=2, compared=False),
)

Samples = Mapping[str, Sequence[float]]
"""What one contender reached: for each figure's key one value a round."""


@dataclass(frozen=True, slots=True, kw_only=True)
class BenchReport:
    """Everything a run of the benchmark measured."""

    samples: Mapping[str, Samples]
    missing: Mapping[str, str] = field(default_factory=dict)
    machine: Mapping[str, str] = field(default_factory=dict)
    rounds: int = 1
    seconds_per_measure: float = 0.0

    def median(self, contender: str, key: str) -> float | None:
        """The middle value of all rounds, or None if it wasn't measured."""
        values = self.samples.get(contender, {}).get(key, ())
        return median(values) if values else None

    def ratio(self, contender: str, key: str, baseline: str) -> float | None:
        """The middle of the rounds' ratios to a baseline, or None if there is none."""
        own = self.samples.get(contender, {}).get(key, ())
        other = self.samples.get(baseline, {}).get(key, ())
        ratios = [a / b for a, b in zip(own, other, strict=False) if b > 0]
        return median(ratios) if ratios else None


def percentile(values: Sequence[float], share: float) -> float:
    """The smallest value that this share of all values doesn't exceed (nearest rank)."""
    ranked = sorted(values)
    rank = -int(-share * len(ranked) // 1)
    return ranked[min(max(rank, 1), len(ranked)) - 1]


def lateness_s(
    round_trips_s: Sequence[float], baseline_s: float, delay_s: float, share: float
) -> float:
    """How much later than asked replies came, for a baseline's round trip without the delay."""
    return percentile(round_trips_s, share) - baseline_s - delay_s


def to_json(report: BenchReport) -> dict[str, Any]:
    """The report as values that ``json`` can write; times in seconds, sizes in bytes."""
    return {
        "machine": dict(report.machine),
        "rounds": report.rounds,
        "seconds_per_measure": report.seconds_per_measure,
        "missing": dict(report.missing),
        "contenders": {
            name: {key: _figure_to_json(report, name, key) for key in samples}
            for name, samples in report.samples.items()
        },
    }


def _figure_to_json(report: BenchReport, contender: str, key: str) -> dict[str, Any]:
    compared = any(figure.key == key and figure.compared for figure in FIGURES)
    ratios = {
        f"to_{baseline.lower()}": report.ratio(contender, key, baseline) if compared else None
        for baseline in BASELINES
    }
    return {
        "median": report.median(contender, key),
        **ratios,
        "samples": list(report.samples[contender][key]),
    }
