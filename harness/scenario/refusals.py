"""Which fabric can't play a scenario, and which can."""

from __future__ import annotations

from harness.errors import Problem
from harness.scenario.compose import compose
from harness.scenario.model import Scenario
from harness.scenario.problems import Report


def refusals(scenario: Scenario, fabric: str) -> list[Problem]:
    """Why a fabric can't play a scenario, at the place of each thing it lacks; empty if it can."""
    lacking = [need for need in scenario.needs if fabric not in need.fabrics]
    if not lacking:
        return []
    report = Report(scenario.file or f"{scenario.id}.yaml")
    # The text was read once without a mistake, so it is composed again without one.
    report.root = compose(scenario.source.removeprefix("\ufeff"), report)
    home = scenario.home
    for need in lacking:
        message = f"{need.what}, and the {fabric} fabric has none"
        report.on(need.path, message, f"say --on {home}", key=need.is_key)
    return report.problems
