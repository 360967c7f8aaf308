import itertools
from concurrent.futures import ThreadPoolExecutor
from dataclasses import replace
from pathlib import Path

import pytest

from harness.campaign import explore, minimise, perturbation, perturbed, run_seed
from harness.campaign.explore import BATCH_LIMIT, FAILURES_LIMIT
from harness.campaign.perturbation import busy_times_s, duration_words, idle_times_s, words
from harness.checks import Verdict
from harness.scenario import Perturb, read_file, read_text, written
from harness.units import parse_duration_s

RACY = Path(__file__).parent / "racy"


def failing(*seeds):
    return lambda scenario, _: Verdict.FAIL if scenario.seed in seeds else Verdict.PASS


def test_every_seed_is_run_once_in_virtual_time(scenario, runs):
    found = explore(scenario, "naive", seeds=range(1, 101))
    assert sorted(s.seed for s, _, _ in runs.ran) == list(range(1, 101))
    assert {(client, fabric) for _, client, fabric in runs.ran} == {("naive", "virtual")}
    assert (found.done, found.failed, found.unknown, found.first) == (100, 0, 0, None)


def test_it_stops_at_the_first_failure(scenario, runs):
    runs.verdict = failing(17, 18, 60)
    found = explore(scenario, seeds=range(1, 101))
    assert (found.first.seed, found.first.checks) == (17, ("at_most_once",))
    assert (found.done, found.failed) == (17, 1)
    assert max(s.seed for s, _, _ in runs.ran) == 17


def test_it_goes_on_if_told(scenario, runs):
    runs.verdict = failing(17, 18, 60)
    found = explore(scenario, seeds=range(1, 101), keep_going=True)
    assert [outcome.seed for outcome in found.failures] == [17, 18, 60]
    assert (found.done, found.failed) == (100, 3)


def test_unknown_is_counted_and_does_not_stop_it(scenario, runs):
    runs.verdict = lambda scenario, _: Verdict.UNKNOWN if scenario.seed % 2 else Verdict.PASS
    found = explore(scenario, seeds=range(1, 101))
    assert (found.done, found.failed, found.unknown) == (100, 0, 50)


def test_what_cannot_be_set_up_is_told(scenario, runs):
    runs.verdict = lambda scenario, _: None if scenario.seed == 3 else Verdict.PASS
    found = explore(scenario, seeds=range(1, 5))
    assert (found.setup_error, found.unknown) == ("no port", 1)


def test_remembered_failures_are_bounded_and_all_are_counted(scenario, runs):
    runs.verdict = lambda *_: Verdict.FAIL
    found = explore(scenario, seeds=range(FAILURES_LIMIT + 50), keep_going=True)
    assert (len(found.failures), found.failed) == (FAILURES_LIMIT, FAILURES_LIMIT + 50)


def test_the_answer_is_the_lowest_failing_seed_whichever_worker_is_fastest(scenario, runs):
    runs.verdict = failing(150, 151, 190, 300)
    alone = explore(scenario, seeds=range(1, 400))
    told = []
    with ThreadPoolExecutor(4) as executor:
        together = explore(
            scenario, seeds=range(1, 400), executor=executor, jobs=4, on_progress=told.append
        )
    assert together == alone
    assert together.first.seed == 150
    assert [news.done for news in told] == sorted(news.done for news in told)


def test_batches_begin_small_and_have_a_limit(scenario, runs):
    told = []
    explore(scenario, seeds=range(1, 201), on_progress=told.append)
    sizes = [b.done - a.done for a, b in itertools.pairwise(told)]
    assert [told[0].done, *sizes] == [1, 2, 4, 8, 16, 32, 32, 32, 32, 32, 9]
    assert max(sizes) == BATCH_LIMIT


# --- what a seed tries ----------------------------------------------------------------------


def test_half_of_the_seeds_are_on_a_grid_that_meets_the_times_of_the_scenario(scenario):
    tried = [perturbation(scenario, seed) for seed in range(100)]
    on_grid = [p for p in tried if p.grid_s is not None]
    assert len(on_grid) == 50
    for p in on_grid:
        met = [t for t in (1.0, 2.0, 3.0) if p.think_s == 2 * t]
        assert met
        assert met[0] / p.grid_s == pytest.approx(round(met[0] / p.grid_s))
    assert {p.think_s for p in tried} == {2.0, 4.0, 6.0}
    assert sum(p.think_s > 2.0 for p in tried) > 60  # most seeds aim at what changes when idle
    assert any(p.delay_s for p in tried)
    assert any(not p.delay_s for p in on_grid)


def test_a_seed_always_tries_the_same(scenario):
    assert perturbation(scenario, 8) == perturbation(scenario, 8)
    assert perturbed(scenario, 8).seed == 8


def test_a_perturbation_of_the_scenario_itself_is_kept(scenario):
    own = replace(scenario, perturb=Perturb(delay_s=0.5))
    assert perturbation(own, 8) == Perturb(delay_s=0.5)


def test_without_times_of_its_own_a_scenario_is_still_perturbed():
    text = "scenario: x\nworkload: [{phase: a, calls: 1}]\nexpect: {errors: 0}\n"
    plain = read_text(text, file="x.yaml")
    assert idle_times_s(plain) == busy_times_s(plain) == []
    assert perturbation(plain, 1).think_s > 0


def test_phases_and_faults_have_times_too():
    text = (
        "scenario: x\nworkload: [{phase: a, calls: 9, slow: 2ms, rate: 50/s}]\n"
        "faults: [{fault: latency, delay: 30ms ± 5ms, at: 1s, for: 2s}]\nexpect: {errors: 0}\n"
    )
    assert busy_times_s(read_text(text, file="x.yaml")) == [0.002, 0.02, 0.03, 1.0, 2.0]


@pytest.mark.parametrize("seed", range(40))
def test_what_is_written_down_reads_as_the_same_perturbation(scenario, seed):
    tried = perturbation(scenario, seed)
    document = {
        "scenario": "x",
        "workload": [{"phase": "a", "calls": 1}],
        "perturb": words(tried),
        "expect": {"errors": 0},
    }
    assert read_text(written(document), file="x.yaml").perturb == tried


@pytest.mark.parametrize(
    ("time_s", "text"),
    [(7200, "2h"), (90, "90s"), (60, "1min"), (1.5, "1500ms"), (1.23456, "1234560us")],
)
def test_durations_are_written_without_a_point(time_s, text):
    assert duration_words(time_s) == text
    assert parse_duration_s(text) == time_s


# --- true runs ------------------------------------------------------------------------------


def test_callers_that_come_at_one_instant_find_an_unsynchronised_checkout():
    scenario = read_file(RACY / "together.yaml")
    racy = f"{RACY / 'checkout.py'}:UnsynchronisedCheckout"
    found = explore(scenario, racy, seeds=range(1, 101))
    assert found.first is not None
    assert "no_crosstalk" in found.first.checks
    again = run_seed(scenario, racy, found.first.seed)
    assert again.verdict is Verdict.FAIL


def test_callers_that_come_back_as_the_server_closes_find_a_window_of_4_ms():
    scenario = read_file(RACY / "idle.yaml")
    racy = f"{RACY / 'set_up.py'}:LooksTooEarly"
    found = explore(scenario, racy, seeds=range(1, 101))
    assert found.first is not None
    assert found.first.checks == ("errors",)
    minimal = minimise(scenario, racy, found.first.seed)
    assert minimal.control is True
    assert minimal.target.kinds == {"CallUnknown closed"}
    small = minimal.result.scenario
    (phase,), (fault,) = small.workload, small.faults
    assert phase.callers <= 4
    assert phase.calls <= 8
    assert fault.name == "close"


def test_the_same_seed_has_the_same_history():
    scenario = read_file(RACY / "idle.yaml")
    first, second = (run_seed(scenario, "reference", 5).history.to_jsonl() for _ in range(2))
    assert first == second
