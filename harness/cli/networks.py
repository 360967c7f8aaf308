"""``harness run --dry-run``: the networks that scenarios would get, as commands."""

from __future__ import annotations

from collections.abc import Sequence

from harness.errors import InputError, Problem
from harness.scenario import KERNEL_FABRIC, Scenario, Topology


def network_plans(scenarios: Sequence[Scenario], fabric: str | None) -> str:
    """Each network once, under the scenarios that get it.

    Nothing is made, so it needs no privilege. Raises InputError if no scenario gets a network.
    """
    # Slow to import: only who asks for it needs it.
    from harness.fabric.netns.plan import plan, render  # noqa: PLC0415

    users: dict[tuple[Topology, tuple[str, ...]], list[str]] = {}
    for scenario in scenarios:
        if (fabric or scenario.home) == KERNEL_FABRIC:
            backends = scenario.origin.backends if scenario.origin.is_built_in else ()
            key = scenario.topology or Topology(), backends
            users.setdefault(key, []).append(scenario.id)
    if not users:
        hint = f"say --on {KERNEL_FABRIC}"
        raise InputError(Problem("--dry-run: none of these scenarios makes a network", hint))
    return "\n".join(
        "".join(f"# {name}\n" for name in dict.fromkeys(names)) + render(plan(*key)).rstrip() + "\n"
        for key, names in users.items()
    )
