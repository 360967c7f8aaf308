"""The README's first five minutes, and its client, followed word by word."""

import os
import re
import subprocess
import sys
from pathlib import Path

import pytest

README = (Path(__file__).parent.parent / "README.md").read_text()
LIMIT_S = 180.0


def block(name: str) -> str:
    """What stands between a marker and its end."""
    (found,) = re.findall(rf"<!-- {name} -->\n(.*?)<!-- end -->", README, re.DOTALL)
    return found


def commands(name: str) -> list[str]:
    return [line.strip() for line in block(name).splitlines() if line.strip()]


@pytest.fixture(scope="module")
def home(tmp_path_factory):
    return tmp_path_factory.mktemp("home")


def follow(home: Path, folder: Path, *lines: str) -> subprocess.CompletedProcess[str]:
    """What a shell says that has the environment of this test."""
    ours = str(Path(sys.executable).parent)
    env = {**os.environ, "HOME": str(home), "PATH": f"{ours}{os.pathsep}{os.environ['PATH']}"}
    env = {name: value for name, value in env.items() if not name.startswith("PYTEST")}
    return subprocess.run(
        ["bash", "-euc", "\n".join(lines)],
        cwd=folder,
        env=env,
        capture_output=True,
        text=True,
        timeout=LIMIT_S,
        check=False,
    )


@pytest.mark.skipif(os.name != "posix", reason="the steps are written for a POSIX shell")
def test_the_first_five_minutes_go_as_the_readme_says(home):
    install, *first = commands("first")
    assert install.endswith("pip install -q '.[pytest]' && . .venv/bin/activate")
    made = follow(home, home, *first)
    assert made.returncode == 0, made.stdout + made.stderr
    folder = home / "chaos-first"
    passed = follow(home, folder, *commands("pass"))
    assert passed.returncode == 0, passed.stdout + passed.stderr
    failed = follow(home, folder, *commands("break"))
    assert failed.returncode == 1, failed.stdout + failed.stderr
    assert "harness run" in failed.stdout
    (folder / "test_by_hand.py").write_text(
        block("by hand").split("```python\n")[1].rpartition("```")[0]
    )
    by_hand = follow(home, folder, "pytest test_by_hand.py")
    assert by_hand.returncode == 0, by_hand.stdout + by_hand.stderr


def test_the_readmes_client_runs(home, tmp_path):
    (client,) = [
        part
        for part in re.findall(r"```python\n(.*?)```", README, re.DOTALL)
        if "class MyClient" in part
    ]
    (tmp_path / "my_client.py").write_text(client)
    done = follow(home, tmp_path, "harness run idle/fin/noticed --client my_client.py:MyClient")
    assert done.returncode == 0, done.stdout + done.stderr
