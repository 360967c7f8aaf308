"""Every deliberately broken pool is found: by the scenario and the check that claim to find it.

A suite that passes good pools proves little; these prove that it fails bad ones, each for its
own reason.
"""

import gc
import sys
from pathlib import Path

import pytest

from harness.checks import Verdict
from harness.clients import load_client
from harness.runner import run_scenario
from harness.scenario import bundled_root, read_file

BROKEN_POOLS = Path(__file__).parent / "broken"
sys.path.insert(0, str(BROKEN_POOLS))

from catalogue import BROKEN, MISSED_BY  # noqa: E402 - it lies where the line above points

pytestmark = [
    # What these pools leave open, a garbage collector finds after the run, and rightly complains.
    pytest.mark.filterwarnings("ignore::ResourceWarning"),
    pytest.mark.filterwarnings("ignore::pytest.PytestUnraisableExceptionWarning"),
]


@pytest.fixture(autouse=True)
def _collected():
    """Let the garbage collector complain here, not in the middle of somebody else's test."""
    yield
    gc.collect()


BY_NAME = {broken.name: broken for broken in BROKEN}


def read(name):
    root = bundled_root()
    return read_file(root / f"{name}.yaml", root)


def run(broken):
    return run_scenario(read(broken.scenario), broken.client)


@pytest.mark.parametrize("broken", BROKEN, ids=lambda broken: broken.name)
def test_a_broken_pool_is_found(broken, ready_for):
    ready_for(read(broken.scenario).home)
    result = run(broken)
    failed = {f.check: f.actual for f in result.findings if f.verdict is Verdict.FAIL}
    assert not result.setup_error
    assert broken.check in failed, f"failed only {failed}"
    assert result.verdict is Verdict.FAIL
    assert "client_contract" not in failed
    if broken.check != "error_names_cause":
        assert "RuntimeError" not in str(result.history.events), "the saboteur itself crashed"


NEAR_MISSES = [(name, near) for name, nearest in MISSED_BY.items() for near in nearest]


@pytest.mark.parametrize(("name", "near"), NEAR_MISSES)
def test_only_packets_or_long_times_find_these(name, near):
    scenario = read(near)
    assert scenario.home == "loopback"
    result = run_scenario(scenario, BY_NAME[name].client, fabric="virtual")
    failures = [(f.check, str(f.verdict), f.actual) for f in result.failures]
    assert (result.setup_error, result.verdict, failures) == ("", Verdict.PASS, [])


def test_what_only_packets_or_long_times_find_is_found_where_these_are():
    elsewhere = {broken.name for broken in BROKEN if read(broken.scenario).home != "loopback"}
    assert elsewhere == set(MISSED_BY)


def test_every_broken_pool_is_in_the_catalogue():
    made = {
        line.removeprefix("class ").partition("(")[0]
        for file in BROKEN_POOLS.glob("*.py")
        for line in file.read_text().splitlines()
        if line.startswith("class ") and line.endswith("(ReferenceClient):")
    }
    assert made == {broken.name for broken in BROKEN}


@pytest.mark.parametrize("broken", BROKEN, ids=lambda broken: broken.name)
def test_a_broken_pool_names_its_one_defect(broken):
    sentence = load_client(broken.client).__doc__
    assert sentence.count("\n") == 0
    assert sentence.endswith(".")
