"""What is built is complete: the wheel runs from an empty folder."""

import subprocess
import sys
import zipfile
from pathlib import Path

import pytest

ROOT = Path(__file__).parent.parent
TEMPLATES = ROOT / "harness" / "cli" / "templates"


@pytest.fixture(scope="module")
def wheel(tmp_path_factory):
    folder = tmp_path_factory.mktemp("wheel")
    command = [sys.executable, "-m", "pip", "wheel", "-q", "--no-deps", "-w", str(folder), "."]
    subprocess.run(command, check=True, cwd=ROOT)
    (path,) = folder.glob("chaos_harness-*.whl")
    return path


def test_the_wheel_holds_every_bundled_scenario_and_nothing_of_the_tests(wheel):
    names = zipfile.ZipFile(wheel).namelist()
    bundled = {n.removeprefix("harness/bundled/") for n in names if n.endswith(".yaml")}
    root = ROOT / "scenarios"
    assert bundled == {str(path.relative_to(root)) for path in root.rglob("*.yaml")}
    page = {f"harness/report/html/{name}" for name in ("style.css", "script.js")}
    assert {"harness/py.typed", *page} <= set(names)
    assert {f"harness/cli/templates/{path.name}" for path in TEMPLATES.iterdir()} <= set(names)
    assert not [name for name in names if "tests/" in name or "/test_" in name]


def test_the_installed_wheel_runs_bundled_scenarios_in_an_empty_folder(wheel, tmp_path):
    subprocess.run([sys.executable, "-m", "venv", tmp_path / "venv"], check=True)
    binaries = tmp_path / "venv" / ("Scripts" if sys.platform == "win32" else "bin")
    subprocess.run([binaries / "python", "-m", "pip", "install", "-q", wheel], check=True)
    empty = tmp_path / "empty"
    empty.mkdir()
    done = subprocess.run(
        [binaries / "harness", "run", "idle/fin/noticed"],
        check=False,
        capture_output=True,
        text=True,
        cwd=empty,
    )
    assert done.returncode == 0, done.stdout + done.stderr
    assert "1 passed" in done.stdout
    assert list(empty.iterdir()) == []
