import json

import pytest

from harness.checks import Verdict
from harness.errors import InputError
from harness.runner import RunOptions, kept, run_all
from harness.scenario import read_text


@pytest.fixture
def scenarios(scenario):
    def named(name):
        return read_text(scenario().source, file=f"{name}.yaml", id=name)

    return [named(name) for name in ("one", "two", "three")]


def test_results_come_in_the_order_of_the_scenarios_however_they_end(scenarios):
    seen, progress = [], []
    options = RunOptions(repeat=2, jobs=3)
    results = run_all(scenarios, options, progress.append, seen.append)
    assert [(r.scenario.id, r.round) for r in results] == [
        (name, number) for name in ("one", "two", "three") for number in (1, 2)
    ]
    assert sorted(id(r) for r in seen) == sorted(id(r) for r in results)
    assert [r.failures for r in results if r.verdict is not Verdict.PASS] == []
    assert {p.scenario for p in progress} <= {"one", "two", "three"}


def test_repetitions_have_the_same_seed_and_are_kept_apart(scenarios, tmp_path):
    results = run_all(scenarios[:1], RunOptions(repeat=3, seed=40, keep=tmp_path))
    assert [(result.seed, result.round) for result in results] == [(40, 1), (40, 2), (40, 3)]
    assert len(kept.load(tmp_path)) == 3


def test_side_by_side_makes_the_same_decisions_as_one_after_the_other(scenarios):
    def nonces(results):
        return [
            sorted(
                e.nonce
                for e in r.history.events
                if getattr(e, "phase", "") == "work" and hasattr(e, "nonce")
            )
            for r in results
        ]

    alone = run_all(scenarios, RunOptions(jobs=1))
    together = run_all(scenarios, RunOptions(jobs=2))
    assert nonces(alone) == nonces(together)


def test_an_unknown_client_is_told_before_anything_runs(scenarios):
    with pytest.raises(InputError, match="no client 'refrence'; did you mean 'reference'"):
        run_all(scenarios, RunOptions(client="refrence"))


def test_a_kept_run_is_judged_again_to_the_same_findings(scenarios, tmp_path):
    (result,) = run_all(scenarios[:1], RunOptions(keep=tmp_path))
    (again,) = kept.load(tmp_path)
    assert again.findings == result.findings
    assert again.verdict is result.verdict
    assert again.seed == result.seed
    assert again.history.events == result.history.events
    assert again.environment["trio"]


def test_a_kept_history_is_judged_by_what_it_says(scenarios, tmp_path):
    (result,) = run_all(scenarios[:1], RunOptions(keep=tmp_path))
    path = next(tmp_path.rglob(kept.HISTORY))
    lines = path.read_text().splitlines()
    executed = [line for line in lines if '"Executed"' in line and '"unsafe": true' in line]
    path.write_text("\n".join([*lines, executed[0]]) + "\n")
    (again,) = kept.load(tmp_path)
    assert result.verdict is Verdict.PASS
    assert [finding.check for finding in again.failures] == ["at_most_once"]


def test_a_folder_without_runs_is_an_error_that_says_so(tmp_path):
    with pytest.raises(InputError, match="no kept run is here"):
        kept.load(tmp_path)


@pytest.mark.parametrize(
    ("file", "text", "says"),
    [
        (kept.HISTORY, "no json\n", "history.jsonl:1:1"),
        (kept.RUN, "[1]", "not readable"),
        (kept.RUN, "{", "not readable"),
        (kept.SCENARIO, "scenario: 3\n", "scenario.yaml:1:"),
    ],
)
def test_a_damaged_run_is_an_error_that_names_the_file(scenarios, tmp_path, file, text, says):
    run_all(scenarios[:1], RunOptions(keep=tmp_path))
    next(tmp_path.rglob(file)).write_text(text)
    with pytest.raises(InputError, match=says):
        kept.load(tmp_path)


def test_keeping_where_nothing_can_be_written_is_an_error(scenarios, tmp_path):
    place = tmp_path / "file"
    place.write_text("")
    with pytest.raises(InputError, match="can't keep the run"):
        run_all(scenarios[:1], RunOptions(keep=place))


def test_the_environment_is_kept_as_json(scenarios, tmp_path):
    run_all(scenarios[:1], RunOptions(keep=tmp_path))
    about = json.loads(next(tmp_path.rglob(kept.RUN)).read_text())
    assert about["verdict"] == "pass"
    assert set(about["environment"]) == {"harness", "python", "trio", "openssl", "platform"}
