"""The Vagrantfile: valid, and what it says of this project is so."""

import os
import re
import shutil
import subprocess
import tomllib
from pathlib import Path

import click
import pytest

from harness.cli import main

ROOT = Path(__file__).parent.parent
VAGRANTFILE = (ROOT / "Vagrantfile").read_text()
PROJECT = tomllib.loads((ROOT / "pyproject.toml").read_text())["project"]
LIMIT_S = 120.0
DEBIANS_PYTHON = {"12": (3, 11), "13": (3, 13)}
"""https://packages.debian.org/python3"""


def provisioner() -> str:
    """What the shell of the box is told to do."""
    (found,) = re.findall(r"<<~'SHELL'\n(.*?)\nSHELL$", VAGRANTFILE, re.DOTALL | re.MULTILINE)
    return found


def needs(program: str) -> str:
    """The path of a program; skips the test where it isn't installed."""
    path = shutil.which(program)
    if path is None:
        pytest.skip(f"{program} is not installed here")
    return path


def ask(*command: str, text: str | None = None, **env: str) -> subprocess.CompletedProcess[str]:
    """What a program says, both of its outputs in one."""
    return subprocess.run(
        command,
        input=text,
        env={**os.environ, **env},
        stdout=subprocess.PIPE,
        stderr=subprocess.STDOUT,
        text=True,
        timeout=LIMIT_S,
        check=False,
    )


def test_vagrant_finds_no_mistake(tmp_path):
    vagrant = needs("vagrant")
    env = {
        "VAGRANT_CHECKPOINT_DISABLE": "1",  # no look for a newer Vagrant
        "VAGRANT_CWD": str(ROOT),
        "VAGRANT_DOTFILE_PATH": str(tmp_path / "dotfile"),
        "VAGRANT_HOME": str(tmp_path / "home"),
    }
    said = ask(vagrant, "validate", **env)
    if "No usable default provider" in said.stdout:
        said = ask(vagrant, "validate", "--ignore-provider", **env)
    assert said.returncode == 0, said.stdout
    assert "validated successfully" in said.stdout


def test_ruby_can_read_the_file():
    said = ask(needs("ruby"), "-wc", str(ROOT / "Vagrantfile"))
    assert said.returncode == 0, said.stdout
    assert said.stdout.strip() == "Syntax OK"


def test_a_posix_shell_can_read_the_provisioner():
    said = ask(needs("sh"), "-n", text=provisioner())
    assert said.returncode == 0, said.stdout


def test_the_commands_it_names_exist():
    lines = re.findall(r"'harness ([^']+)'", VAGRANTFILE)
    assert "doctor" in lines
    assert "run --on netns" in lines
    for name, *arguments in map(str.split, lines):
        command = main.get_command(click.Context(main), name)
        assert command is not None, name
        command.make_context(name, arguments)


def test_it_installs_extras_that_exist():
    (extra,) = re.findall(r"pip install .*'/vagrant\[(\w+)\]'", provisioner())
    assert extra in PROJECT["optional-dependencies"]


def test_the_boxes_python_is_new_enough():
    minimum = tuple(map(int, PROJECT["requires-python"].removeprefix(">=").split(".")))
    releases = re.findall(r'"[\w-]+/debian-(\d+)"', VAGRANTFILE)
    assert releases
    assert all(DEBIANS_PYTHON[release] >= minimum for release in releases)


def test_a_copy_leaves_out_environments_and_history():
    (patterns,) = re.findall(r"rsync__exclude: \[(.*?)\]", VAGRANTFILE)
    assert {".git/", ".venv/"} <= set(re.findall(r'"(.*?)"', patterns))
