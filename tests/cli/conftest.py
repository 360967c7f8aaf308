"""A folder of scenarios of its own for each test, and the command in this process."""

import sys
from pathlib import Path

import pytest
from click.testing import CliRunner

sys.path.insert(0, str(Path(__file__).parent))
sys.path.insert(0, str(Path(__file__).parents[1] / "report"))

from harness.cli import main

SCENARIO = """scenario: {name}
about: >
  A caller calls. Nothing
  breaks.
level: {level}
recovery: false
workload:
  - {{phase: work, callers: 2, calls: {calls}}}
expect:
  errors: 0
"""


def write(folder, name, level="must", calls=4):
    path = folder / "scenarios" / f"{name}.yaml"
    path.parent.mkdir(parents=True, exist_ok=True)
    path.write_text(SCENARIO.format(name=path.stem, level=level, calls=calls))
    return path


@pytest.fixture
def here(tmp_path, monkeypatch):
    """A current directory with two scenarios, a/one and b/two."""
    monkeypatch.chdir(tmp_path)
    write(tmp_path, "a/one")
    write(tmp_path, "b/two", level="should")
    return tmp_path


@pytest.fixture
def harness():
    """Calls the command: ``harness("run", "a/one").exit_code``."""

    def call(*args):
        return CliRunner().invoke(main, [str(arg) for arg in args], prog_name="harness")

    return call


@pytest.fixture
def write_scenario():
    return write
