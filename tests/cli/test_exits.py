"""What ends a command becomes a message and an exit code."""

import io
import signal

import click
import pytest

from harness.cli.exits import Stops, code_for, leaves, stoppable, tolerant
from harness.errors import InputError, Problem, SetupError


class Interrupted(KeyboardInterrupt):
    number = signal.SIGTERM


@pytest.mark.parametrize(
    ("error", "code", "said"),
    [
        (InputError("a is wrong", "b is wrong"), 3, "a is wrong\nb is wrong\n"),
        (ExceptionGroup("", [InputError("a"), InputError("b")]), 3, "a\nb\n"),
        (ExceptionGroup("", [InputError("a"), InputError("a")]), 3, "a\n"),
        (SetupError("port 80 is taken"), 4, "set-up failed: port 80 is taken\n"),
        (ExceptionGroup("", [ExceptionGroup("", [SetupError("x")])]), 4, "set-up failed: x\n"),
        (KeyboardInterrupt(), 130, "interrupted\n"),
        (click.Abort(), 130, "interrupted\n"),
        (Interrupted(), 143, "terminated\n"),
        (BaseExceptionGroup("", [KeyboardInterrupt(), ValueError()]), 130, "interrupted\n"),
        (BrokenPipeError(), 141, ""),
    ],
)
def test_each_end_has_its_code_and_its_message(capsys, error, code, said):
    assert code_for(error, Stops()) == code
    assert capsys.readouterr().err == said


@pytest.mark.parametrize(
    "error", [ValueError("x"), ExceptionGroup("", [InputError("a"), ValueError("x")])]
)
def test_a_bug_of_ours_shows_its_traceback_and_is_no_verdict(capsys, error):
    assert code_for(error, Stops()) == 70
    said = capsys.readouterr().err
    assert "ValueError: x" in said
    assert "This is a bug of chaos-harness" in said


def test_a_problem_says_where_it_is(capsys):
    problem = Problem("no", hint="yes", path="seed", file="a.yaml", line=3, column=7)
    code_for(InputError(problem), Stops())
    assert capsys.readouterr().err == "a.yaml:3:7: seed: no; yes\n"


def test_sigterm_interrupts_like_ctrl_c_and_is_remembered():
    def terminated():
        signal.raise_signal(signal.SIGTERM)

    before = signal.getsignal(signal.SIGTERM)
    with stoppable() as stops:
        with pytest.raises(KeyboardInterrupt):
            terminated()
        assert code_for(KeyboardInterrupt(), stops) == 143
    assert signal.getsignal(signal.SIGTERM) is before


def test_a_group_has_the_leaves_of_its_groups():
    one, two = ValueError(), TypeError()
    group = ExceptionGroup("", [one, ExceptionGroup("", [two])])
    assert list(leaves(group)) == [one, two]


def test_a_character_the_stream_does_not_know_is_written_out():
    raw = io.BytesIO()
    stream = io.TextIOWrapper(raw, encoding="ascii")
    tolerant([stream])
    stream.write("漢")
    stream.flush()
    assert raw.getvalue() == b"\\u6f22"
