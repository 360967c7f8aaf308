"""The checks: one file each, found by themselves."""

from __future__ import annotations

from functools import cache
from typing import Any

from harness import registry
from harness.checks._base import EVIDENCE_LIMIT, Check, Finding, Verdict, finding, worst
from harness.checks._detection import detection_s

__all__ = [
    "EVIDENCE_LIMIT",
    "Check",
    "Finding",
    "Verdict",
    "all_checks",
    "detection_s",
    "finding",
    "worst",
]


@cache
def all_checks() -> dict[str, type[Any]]:
    """Every check by its word, third parties' included."""
    return registry.members("harness.checks")
