"""The first failure of a campaign as the smallest scenario that still fails, run and explained.

What is tried must fail as the first run did: by the same check, with the same kinds of evidence.
Where the reference client passes that check in the scenario as it was found, it must pass it in
the smaller ones, too: else shrinking would end at a scenario that asks for what no client can do.
"""

from __future__ import annotations

from collections.abc import Callable
from dataclasses import dataclass, replace

from harness.campaign.explore import run_seed
from harness.campaign.fair import CONTROL
from harness.campaign.perturbation import words
from harness.campaign.shrink import RUNS_LIMIT, shrink
from harness.campaign.target import Target, target_of, telling
from harness.errors import InputError
from harness.result import RunResult
from harness.runner import run_scenario
from harness.scenario import Document, Scenario, document_of, read_text, written

ABOUT_LIMIT = 300


@dataclass(frozen=True, slots=True)
class Minimal:
    """A small scenario that fails: its text, the run that shows it, and how it was found.

    ``seed`` is the seed it was found with, ``runs`` how many it took to shrink it and
    ``finished`` whether nothing more could be left out. ``control`` is True if the reference
    client passes where this one fails, False if it fails as well, None if it is the one tested.
    """

    text: str
    result: RunResult
    target: Target
    seed: int
    runs: int
    finished: bool
    control: bool | None


def minimise(
    scenario: Scenario,
    client: str,
    seed: int,
    *,
    fabric: str = "virtual",
    runs_limit: int = RUNS_LIMIT,
    on_step: Callable[[Document, int], None] = lambda _, __: None,
) -> Minimal | None:
    """The failure of this seed, shrunk; with a limit of 0 runs, as it was found.

    None if the seed doesn't fail: then a run doesn't depend on its seed alone.
    """
    found = run_seed(scenario, client, seed, fabric)
    target = target_of(found)
    if target is None:
        return None
    trial = _Trial(scenario, client, fabric, target)
    document = document_of(scenario.source, scenario.file or scenario.id)
    document |= {"seed": seed}
    if perturb := words(found.scenario.perturb):
        document |= {"perturb": perturb}
    if not trial.fails(document):
        return None
    control = trial.use_control(document)
    shrunk = shrink(document, trial.fails, target.check, runs_limit=runs_limit, on_step=on_step)
    told = shrunk.document | _title(scenario, found, target)
    result = trial.run(told)
    if result is None or not target.is_hit_by(result):
        return None
    return Minimal(
        result.scenario.source, result, target, seed, shrunk.runs, shrunk.finished, control
    )


class _Trial:
    """Runs documents, and tells whether they fail as they should."""

    def __init__(self, scenario: Scenario, client: str, fabric: str, target: Target) -> None:
        self._scenario = scenario
        self._client = client
        self._fabric = fabric
        self._target = target
        self._control = False

    def fails(self, document: Document) -> bool:
        """Whether it fails by the target, and the control, if there is one, doesn't."""
        result = self.run(document)
        if result is None or not self._target.is_hit_by(result):
            return False
        return not self._control or self._control_passes(document)

    def use_control(self, document: Document) -> bool | None:
        """Demand from now on that the reference client passes, if it does so here."""
        if self._client == CONTROL:
            return None
        self._control = self._control_passes(document)
        return self._control

    def _control_passes(self, document: Document) -> bool:
        result = self.run(document, CONTROL)
        return result is not None and telling(result, self._target.check) is None

    def run(self, document: Document, client: str | None = None) -> RunResult | None:
        """The run of a document; None if it has mistakes, or nothing can be set up for it."""
        try:
            scenario = read_text(written(document), file="", id=self._scenario.id)
            result = run_scenario(scenario, client or self._client, fabric=self._fabric)
        except InputError:
            return None
        return None if result.setup_error else result


def _title(scenario: Scenario, found: RunResult, target: Target) -> Document:
    """What the smaller scenario says of itself."""
    finding = telling(found, target.check)
    assert finding is not None
    actual = finding.actual if len(finding.actual) <= ABOUT_LIMIT else "see the findings"
    about = (
        f"Found by exploring {scenario.id} with client {found.client}: with seed {found.seed} "
        f"{target.check} failed ({actual}). This is what was left once everything was taken "
        "away that the failure does not need."
    )
    return {"scenario": f"{scenario.name[:80]}-seed-{found.seed}", "about": about}


def as_kept(minimal: Minimal, file: str) -> RunResult:
    """The run as it is repeated from this file."""
    return replace(minimal.result, scenario=replace(minimal.result.scenario, file=file))
