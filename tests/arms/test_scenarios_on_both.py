"""Two arms, one assertion: real sockets and the virtual network come to the same verdict.

The reference passes every scenario on both, and a client with a fault of its own fails on both by
the same check. What a verdict on simulated packets is worth is decided here, and for faults on
packets in namespaces, whose kernels were not written by us.
"""

import gc
import sys
from pathlib import Path

import pytest

from harness.checks import Verdict
from harness.runner import run_scenario
from harness.scenario import bundled_root, files_below, id_of, read_file, refusals

BROKEN_POOLS = Path(__file__).parents[1] / "broken"
sys.path.insert(0, str(BROKEN_POOLS))

from catalogue import BROKEN  # noqa: E402 - it lies where the line above points

ROOT = bundled_root()
SCENARIOS = {id_of(path, ROOT): read_file(path, ROOT) for path in files_below(ROOT)}
ON_BOTH = [
    name
    for name, scenario in SCENARIOS.items()
    if scenario.home == "loopback" and scenario.origin.is_built_in  # a real server has real time
]

pytestmark = [
    # What a broken pool leaves open, a garbage collector finds after the run, and complains.
    pytest.mark.filterwarnings("ignore::ResourceWarning"),
    pytest.mark.filterwarnings("ignore::pytest.PytestUnraisableExceptionWarning"),
]


@pytest.fixture(autouse=True)
def _collected():
    """Let the garbage collector complain here, not in the middle of somebody else's test."""
    yield
    gc.collect()


def told(result):
    return [(f.check, str(f.verdict), f.expected, f.actual) for f in result.failures]


@pytest.mark.parametrize("name", ON_BOTH)
def test_the_reference_passes_in_virtual_time_what_it_passes_in_real_time(name):
    """The other arm is ``test_scenarios``: the same assertion on loopback."""
    result = run_scenario(SCENARIOS[name], fabric="virtual")
    assert (result.setup_error, result.verdict, told(result)) == ("", Verdict.PASS, [])


@pytest.mark.parametrize(
    "broken", [b for b in BROKEN if b.scenario in ON_BOTH], ids=lambda broken: broken.name
)
def test_a_broken_pool_fails_in_virtual_time_as_it_does_in_real_time(broken):
    """The other arm is ``test_broken_pools``: the same scenario and the same check."""
    result = run_scenario(SCENARIOS[broken.scenario], broken.client, fabric="virtual")
    failed = {f.check: f.actual for f in result.findings if f.verdict is Verdict.FAIL}
    assert not result.setup_error
    assert broken.check in failed, f"failed only {failed}"


PACKETS_IN_REAL_TIME = (
    "network/drop_syn/three",
    "network/duplicate/fifth",
    "network/loss/steady",
    "network/partition/unreachable",
    "network/reorder/quarter",
    "silence/blackhole/close",
)
"""Of the scenarios that strike packets in virtual time those that take seconds in real time."""

NETNS_IN_VIRTUAL_TIME = [
    name
    for name, scenario in SCENARIOS.items()
    if scenario.home == "netns" and not refusals(scenario, "virtual")
]


@pytest.mark.parametrize("name", PACKETS_IN_REAL_TIME)
def test_the_reference_passes_among_real_packets_what_it_passes_among_simulated(name, ready_for):
    """The other arm is ``test_scenarios``: the same assertion in virtual time."""
    ready_for("netns")
    result = run_scenario(SCENARIOS[name], fabric="netns")
    assert (result.setup_error, result.verdict, told(result)) == ("", Verdict.PASS, [])


@pytest.mark.parametrize("name", NETNS_IN_VIRTUAL_TIME)
def test_the_reference_passes_among_simulated_packets_what_it_passes_among_real_ones(name):
    """The other arm is ``test_scenarios``: the same assertion in namespaces."""
    result = run_scenario(SCENARIOS[name], fabric="virtual")
    assert (result.setup_error, result.verdict, told(result)) == ("", Verdict.PASS, [])


@pytest.mark.parametrize(
    "broken",
    [b for b in BROKEN if b.scenario == "network/partition/unreachable"],  # told in seconds
    ids=lambda broken: broken.name,
)
def test_a_broken_pool_fails_among_real_packets_as_it_does_among_simulated(broken, ready_for):
    """The other arm is ``test_broken_pools``: the same scenario and the same check."""
    ready_for("netns")
    result = run_scenario(SCENARIOS[broken.scenario], broken.client, fabric="netns")
    failed = {f.check: f.actual for f in result.findings if f.verdict is Verdict.FAIL}
    assert not result.setup_error
    assert broken.check in failed, f"failed only {failed}"
