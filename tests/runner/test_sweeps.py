"""Every value of every bundled sweep, in virtual time."""

import pytest

from harness.checks import Verdict
from harness.runner import RunOptions, run_all
from harness.scenario import bundled_root, files_below, read_file, variants

ROOT = bundled_root()
SWEPT = [s for s in (read_file(path, ROOT) for path in files_below(ROOT / "sweep")) if s.sweep]


@pytest.mark.parametrize("scenario", SWEPT, ids=lambda scenario: scenario.id)
def test_the_reference_pool_passes_at_every_value_of(scenario):
    results = run_all(variants(scenario), RunOptions(fabric="virtual"))
    assert len(results) == scenario.sweep.count
    bad = {r.scenario.value: r.failures for r in results if r.verdict is not Verdict.PASS}
    assert bad == {}


def test_values_side_by_side_come_back_in_their_order():
    scenario = SWEPT[0]
    results = run_all(variants(scenario), RunOptions(fabric="virtual", jobs=2))
    assert [r.scenario.value for r in results] == [v.value for v in variants(scenario)]
