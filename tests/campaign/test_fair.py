from dataclasses import replace

import pytest

from harness.campaign import explore, minimise
from harness.checks import Verdict
from harness.scenario import Perturb, read_text

TEXT = """\
scenario: limits
workload: [{phase: load, calls: 4}]
expect:
  errors: 0
  connections_opened: {at_most: 12}
  connections_peak: true
  latency: {p99: <250ms}
  recovers_within: 1s
  reuse: 50%
  at_most_once: true
  no_leaks: true
  slots_conserved: true
"""


@pytest.fixture
def limits():
    return read_text(TEXT, file="limits.yaml")


def asked(runs):
    scenario, _, _ = runs.ran[0]
    return [check.NAME for check in scenario.checks]


def test_limits_on_counts_and_durations_are_not_judged_under_times_not_their_own(limits, runs):
    explore(limits, "naive", seeds=range(1, 2))
    assert asked(runs) == ["errors", "at_most_once", "no_leaks", "slots_conserved"]


def test_a_scenario_that_says_how_it_is_perturbed_keeps_all_its_checks(limits, runs):
    explore(replace(limits, perturb=Perturb(think_s=1.0)), "naive", seeds=range(1, 2))
    assert len(asked(runs)) == 9


def test_the_reference_is_not_asked_for_errors_because_nobody_is_there_to_compare_with(
    limits, runs
):
    explore(limits, seeds=range(1, 2))
    assert "errors" not in asked(runs)


def test_what_the_reference_fails_in_the_same_run_is_unknown(limits, runs):
    runs.verdict = lambda scenario, client: (
        Verdict.FAIL if client == "naive" or scenario.seed == 3 else Verdict.PASS
    )
    found = explore(limits, "naive", seeds=range(3, 6), keep_going=True)
    assert ([o.seed for o in found.failures], found.unknown) == ([4, 5], 1)


def test_with_a_perturbation_of_its_own_nothing_is_compared(limits, runs):
    runs.verdict = lambda scenario, client: Verdict.FAIL
    found = explore(replace(limits, perturb=Perturb(think_s=1.0)), "naive", seeds=range(3, 5))
    assert found.first.seed == 3
    assert {client for _, client, _ in runs.ran} == {"naive"}


def callers(scenario):
    return max(phase.callers for phase in scenario.workload)


def test_a_scenario_is_not_shrunk_to_what_the_reference_fails_as_well(scenario, runs):
    runs.verdict = lambda scenario, client: (
        Verdict.FAIL if client == "naive" or callers(scenario) < 3 else Verdict.PASS
    )
    minimal = minimise(scenario, "naive", 7)
    assert minimal.control is True
    assert callers(minimal.result.scenario) == 3


def test_shrinking_keeps_the_kind_of_failure(scenario, runs):
    runs.verdict = lambda scenario, client: Verdict.FAIL if client == "naive" else Verdict.PASS
    minimal = minimise(scenario, "naive", 7)
    assert minimal.target.check == "at_most_once"
    assert [check.NAME for check in minimal.result.scenario.checks] == ["at_most_once"]
    assert "with seed 7 at_most_once failed" in minimal.result.scenario.about
    assert minimal.result.scenario.name == "small-seed-7"


def test_a_seed_that_does_not_fail_has_nothing_to_shrink(scenario, runs):
    assert minimise(scenario, "naive", 7) is None
