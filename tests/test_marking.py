"""Marks of a harness: alive, dead, or not certain."""

import os
import signal
import subprocess
import sys

import pytest

from harness import marking
from harness.marking import KINDS, file_prefix, is_dead, mark_in, marked, own_mark, started

needs_proc = pytest.mark.skipif(started(os.getpid()) is None, reason="needs /proc")


def test_a_child_is_told_whose_it_is_besides_everything_else(monkeypatch):
    monkeypatch.setenv("ANYTHING", "else")
    monkeypatch.setenv(marking.MARK, "1:1")
    environment = marked()
    assert environment["ANYTHING"] == "else"
    assert environment[marking.MARK] == own_mark()
    assert own_mark().startswith(f"{os.getpid()}:")


@pytest.mark.parametrize("kind", KINDS)
def test_a_files_name_says_whose_it_is(kind):
    assert mark_in(f"{file_prefix(kind)}a8b_2.pem") == own_mark()


@pytest.mark.parametrize(
    "name", ["chaos-postgres-x1y2", "chaos-redis-12-x", "postgres-12-34-x", "chaos-ca-1-2", ""]
)
def test_other_names_have_no_mark(name):
    assert not mark_in(name)


def test_this_process_is_alive():
    assert not is_dead(own_mark())


@needs_proc
def test_another_process_with_the_same_number_is_not_the_one_that_died():
    assert is_dead(f"{os.getpid()}:1")


@needs_proc
def test_a_process_that_was_killed_is_dead_even_before_it_is_asked_about():
    child = subprocess.Popen([sys.executable, "-c", "input()"], stdin=subprocess.PIPE)
    with child:
        mark = f"{child.pid}:{started(child.pid)}"
        assert not is_dead(mark)
        child.send_signal(signal.SIGKILL)
        os.waitid(os.P_PID, child.pid, os.WEXITED | os.WNOWAIT)
        assert is_dead(mark), "ended, and its parent has not asked yet"
        child.wait()
        assert is_dead(mark)
        child.stdin.close()


@pytest.mark.parametrize("mark", ["", "7", "x:y", ":", "12:", "²:1"])
def test_what_is_no_mark_is_never_dead(mark):
    assert not is_dead(mark)
