"""The same seed, byte for byte the same history: in any process, whatever else the machine does."""

import os
import shutil
import subprocess
import sys
from concurrent.futures import ThreadPoolExecutor
from pathlib import Path

import pytest

from harness.runner import run_scenario
from harness.scenario import bundled_root, read_file

PROCESSES = 12
NAMES = (
    "cancel/in_flight/before_the_reply@reference",
    "idle/fin/race@reference",
    "idle/fin/race@naive",
    "shape/latency/distributions@reference",
    "reuse/tls/handshakes@reference",
    "tls/certificate/every_other@reference",
    "pool/size/spike@reference",
)
LIMIT_S = 120
ENVIRONMENT = {**os.environ, "PYTHONPATH": str(Path(__file__).parents[2])}
ALLOCATORS = ("pymalloc", "malloc")
"""They place objects at other addresses, so that whatever is ordered by them shows."""


def digests(hash_seed, names, python=sys.executable):
    script = Path(__file__).with_name("digests.py")
    environment = {
        **ENVIRONMENT,
        "PYTHONHASHSEED": str(hash_seed),
        "PYTHONMALLOC": ALLOCATORS[hash_seed % 2],
    }
    done = subprocess.run(
        [python, script, *names],
        env=environment,
        capture_output=True,
        text=True,
        timeout=LIMIT_S,
        check=False,
    )
    assert done.returncode == 0, done.stderr
    return done.stdout


def test_a_dozen_processes_tell_one_story():
    """More processes than cores: they also load the machine for each other."""
    with ThreadPoolExecutor(4) as threads:
        told = list(threads.map(lambda seed: digests(seed, NAMES), range(PROCESSES)))
    assert len(told) == PROCESSES
    assert set(told) == {told[0]}
    assert told[0].count("\n") == len(NAMES)


@pytest.mark.parametrize("version", ["3.11", "3.12", "3.13", "3.14"])
def test_other_releases_of_python_tell_it_as_well(version):
    python = shutil.which(f"python{version}")
    if python is None or versions(python) != versions(sys.executable):
        pytest.skip(f"there is no Python {version} with the libraries that are used here")
    assert digests(1, NAMES, python) == digests(1, NAMES)


def versions(python):
    """Those of the libraries that decide what happens, or nothing if it can't run the harness."""
    probe = "import harness.runner, trio, h11, ssl; print(trio.__version__, h11.__version__)"
    done = subprocess.run(
        [python, "-c", f"{probe}; print(ssl.OPENSSL_VERSION)"],
        env=ENVIRONMENT,
        capture_output=True,
        text=True,
        timeout=LIMIT_S,
        check=False,
    )
    return done.stdout if done.returncode == 0 else None


def test_a_run_is_the_same_the_second_time_in_one_process():
    root = bundled_root()
    for name in ("idle/fin/race", "tls/certificate/every_other"):
        scenario = read_file(root / f"{name}.yaml", root)
        first, again = (run_scenario(scenario, fabric="virtual").history.to_jsonl() for _ in "ab")
        assert first == again


def test_another_seed_tells_another_story():
    root = bundled_root()
    scenario = read_file(root / "idle/fin/race.yaml", root)
    stories = {
        run_scenario(scenario, fabric="virtual", seed=s).history.to_jsonl() for s in range(5)
    }
    assert len(stories) > 1
