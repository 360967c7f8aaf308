"""The tree checks itself: what it says of itself is so."""

import re
import subprocess
import sys
import tomllib
from pathlib import Path

import pytest

from harness.checks import all_checks
from harness.faults import all_faults
from harness.scenario import bundled_root, explain, files_below, listing, read_file, read_text
from harness.scenario import words as explained_words

ROOT = Path(__file__).parent.parent
SOURCES = sorted((ROOT / "harness").rglob("*.py"))
LINES_LIMIT = 400
README = (ROOT / "README.md").read_text()
SCENARIOS = files_below(bundled_root())
IDS = [str(path.relative_to(bundled_root())) for path in SCENARIOS]


def test_bundled_scenarios_are_many_and_in_families():
    assert len(SCENARIOS) >= 40
    assert len({path.parts[len(bundled_root().parts)] for path in SCENARIOS}) >= 10


@pytest.mark.parametrize("path", SCENARIOS, ids=IDS)
def test_a_bundled_scenario_reads_without_a_note_and_says_what_it_is_about(path):
    scenario = read_file(path, bundled_root())
    assert scenario.id == str(path.relative_to(bundled_root()).with_suffix(""))
    assert scenario.notes == ()
    assert len(scenario.about) > 40
    assert scenario.checks


def test_the_readme_shows_a_scenario_that_reads():
    (example,) = re.findall(r"```yaml\n(.*?)```", README, re.DOTALL)
    assert read_text(example, file="README.md").checks


def test_the_readme_has_one_command_to_run_and_one_to_test():
    commands = re.findall(r"<!-- (?:run|tests) -->\n +(.*)\n<!-- end -->", README)
    assert len(commands) == 2
    assert all(command.startswith("python3 -m venv .venv && ") for command in commands)


def test_the_readme_shows_python_that_compiles():
    blocks = re.findall(r"```python\n(.*?)```", README, re.DOTALL)
    assert blocks
    for block in blocks:
        compile(block, "README.md", "exec")


@pytest.mark.parametrize("word", sorted(explained_words()))
def test_every_public_word_has_a_page(word):
    assert explain(word).summary


def test_every_fault_check_and_trigger_is_listed():
    assert {row.word for row in listing("faults")} == set(all_faults())
    assert {row.word for row in listing("checks")} == set(all_checks())
    assert {row.word for row in listing("triggers")} <= set(explained_words())


def test_every_fault_is_used_by_a_bundled_scenario():
    used = {spec.name for path in SCENARIOS for spec in read_file(path, bundled_root()).faults}
    assert set(all_faults()) - used == set()


def test_every_check_is_used_by_a_bundled_scenario():
    used = {check.NAME for path in SCENARIOS for check in read_file(path, bundled_root()).checks}
    always_on = {name for name, check in all_checks().items() if check.GROUP == "meta"}
    assert set(all_checks()) - used - always_on == set()


@pytest.mark.parametrize("path", SOURCES, ids=[str(p.relative_to(ROOT)) for p in SOURCES])
def test_a_file_is_short_enough_to_be_read_in_one_go(path):
    assert len(path.read_text().splitlines()) <= LINES_LIMIT


def test_no_file_is_called_utils():
    assert [path for path in SOURCES if "util" in path.stem] == []


def test_every_dependency_is_imported_somewhere():
    project = tomllib.loads((ROOT / "pyproject.toml").read_text())["project"]
    text = "\n".join(path.read_text() for path in SOURCES)
    for dependency in project["dependencies"]:
        name = re.split(r"[><=\[]", dependency)[0].replace("-", "_")
        assert re.search(rf"^\s*(?:import|from) {name.split('_yaml')[0]}", text, re.MULTILINE), name


def test_python_minus_m_is_the_command():
    out = subprocess.run(
        [sys.executable, "-m", "harness", "--version"],
        check=True,
        capture_output=True,
        text=True,
        cwd=ROOT,
    )
    assert "0.1.0" in out.stdout
