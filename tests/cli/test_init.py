"""``harness init``: what it writes passes as it is, and fails once the client is broken."""

import os
import subprocess
import sys
from pathlib import Path

import pytest

from harness.cli.init import KINDS, TEMPLATES, chosen, contents

REPO = Path(__file__).parents[2]
RUN = ("-m", "harness", "run", "scenarios/", "--client", "my_client.py:MyClient")
PYTEST = ("-m", "pytest", "-q", "-p", "no:cacheprovider", "-p", "no:hypothesispytest")


def python(*args, cwd):
    environment = os.environ | {"PYTHONPATH": str(REPO), "PYTEST_ADDOPTS": ""}
    return subprocess.run(
        [sys.executable, *args],
        cwd=cwd,
        env=environment,
        capture_output=True,
        text=True,
        timeout=120,
        check=False,
    )


@pytest.fixture(scope="module")
def made(tmp_path_factory):
    folder = tmp_path_factory.mktemp("made")
    done = python("-m", "harness", "init", "mine", cwd=folder)
    assert done.returncode == 0, done.stderr
    assert "  cd mine && harness run scenarios/ --client my_client.py:MyClient\n" in done.stdout
    assert "  cd mine && pytest\n" in done.stdout
    return folder / "mine"


def test_what_it_writes_passes_as_it_is(made):
    assert {str(p.relative_to(made)) for p in made.rglob("*") if p.is_file()} == {
        "my_client.py",
        "scenarios/first.yaml",
        "test_my_client.py",
    }
    for command in (RUN, PYTEST):
        done = python(*command, cwd=made)
        assert done.returncode == 0, done.stdout + done.stderr
        assert "1 passed" in done.stdout


def test_a_broken_client_fails_with_the_finding(made, tmp_path):
    for path in made.rglob("*"):
        if path.is_file():
            copy = tmp_path / path.relative_to(made)
            copy.parent.mkdir(exist_ok=True)
            text = path.read_text(encoding="utf-8")
            looks = "if not reader.at_eof() and reader.exception() is None:"
            copy.write_text(text.replace(looks, "if True:  # never looks"), encoding="utf-8")
    assert "never looks" in (tmp_path / "my_client.py").read_text(encoding="utf-8")
    done = python(*PYTEST, cwd=tmp_path)
    assert done.returncode == 1, done.stdout + done.stderr
    assert "at most 0 errors before healing" in done.stdout
    assert "repeat with  harness run first --client my_client.py:MyClient --seed 1" in done.stdout
    assert "Traceback" not in done.stdout


@pytest.mark.parametrize("kind", KINDS, ids=lambda kind: "-".join(kind[:3]))
def test_every_kind_is_whole_and_names_what_it_is(kind):
    assert chosen(*kind[:3]) == kind
    files = contents(kind)
    client = files["my_client.py"]
    assert f'RUNS_ON = "{kind.runs_on}"' in client
    assert f"serve: {kind.protocol}" in files["scenarios/first.yaml"]
    assert not [name for name, text in files.items() if "{{" in text]
    for name, text in files.items():
        if name.endswith(".py"):
            compile(text, name, "exec")


def test_every_template_is_used():
    used = {kind.template for kind in KINDS} | {"first.yaml.txt", "pytest.py.txt"}
    assert used == {path.name for path in TEMPLATES.iterdir()}


def test_the_scenario_is_right_for_every_protocol(here, harness):
    for protocol in ("http", "postgres", "redis"):
        assert harness("init", protocol, "--protocol", protocol).exit_code == 0
        done = harness("validate", f"{protocol}/scenarios")
        assert done.exit_code == 0, done.output


def test_clients_of_other_kinds_pass_on_the_simulated_network(here, harness):
    for runs_on, client in (("trio", "plain"), ("asyncio", "httpx")):
        harness("init", runs_on, "--runs-on", runs_on, "--client", client)
        file = f"{runs_on}/my_client.py:MyClient"
        done = harness("run", f"{runs_on}/scenarios", "--client", file, "--on", "virtual")
        assert done.exit_code == 0, done.output


def test_files_that_are_there_stay_as_they_are(here, harness):
    (here / "my_client.py").write_text("mine")
    done = harness("init")
    assert done.exit_code == 3
    assert "my_client.py: this is there already; nothing was written" in done.output
    assert (here / "my_client.py").read_text() == "mine"
    assert not (here / "test_my_client.py").exists()
    assert not (here / "scenarios" / "first.yaml").exists()


@pytest.mark.parametrize(
    ("args", "told"),
    [
        (["--protocol", "htp"], "--protocol: unknown value 'htp'; did you mean 'http'?"),
        (["--runs-on", "asnycio"], "did you mean 'asyncio'?"),
        (["--client", "htpx"], "did you mean 'httpx'?"),
        (
            ["--protocol", "postgres", "--runs-on", "trio"],
            "there is no template for postgres, trio; write --runs-on asyncio --client asyncpg",
        ),
        (["my_file"], "my_file: this is no folder"),
    ],
)
def test_a_mistake_says_what_would_be_right(here, harness, args, told):
    (here / "my_file").touch()
    done = harness("init", *args)
    assert done.exit_code == 3
    assert told in done.output


def test_what_a_client_needs_and_is_missing_is_told(here, harness, monkeypatch):
    monkeypatch.setattr("harness.cli.init.find_spec", lambda _: None)
    done = harness("init", "a", "--protocol", "postgres", "--runs-on", "threads")
    assert "it needs a library: pip install 'psycopg[binary,pool]'" in done.output


@pytest.mark.skipif(sys.platform == "win32" or os.geteuid() == 0, reason="root may write anywhere")
def test_a_folder_that_can_t_be_written_is_the_machine_s(here, harness):
    (here / "locked").mkdir(mode=0o500)
    assert harness("init", "locked").exit_code == 4
