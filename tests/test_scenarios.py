"""The bundled scenarios: the reference passes each of them, and a naive pool most of them not."""

import gc

import pytest

from harness.checks import Verdict
from harness.runner import run_scenario
from harness.scenario import bundled_root, files_below, id_of, read_file

ROOT = bundled_root()
FILES = {id_of(path, ROOT): path for path in files_below(ROOT)}
ON_REAL_SERVERS = [name for name in FILES if name.startswith(("postgres/", "redis/"))]
BUILT_IN = [name for name in FILES if name not in ON_REAL_SERVERS]

LOSES_LEASES = pytest.mark.filterwarnings("ignore:connection .* was never released:ResourceWarning")
"""A caller that loses its lease on purpose is warned about it, as it should be."""


@pytest.fixture(autouse=True)
def _collected():
    """Let the garbage collector complain here, not in the middle of somebody else's test."""
    yield
    gc.collect()


def told(result):
    return [(f.check, str(f.verdict), f.expected, f.actual) for f in result.failures]


@LOSES_LEASES
@pytest.mark.parametrize("name", BUILT_IN)
def test_the_reference_passes(name, ready_for):
    scenario = read_file(FILES[name], ROOT)
    ready_for(scenario.home)
    result = run_scenario(scenario)
    assert (result.setup_error, result.verdict, told(result)) == ("", Verdict.PASS, [])


@LOSES_LEASES
@pytest.mark.parametrize("name", ON_REAL_SERVERS)
def test_the_reference_passes_on_a_real_server(name):
    result = run_scenario(read_file(FILES[name], ROOT))
    assert (result.setup_error, result.verdict, told(result)) == ("", Verdict.PASS, [])


def test_what_has_a_real_server_is_where_it_belongs():
    real = [name for name, path in FILES.items() if not read_file(path, ROOT).origin.is_built_in]
    assert real == ON_REAL_SERVERS


NAIVE_FAILS = {
    "ages/keep_alive/node": "no_leaks",
    "ages/recycle/hour": "connections_opened",
    "connect/connect_delay/one": "latency",
    "connect/refuse/waited_out": "backoff",
    "idle/fin/detected": "detects_within",
    "idle/insert/second_reply": "no_crosstalk",
    "leak/abandon/exception": "no_leaks",
    "pool/close/busy": "errors",
    "pool/recycle/by_age": "connections_opened",
    "pool/size/spike": "connections_peak",
    "response/close/before": "at_most_once",
    "shape/slow/loris": "every_call_ends",
    "silence/nat_expiry/firewall": "every_call_ends",
    "tls/certificate/untrusted": "handshakes",
    "truncation/length/fin": "no_silent_truncation",
}
"""One scenario for each habit; of all there are, a naive pool passes about one in nine."""

HARMLESS = (
    "backends/balance/round_robin",
    "reuse/tcp/connect_cost",
    "reuse/tcp/lonely_caller",
    "reuse/tcp/steady",
    "reuse/tls/handshakes",
    "reuse/tls/tickets",
    "shape/slice/small_segments",
    "shape/slice/tls_records",
)


# What the naive pool leaves open, a garbage collector finds after the run, and rightly complains.
@pytest.mark.filterwarnings("ignore::ResourceWarning")
@pytest.mark.filterwarnings("ignore::pytest.PytestUnraisableExceptionWarning")
@pytest.mark.parametrize(("name", "check"), NAIVE_FAILS.items(), ids=NAIVE_FAILS)
def test_a_naive_pool_fails_where_its_habits_show(name, check):
    result = run_scenario(read_file(FILES[name], ROOT), "naive")
    failed = {f.check for f in result.findings if f.verdict is Verdict.FAIL}
    assert check in failed
    assert "client_contract" not in failed


@pytest.mark.parametrize("name", HARMLESS)
def test_a_naive_pool_passes_while_nothing_goes_wrong(name):
    result = run_scenario(read_file(FILES[name], ROOT), "naive")
    assert (result.setup_error, result.verdict, told(result)) == ("", Verdict.PASS, [])


def test_ids_are_unique_and_every_scenario_says_what_it_is_about():
    scenarios = [read_file(path, ROOT) for path in FILES.values()]
    names = [scenario.name for scenario in scenarios]
    assert sorted(names) == sorted(set(names))
    assert all(len(scenario.about.split()) >= 15 for scenario in scenarios)
    assert all(scenario.checks for scenario in scenarios)
