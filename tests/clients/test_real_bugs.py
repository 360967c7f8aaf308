"""Real bugs: each scenario of the table fails with the version that has the bug, not with the next.

The table is always read. To run it, name a folder for the virtual environments, as in
``REAL_BUGS=~/bugs pytest tests/clients/test_real_bugs.py``: what is missing there is installed
from the package index, and stays for the next time.
"""

import os
import re
import shutil
import subprocess
from pathlib import Path

import pytest
from ruamel.yaml import YAML

from harness.checks import Verdict
from harness.choice import ClientChoice
from harness.clients import all_clients
from harness.runner import run_scenario
from harness.scenario import bundled_root, read_file

PAIRS = YAML(typ="safe").load(Path(__file__).with_name("real_bugs.yaml"))
KEYS = {"client", "bug", "shows", "scenario", "python", "buggy", "fixed"}
ROUNDS = 3
INSTALL_LIMIT_S = 300


def name_of(pair):
    return f"{pair['client']}-{pair['scenario']}-{pair['buggy'][0]}"


each_pair = pytest.mark.parametrize("pair", PAIRS, ids=name_of)


def file_of(pair):
    return bundled_root() / f"{pair['scenario']}.yaml"


def distribution(pin):
    return re.match(r"[\w.\[\]-]+", pin)[0]


@pytest.fixture(scope="module")
def home():
    folder = os.environ.get("REAL_BUGS")
    if not folder:
        pytest.skip("REAL_BUGS names no folder for virtual environments")
    return Path(folder)


def interpreter(version):
    """A Python of this version: on the path, or one that pyenv has installed."""
    found = shutil.which(f"python{version}")
    if found and subprocess.run([found, "-V"], capture_output=True, check=False).returncode == 0:
        return found
    installed = sorted(Path.home().glob(f".pyenv/versions/{version}.*/bin/python"))
    if not installed:
        pytest.skip(f"there is no python{version} here")
    return str(installed[-1])


def environment(home, version, pins):
    """The interpreter of a virtual environment with these distributions; made if it isn't there."""
    folder = home / re.sub(r"[^\w.]+", "-", "-".join(pins)).strip("-")
    python, complete = folder / "bin" / "python", folder / "complete"
    if not complete.exists():
        shutil.rmtree(folder, ignore_errors=True)
        run([interpreter(version), "-m", "venv", str(folder)])
        run([str(python), "-m", "pip", "install", "--quiet", "--prefer-binary", *pins])
        complete.touch()
    return str(python)


def run(command):
    subprocess.run(command, check=True, timeout=INSTALL_LIMIT_S)


def results(pair, python):
    scenario = read_file(file_of(pair), bundled_root())
    choice = ClientChoice(pair["client"], python=python)
    return [run_scenario(scenario, choice, ordinal=number + 1) for number in range(ROUNDS)]


def told(result):
    return result.setup_error or [f"{f.check}: {f.actual}" for f in result.failures]


@each_pair
def test_the_table_names_clients_and_scenarios_that_there_are(pair):
    assert pair.keys() == KEYS
    assert ClientChoice(pair["client"]).base in all_clients()
    assert file_of(pair).is_file()


@each_pair
def test_a_pair_differs_in_versions_alone(pair):
    assert pair["buggy"] != pair["fixed"]
    assert [*map(distribution, pair["buggy"])] == [*map(distribution, pair["fixed"])]


def test_every_library_has_a_bug_in_the_table():
    libraries = {distribution(pin) for pair in PAIRS for pin in pair["buggy"]}
    assert libraries >= {
        "aiohttp",
        "asyncpg",
        "django",
        "httpcore",
        "httpx",
        "psycopg_pool",
        "redis",
        "requests",
        "sqlalchemy",
        "urllib3",
    }


@each_pair
def test_the_scenario_fails_with_the_bug_and_passes_without(pair, home):
    fixed = results(pair, environment(home, pair["python"], pair["fixed"]))
    assert [told(r) for r in fixed if r.verdict is not Verdict.PASS] == []
    buggy = results(pair, environment(home, pair["python"], pair["buggy"]))
    assert [r.verdict for r in buggy] == [Verdict.FAIL] * ROUNDS
