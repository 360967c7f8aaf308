"""A campaign whose runs are made up: what fails is said by the test."""

import sys
from dataclasses import replace
from importlib import import_module
from pathlib import Path

import pytest

sys.path.insert(0, str(Path(__file__).parents[1] / "report"))

import made

from harness.checks import Verdict
from harness.scenario import read_text

TEXT = """\
scenario: small
about: Nothing much.
client:
  pool: {size: 2, idle_timeout: 3s}
workload:
  - {phase: load, callers: 4, calls: 40, unsafe: 50%}
  - {phase: quiet, pause: 1s}
faults:
  - {fault: close, when: {idle: 2s}}
expect:
  no_leaks: true
  at_most_once: true
"""


@pytest.fixture
def scenario():
    return read_text(TEXT, file="small.yaml", id="idle/small")


class FakeRuns:
    """Instead of ``run_scenario``: a run fails if ``fails(scenario, client)`` says so."""

    def __init__(self):
        self.ran = []
        self.verdict = lambda scenario, client: Verdict.PASS

    def __call__(self, scenario, client="reference", *, fabric="loopback", seed=None):
        seed = scenario.seed if seed is None else seed
        scenario = replace(scenario, seed=seed)
        self.ran.append((scenario, client, fabric))
        verdict = self.verdict(scenario, client)
        return made.result(
            scenario.id,
            verdict,
            scenario=scenario,
            client=client,
            seed=seed,
            fabric=fabric,
            setup_error="no port" if verdict is None else "",
        )


@pytest.fixture
def runs(monkeypatch):
    fake = FakeRuns()
    for module in ("explore", "minimise"):  # functions are called so, too
        home = import_module(f"harness.campaign.{module}")
        monkeypatch.setattr(home, "run_scenario", fake)
    return fake
