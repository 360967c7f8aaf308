"""``harness doctor --clean``: what a killed run has left goes, and nothing else does."""

import os
import signal
import subprocess
import sys
import tempfile
from contextlib import suppress
from pathlib import Path

import pytest

from harness.cli import clean as cleaning
from harness.cli.clean import clean
from harness.marking import KINDS, MARK, marked, own_mark, started

pytestmark = pytest.mark.skipif(sys.platform != "linux", reason="needs Linux's /proc")

LIMIT_S = 20
NOBODY = "4194305:1"
"""A mark that no process ever has: the number is above the kernel's largest."""
LIVES = "import time; print('up', flush=True); time.sleep(600)"
STUBBORN = "import signal; signal.signal(signal.SIGTERM, signal.SIG_IGN); " + LIVES


@pytest.fixture
def start(monkeypatch):
    """Starts a process with a mark; of all processes, only such ones are looked at."""
    begun = []

    def begin(mark, program=LIVES):
        env = os.environ | {MARK: mark} if mark else None
        process = subprocess.Popen(
            [sys.executable, "-c", program], env=env, stdout=subprocess.PIPE, text=True
        )
        begun.append(process)
        assert process.stdout.readline() == "up\n"
        return process

    monkeypatch.setattr(cleaning, "_numbers", lambda: [process.pid for process in begun])
    yield begin
    for process in begun:
        process.kill()
        process.communicate()


@pytest.fixture
def temporary(monkeypatch, tmp_path):
    monkeypatch.setattr(tempfile, "tempdir", str(tmp_path))
    return tmp_path


def is_up(process):
    return process.poll() is None


def test_nothing_was_left(harness, start, temporary):
    done = harness("doctor", "--clean")
    assert (done.stdout, done.exit_code) == ("nothing was left\n", 0)


def test_a_process_whose_harness_is_gone_is_ended_and_named(start, temporary):
    left = start(NOBODY)
    (line,) = clean(only_list=False)
    assert line.startswith(f"ended process {left.pid}: {sys.executable} -c import time")
    assert left.wait(LIMIT_S) == -signal.SIGTERM
    assert clean(only_list=False) == []


def test_one_that_does_not_listen_is_killed(start, temporary, monkeypatch):
    monkeypatch.setattr(cleaning, "END_LIMIT_S", 0.1)
    left = start(NOBODY, STUBBORN)
    clean(only_list=False)
    assert left.wait(LIMIT_S) == -signal.SIGKILL


def test_processes_of_a_harness_that_lives_and_of_nobody_stay(start, temporary):
    ours, strangers, odd = start(own_mark()), start(""), start("nonsense")
    assert clean(only_list=False) == []
    assert all(map(is_up, (ours, strangers, odd)))


def test_only_listed_it_stays(harness, start, temporary):
    left = start(NOBODY)
    folder = temporary / "chaos-postgres-4194305-1-xyz"
    folder.mkdir()
    done = harness("doctor", "--clean", "--dry-run")
    first, second = done.stdout.splitlines()
    assert first.startswith(f"would end process {left.pid}: ")
    assert second == f"would remove {folder}"
    assert done.exit_code == 0
    assert is_up(left)
    assert folder.is_dir()


def test_dry_run_alone_is_a_mistake(harness):
    done = harness("doctor", "--dry-run")
    assert done.exit_code == 3
    assert "say --clean as well" in done.output


def test_who_asks_and_whoever_started_them_are_never_ended():
    looked_at = set(cleaning._numbers())
    assert os.getpid() not in looked_at
    assert os.getppid() not in looked_at


@pytest.mark.parametrize("kind", KINDS)
def test_files_and_folders_of_a_harness_that_is_gone_are_removed(temporary, start, kind):
    folder, file = temporary / f"{kind}-4194305-1-a", temporary / f"{kind}-4194305-1-b.pem"
    (folder / "data").mkdir(parents=True)
    (folder / "data" / "file").touch()
    file.touch()
    assert clean(only_list=False) == [f"removed {folder}", f"removed {file}"]
    assert list(temporary.iterdir()) == []


def test_other_files_stay(temporary, start):
    mine = own_mark().replace(":", "-")
    names = [f"chaos-postgres-{mine}-a", "chaos-postgres-old", "somebody-4194305-1-else"]
    for name in names:
        (temporary / name).touch()
    assert clean(only_list=False) == []
    assert len(list(temporary.iterdir())) == len(names)


def test_a_link_goes_and_what_it_points_to_stays(temporary, start, tmp_path_factory):
    treasure = tmp_path_factory.mktemp("treasure") / "kept"
    treasure.touch()
    (temporary / "chaos-redis-4194305-1-a").symlink_to(treasure.parent)
    assert len(clean(only_list=False)) == 1
    assert treasure.exists()


def test_what_a_killed_harness_started_is_found_by_its_mark(start, temporary, monkeypatch):
    program = (
        "import os, subprocess, sys; from harness.marking import marked; "
        "child = subprocess.Popen([sys.executable, '-c', 'import time; time.sleep(600)'], "
        "env=marked(), start_new_session=True, stdin=-3, stdout=-3, stderr=-3); "
        "print(child.pid, flush=True); os.kill(os.getpid(), 9)"
    )
    done = subprocess.run(
        [sys.executable, "-c", program],
        capture_output=True,
        text=True,
        check=False,
        timeout=LIMIT_S,
        env=marked() | {"PYTHONPATH": str(Path(cleaning.__file__).parents[2])},
    )
    orphan = int(done.stdout)
    monkeypatch.setattr(cleaning, "_numbers", lambda: [orphan])
    try:
        assert started(orphan) is not None
        (line,) = clean(only_list=False)
        assert line.startswith(f"ended process {orphan}: ")
        assert started(orphan) is None
    finally:
        with suppress(ProcessLookupError):
            os.kill(orphan, signal.SIGKILL)
