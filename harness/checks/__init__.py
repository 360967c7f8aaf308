"""The checks: one file each, found by themselves."""

from __future__ import annotations

from functools import cache
from typing import Any

from harness import registry
from harness.checks._base import EVIDENCE_LIMIT, Check, Finding, Verdict, finding, worst

__all__ = [
    "EVIDENCE_LIMIT",
    "Check",
    "Finding",
    "Verdict",
    "all_checks",
    "finding",
    "worst",
]


@cache
def all_checks() -> dict[str, type[Any]]:
    """Every check by its word, third parties' included."""
    return registry.members("harness.checks")
