"""The command as users start it: real processes, pipes, signals and a terminal."""

import os
import select
import signal
import subprocess
import sys
from pathlib import Path

import pytest

REPO = Path(__file__).parents[2]
COMMAND = [sys.executable, "-m", "harness"]
pytestmark = pytest.mark.skipif(sys.platform == "win32", reason="signals and terminals of POSIX")


def environment(**changes):
    inherited = {k: v for k, v in os.environ.items() if k not in {"NO_COLOR", "COLUMNS"}}
    return inherited | {"PYTHONPATH": str(REPO), "TERM": "xterm-256color"} | changes


def start(*args, cwd, **changes):
    return subprocess.Popen(
        [*COMMAND, *args],
        cwd=cwd,
        env=environment(**changes),
        stdout=subprocess.PIPE,
        stderr=subprocess.PIPE,
        text=True,
    )


def on_terminal(*args, cwd, **changes):
    """Everything the command writes to a terminal of 80 columns, and its exit code."""
    pty = pytest.importorskip("pty")
    ours, theirs = pty.openpty()
    process = subprocess.Popen(
        [*COMMAND, *args],
        cwd=cwd,
        env=environment(COLUMNS="80", **changes),
        stdin=theirs,
        stdout=theirs,
        stderr=theirs,
    )
    os.close(theirs)
    written = b""
    while select.select([ours], [], [], 20)[0]:
        try:
            written += os.read(ours, 65536)
        except OSError:  # Linux says EIO when the other side is gone
            break
    os.close(ours)
    return written.decode(), process.wait(timeout=20)


def test_a_pipe_gets_plain_lines_and_the_exit_code_is_the_verdict(here):
    process = start("run", "a", cwd=here)
    out, err = process.communicate(timeout=20)
    assert process.returncode == 0, err
    assert out.startswith("pass     a/one  calls=4 errors=0 ")
    assert "\x1b" not in out + err


def test_a_terminal_gets_the_table_in_colour(here):
    text, code = on_terminal("run", "a", cwd=here)
    assert code == 0
    assert "scenario" in text
    assert "a/one" in text
    assert "\x1b[32m" in text


def test_no_color_is_respected_on_a_terminal(here):
    coloured, _ = on_terminal("list", "faults", cwd=here)
    bare, code = on_terminal("list", "faults", cwd=here, NO_COLOR="1")
    assert code == 0
    assert "\x1b[1m" in coloured
    assert "\x1b" not in bare


def test_a_dumb_terminal_gets_plain_lines(here):
    text, _ = on_terminal("run", "a", cwd=here, TERM="dumb")
    assert "pass     a/one  calls=4" in text
    assert "\x1b" not in text


def test_a_reader_who_leaves_early_causes_no_complaint(here):
    shell = f"{sys.executable} -m harness list faults | true; exit ${{PIPESTATUS[0]}}"
    done = subprocess.run(
        ["bash", "-c", f"sleep 0; {shell}"],
        cwd=here, env=environment(), capture_output=True, text=True, timeout=20, check=False,
    )  # fmt: skip
    assert done.stderr == ""
    assert done.returncode in {0, 141}


def test_an_encoding_without_unicode_is_no_reason_to_fail(here):
    process = start("run", "a", cwd=here, PYTHONIOENCODING="ascii")
    out, err = process.communicate(timeout=20)
    assert process.returncode == 0, err
    assert out.isascii()


@pytest.mark.parametrize(
    ("number", "code", "word", "jobs"),
    [
        (signal.SIGINT, 130, "interrupted", "1"),
        (signal.SIGTERM, 143, "terminated", "1"),
        (signal.SIGINT, 130, "interrupted", "2"),
    ],
)
def test_a_signal_ends_it_cleanly(here, write_scenario, number, code, word, jobs):
    long = write_scenario(here, "long/one", calls=4)
    text = long.read_text().replace("expect:", "  - {phase: wait, pause: 30s}\nexpect:")
    for name in ("one", "two"):
        (here / f"scenarios/long/{name}.yaml").write_text(text)
    process = start("run", "a", "long", "--jobs", jobs, cwd=here)
    assert process.stdout is not None
    assert process.stdout.readline().startswith("pass     a/one")  # so it's under way
    process.send_signal(number)
    out, err = process.communicate(timeout=20)
    assert process.returncode == code, err
    assert err == f"{word}\n"
    assert out.endswith("stopped after 1 of 3 runs\n")
