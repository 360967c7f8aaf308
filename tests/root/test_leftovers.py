"""What remains of runs that end in whatever way: nothing, and the host's network is as it was."""

import random
import signal
import subprocess
import sys
from contextlib import contextmanager

import pytest
from surroundings import MARK, WAYS, Run, differences, host_network

from harness.fabric.netns.access import probe

WHY = "" if probe().way else f"needs network namespaces: {probe().reason}; {probe().advice}"
pytestmark = pytest.mark.skipif(bool(WHY), reason=WHY or "never")

CHANCE = random.Random(20)
KILLS = [(way, tls, CHANCE.uniform(0.5, 3.0)) for way, tls in zip(
    [*WAYS, "a client's process"], ["off", "off", "terminate", "terminate", "off"], strict=True
)]  # fmt: skip
SHORT = """\
scenario: short
level: must
proxy: {tls: TLS}
workload:
  - {phase: load, callers: 4, calls: 100}
faults:
  - {fault: latency, delay: 2ms}
  - {fault: loss, rate: 2%}
expect: {errors: 0}
"""


@contextmanager
def untouched():
    """The host's own network is the same before and after."""
    before = host_network()
    assert len(before) > 100  # something is looked at
    yield
    assert differences(before, host_network()) == []


@pytest.mark.parametrize(("way", "tls", "seconds"), KILLS)
def test_of_a_run_that_is_killed_nothing_is_left(tmp_path, way, tls, seconds):
    with untouched():
        run = Run(tmp_path, *WAYS[way], tls=tls)
        assert run.living()
        assert run.kill_after(seconds)
        assert run.left() == []


def test_of_a_run_that_is_stopped_nothing_is_left(tmp_path):
    with untouched():
        run = Run(tmp_path, "--jobs", "2", "--repeat", "2")
        while len(run.living()) < 2:
            assert run.process.poll() is None
        assert run.stop(signal.SIGTERM) == 143
        assert run.left() == []


def test_of_a_run_to_its_end_nothing_is_left(tmp_path):
    with untouched():
        run = Run(tmp_path, scenario=SHORT, tls="terminate")
        assert run.wait() == 0, run.said
        assert run.left() == []


def test_something_that_is_left_would_be_found(tmp_path):
    run = Run(tmp_path)
    run.kill_after(0)
    sleeper = [sys.executable, "-c", "import time; time.sleep(60)"]
    with subprocess.Popen(sleeper, env={MARK: run.mark}, start_new_session=True) as process:
        (run.temporary / "forgotten").touch()
        left = run.left(within_s=0.5)
        process.wait()
    assert [line for line in left if line.startswith(f"process {process.pid}:")]
    assert f"file {run.temporary / 'forgotten'}" in left


def test_a_change_of_the_hosts_network_would_be_found():
    before = host_network()
    name = "/proc/sys/net/ipv4/ip_forward"
    assert differences(before, {**before, name: "other"}) == [
        f"{name}: {before[name]!r} is now 'other'"
    ]
