"""Which fabric can't play a scenario, and which can."""

from __future__ import annotations

from harness.errors import Problem
from harness.faults import PacketFault
from harness.scenario.compose import compose
from harness.scenario.model import PACKET_FABRICS, SERVER_FABRIC, Scenario
from harness.scenario.problems import Report

DELAYS_PACKETS = "virtual"
"""The fabric that has ``perturb: {delay: ...}``."""


def refusals(scenario: Scenario, fabric: str) -> list[Problem]:
    """Why a fabric can't play a scenario, at the place of each fault it lacks; empty if it can."""
    delayed = scenario.perturb.delay_s and fabric != DELAYS_PACKETS
    needs_server = not scenario.origin.is_built_in and fabric != SERVER_FABRIC
    if fabric in PACKET_FABRICS and not delayed and not needs_server:
        return []
    report = Report(scenario.file or f"{scenario.id}.yaml")
    # The text was read once without a mistake, so it is composed again without one.
    report.root = compose(scenario.source.removeprefix("\ufeff"), report)
    for index, spec in enumerate(scenario.faults):
        if isinstance(spec.fault, PacketFault) and fabric not in PACKET_FABRICS:
            message = f"{spec.name} needs packets, and the {fabric} fabric has none"
            report.on(("faults", index, "fault"), message, f"say --on {PACKET_FABRICS[0]}")
    if delayed:
        message = f"only {DELAYS_PACKETS} can delay every packet, and this is {fabric}"
        report.on(("perturb", "delay"), message, f"say --on {DELAYS_PACKETS}", key=True)
    if needs_server:
        what = "a server of your own" if scenario.origin.own else scenario.origin.protocol
        message = f"{what} needs real time, and the {fabric} fabric has none"
        report.on(("origin", "serve"), message, f"say --on {SERVER_FABRIC}")
    return report.problems
