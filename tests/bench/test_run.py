import json
import os
import signal
import subprocess
import sys
import tempfile
import time
from pathlib import Path

import pytest

from harness.bench import contenders as contenders_module
from harness.bench import render, run_bench, to_json
from harness.bench.contenders import DIRECT, HAPROXY, LATENCY, PROXY, SOCAT, TLS
from harness.bench.processes import running
from harness.errors import SetupError

OURS = {DIRECT, PROXY, LATENCY, TLS}
TINY_S = 0.05
WAIT_S = 20.0

pytestmark = pytest.mark.skipif(sys.platform != "linux", reason="looks for processes in /proc")


@pytest.fixture
def temporary(tmp_path, monkeypatch):
    """Where the benchmark's files go; the runs of others are elsewhere."""
    monkeypatch.setenv("TMPDIR", str(tmp_path))
    monkeypatch.setattr(tempfile, "tempdir", None)
    return tmp_path


@pytest.fixture
def alone(monkeypatch):
    """A machine that has no other proxies."""
    monkeypatch.setattr(contenders_module.shutil, "which", lambda _: None)


@pytest.fixture
def no_proxy(monkeypatch):
    """Nothing of ours but the direct connection, to be quick."""
    for name in (PROXY, LATENCY, TLS):
        monkeypatch.delitem(contenders_module.OPENERS, name)


def processes_of(directory):
    """Processes that belong to a run: the run's directory stands in their environment."""
    mark, found = f"TMPDIR={directory}".encode(), []
    for entry in Path("/proc").iterdir():
        if entry.name.isdigit() and int(entry.name) != os.getpid():
            try:
                if mark in (entry / "environ").read_bytes():
                    found.append(entry.name)
            except OSError:
                continue
    return found


def until(holds):
    give_up = time.monotonic() + WAIT_S
    while not holds():
        assert time.monotonic() < give_up, "it never came true"
        time.sleep(0.01)


def test_a_tiny_run_measures_everyone_and_leaves_nothing(temporary, alone):
    heard = []
    report = run_bench(rounds=1, seconds_per_measure=TINY_S, on_progress=heard.append)
    found = json.loads(json.dumps(to_json(report)))["contenders"]

    assert found.keys() == OURS
    assert found[PROXY].keys() == {
        "idle_bytes",
        "round_trip_s",
        "connections_per_s",
        "bulk_bytes_per_s",
    }
    assert found[LATENCY].keys() == {"late_p50_s", "late_p99_s", "bulk_bytes_per_s"}
    assert found[TLS].keys() == {"round_trip_s", "connections_per_s", "bulk_bytes_per_s"}
    assert any(TLS in line for line in heard)
    assert PROXY in render(report)
    assert processes_of(temporary) == []
    assert list(temporary.iterdir()) == []


def test_others_that_are_not_installed_are_named_and_not_fatal(temporary, alone, no_proxy):
    report = run_bench(rounds=0, seconds_per_measure=TINY_S)
    assert report.missing == {
        HAPROXY: "haproxy is not installed",
        SOCAT: "socat is not installed",
    }


def test_others_that_do_not_start_are_named_and_not_fatal(temporary, no_proxy, monkeypatch):
    monkeypatch.setattr(contenders_module.shutil, "which", lambda _: "/bin/false")
    monkeypatch.setattr(contenders_module, "SERVES_LIMIT_S", 0.1)
    monkeypatch.setenv("PATH", str(temporary))
    report = run_bench(rounds=0, seconds_per_measure=TINY_S)

    assert report.missing.keys() == {HAPROXY, SOCAT}
    assert processes_of(temporary) == []


def test_our_own_proxy_must_start(temporary, alone, monkeypatch):
    def broken(_port, _directory):
        raise SetupError("it doesn't start")

    monkeypatch.setitem(contenders_module.OPENERS, PROXY, broken)
    with pytest.raises(SetupError, match="doesn't start"):
        run_bench(rounds=0, seconds_per_measure=TINY_S)
    assert processes_of(temporary) == []


def test_a_process_that_dies_at_once_says_why(tmp_path):
    process = running("harness.bench.relay_process", ["no JSON"], tmp_path / "log")
    with pytest.raises(SetupError, match="Expecting value"), process:
        pass


def test_an_exception_of_the_caller_ends_it_and_leaves_nothing(temporary, alone):
    class GiveUpError(Exception):
        pass

    def give_up(_):
        raise GiveUpError

    with pytest.raises(GiveUpError):
        run_bench(rounds=1, seconds_per_measure=TINY_S, on_progress=give_up)
    assert processes_of(temporary) == []
    assert list(temporary.iterdir()) == []


@pytest.mark.parametrize("number", [signal.SIGINT, signal.SIGTERM])
def test_a_signal_ends_it_and_leaves_nothing(temporary, number):
    with bench_process(temporary) as process:
        process.send_signal(number)
        process.wait(WAIT_S)
    assert process.returncode != 0
    assert processes_of(temporary) == []
    assert list(temporary.iterdir()) == []


def test_even_if_it_is_killed_its_processes_end(temporary):
    with bench_process(temporary) as process:
        process.kill()
        process.wait(WAIT_S)
    until(lambda: processes_of(temporary) == [])


def bench_process(directory):
    """A benchmark in the middle of its first measure, with all contenders this machine has."""
    code = (
        "import harness.bench as b; b.run_bench(on_progress=lambda text: print(text, flush=True))"
    )
    process = subprocess.Popen(
        [sys.executable, "-P", "-c", code],
        stdout=subprocess.PIPE,
        stderr=subprocess.DEVNULL,
        env=os.environ | {"TMPDIR": str(directory), "PYTHONPATH": str(Path(__file__).parents[2])},
    )
    assert process.stdout is not None
    assert process.stdout.readline()
    assert len(processes_of(directory)) > len(OURS)
    return process
