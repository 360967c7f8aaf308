"""The plugin in whole sessions: its cost, its seed, several processes, and sudden ends."""

import os
import signal
import subprocess
import sys
import time
from pathlib import Path

import pytest

POSIX = pytest.mark.skipif(sys.platform == "win32", reason="signals of POSIX")
GONE_S = 20.0

BARE = [f"-pno:{name}" for name in ("trio", "anyio", "hypothesispytest", "cacheprovider")]
"""A session without other plugins begins sooner."""

HEAVY = """
import sys
def test_nothing_is_imported_that_nobody_asked_for():
    heavy = ("trio", "pydantic", "ruamel", "rich", "click", "trustme", "h11", "harness.faults")
    assert [name for name in heavy if name in sys.modules] == []
"""


def test_a_session_that_doesn_t_use_it_imports_nothing_of_it(suite):
    suite.makeconftest("")
    suite.makepyfile(HEAVY)
    result = suite.runpytest_subprocess(*BARE, "-p", "no:xdist")
    result.assert_outcomes(passed=1)


def test_the_seed_is_told_given_and_drawn(suite):
    suite.makepyfile("def test_seed(chaos):\n    print('seed', chaos.seed)\n")
    quiet = ("-p", "no:cacheprovider", "-s")
    told = suite.runpytest_inprocess(*quiet)
    told.stdout.fnmatch_lines(["chaos-harness: *seed 0; scenarios: their own", "*seed 0*"])
    drawn = suite.runpytest_inprocess(*quiet, "--chaos-seed", "random")
    drawn.stdout.re_match_lines([r"chaos-harness: .*--chaos-seed \d+", r".*seed \d+"])
    suite.makeini("[pytest]\nchaos_seed = 5\n")
    suite.runpytest_inprocess(*quiet).stdout.fnmatch_lines(["*seed 5*"])
    suite.runpytest_inprocess(*quiet, "--chaos-seed", "6").stdout.fnmatch_lines(["*seed 6*"])


def test_a_seed_that_is_no_number_is_a_mistake_of_usage(suite):
    result = suite.runpytest_inprocess("--chaos-seed", "x")
    assert result.ret == pytest.ExitCode.USAGE_ERROR
    result.stderr.fnmatch_lines(["*--chaos-seed: 'x' is no whole number; write 7, or random*"])


SHARED = """
import os, pytest
from harness.pytest_plugin import Latency
from serve_backends import connected

@pytest.mark.parametrize("number", range(4))
def test_one(chaos, address, number):
    with chaos.proxy(address) as proxy, connected(proxy) as one:
        with proxy.fault(Latency(delay="1ms")):
            assert one.say("hi") == "blue hi"
    with open(os.environ["PYTEST_XDIST_WORKER"], "a") as file:
        file.write(f"{chaos.seed} {chaos._process.pid}\\n")

@pytest.mark.scenario("idle/fin/noticed", on="virtual")
def test_scenario():
    pass
"""


def test_under_xdist_each_worker_has_a_process_of_its_own(suite):
    suite.makepyfile(SHARED)
    result = suite.runpytest_subprocess(*BARE, "-n", "2", "--chaos-seed", "random")
    result.assert_outcomes(passed=5)
    lines = [
        line.split() for file in suite.path.glob("gw*") for line in file.read_text().splitlines()
    ]
    assert len(lines) == 4
    assert len({seed for seed, _ in lines}) == 1
    workers = {file.name for file in suite.path.glob("gw*")}
    assert len({pid for _, pid in lines}) == len(workers)
    assert_gone(int(pid) for _, pid in lines)


ENDLESS = """
import time
from pathlib import Path

def test_waits(chaos, address):
    with chaos.proxy(address, tls="terminate") as proxy:
        Path("pid").write_text(f"{chaos._process.pid} {proxy.ca_file}")
        Path("pid").rename("ready")
        time.sleep(60)
"""


@POSIX
@pytest.mark.parametrize("number", [signal.SIGINT, signal.SIGKILL])
def test_a_session_that_is_cut_off_leaves_nothing_behind(suite, number):
    suite.makepyfile(ENDLESS)
    session = suite.popen(
        [sys.executable, "-m", "pytest", *BARE],
        stdout=subprocess.DEVNULL,
        stderr=subprocess.DEVNULL,
        start_new_session=True,
    )
    try:
        wait_for((suite.path / "ready").exists)
        pid, certificate = (suite.path / "ready").read_text().split()
        session.send_signal(number)
        assert session.wait(GONE_S) != 0
    finally:
        session.kill()
        session.wait()
    assert_gone([int(pid)])
    if number == signal.SIGINT:
        assert not Path(certificate).exists()


def assert_gone(pids):
    for pid in pids:
        wait_for(lambda pid=pid: not is_running(pid))


def is_running(pid):
    try:
        os.kill(pid, 0)
    except ProcessLookupError:
        return False
    stat = Path(f"/proc/{pid}/stat")
    return not stat.exists() or stat.read_text().rpartition(")")[2].split()[0] != "Z"


def wait_for(condition):
    deadline = time.monotonic() + GONE_S
    while not condition():
        assert time.monotonic() < deadline
        time.sleep(0.01)
