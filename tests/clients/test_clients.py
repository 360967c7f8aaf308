import asyncio
import errno
import ssl

import h11
import pytest
import trio

from harness.clients import Abandoned, Settings, all_clients, card_of, load_client, outcome_of
from harness.errors import CallFailed, ConnectFailed, InputError, PoolTimeout


def test_shipped_clients_are_found_by_name():
    clients = all_clients()
    assert {"reference", "naive"} <= set(clients)
    for name, card in clients.items():
        assert card_of(load_client(name), file=card.file).class_name == card.class_name
        assert card.summary.endswith(".")


def test_a_file_and_class_is_a_client(tmp_path):
    path = tmp_path / "mine.py"
    path.write_text(GOOD)
    assert load_client(f"{path}:Good").__name__ == "Good"


def test_a_client_may_import_what_lies_beside_it(tmp_path):
    (tmp_path / "lying_beside.py").write_text("X = 1\n")
    (tmp_path / "mine.py").write_text("import lying_beside\n" + GOOD)
    load_client(f"{tmp_path / 'mine.py'}:Good")


def test_what_a_file_prints_on_import_does_not_reach_standard_output(tmp_path, capsys):
    (tmp_path / "mine.py").write_text("print('noise')\n" + GOOD)
    load_client(f"{tmp_path / 'mine.py'}:Good")
    captured = capsys.readouterr()
    assert (captured.out, captured.err) == ("", "noise\n")


GOOD = """
class Good:
    async def open(self, settings): ...
    async def call(self, call): return b""
    async def close(self): ...
"""


@pytest.mark.parametrize(
    ("text", "name", "says"),
    [
        ("class A:\n    async def open(self, s): ...\n", "A", "A has no method 'call'"),
        (GOOD + "    RUNS_ON = 'curio'\n", "Good", "Good can't run on 'curio'; RUNS_ON is 'trio'"),
        (GOOD.replace("async def call", "def call"), "Good", "Good.call is not a coroutine"),
        (GOOD.replace("close(self)", "close(self, x)"), "Good", "Good.close must take no arg"),
        (GOOD + "    def __init__(self, x): ...\n", "Good", r"Good\(\) can't be made without"),
        (GOOD, "Goood", "no class 'Goood'; did you mean 'Good'"),
        ("x = 1\n\n1 / 0\n", "A", r"mine.py:3:1: importing it raised ZeroDivisionError"),
        ("x = (\n", "A", r"mine.py:1:5: '\(' was never closed"),
        ("import sys\nsys.exit(3)\n", "A", "mine.py:2:1: importing it raised SystemExit"),
        ("import no_such_module\n", "A", "No module named 'no_such_module'"),
    ],
)
def test_a_client_that_cannot_be_used_is_an_error_that_says_why(tmp_path, text, name, says):
    path = tmp_path / "mine.py"
    path.write_text(text)
    with pytest.raises(InputError, match=says):
        load_client(f"{path}:{name}")


@pytest.mark.parametrize(
    ("choice", "says"),
    [
        ("naiv", "did you mean 'naive'"),
        ("nowhere.py:A", "nowhere.py: there is no such file"),
        ("mine.py", "names no class"),
        ("mine.py:", "names no class"),
        (":A", "names no class"),
    ],
)
def test_a_choice_that_names_no_client_is_an_error(choice, says):
    with pytest.raises(InputError, match=says):
        load_client(choice)


def named(name, base=Exception):
    """A class of a library that isn't installed here."""
    return type(name, (base,), {})


@pytest.mark.parametrize(
    ("error", "certainty", "kind"),
    [
        (ConnectionRefusedError(errno.ECONNREFUSED, "x"), "failed", "refused"),
        (ConnectionResetError(errno.ECONNRESET, "x"), "unknown", "reset"),
        (trio.TooSlowError(), "unknown", "timeout"),
        (ssl.SSLError(1, "x"), "unknown", "tls"),
        (PoolTimeout("x"), "failed", "pool_timeout"),
        (ConnectFailed("x", kind="refused"), "failed", "refused"),
        (CallFailed("x", kind="reset", sent=True), "unknown", "reset"),
        (CallFailed("x", kind="reset", sent=False), "failed", "reset"),
        (Abandoned("x"), "unknown", "abandoned"),
        (ValueError("x"), "unknown", "other"),
        (h11.RemoteProtocolError("Server disconnected"), "unknown", "closed"),
        (h11.RemoteProtocolError("illegal status line"), "unknown", "protocol"),
        (asyncio.CancelledError(), "unknown", "cancelled"),
        (RuntimeError("Session is closed"), "unknown", "pool_closed"),
        (
            RuntimeError("Cannot send a request, as the client has been closed."),
            "unknown",
            "pool_closed",
        ),
        (
            named("ClientPayloadError")("<message='Not enough data to satisfy'>"),
            "unknown",
            "closed",
        ),
        (TimeoutError(), "unknown", "timeout"),
        (ConnectionResetError("Cannot write to closing transport"), "unknown", "closed"),
        (asyncio.IncompleteReadError(b"", 5), "unknown", "closed"),
        (OSError("Multiple exceptions: [Errno 111] no, [Errno 111] no"), "failed", "refused"),
        (named("PoolTimeout")("x"), "failed", "pool_timeout"),
        (named("ReadTimeout", named("TimeoutException"))("x"), "unknown", "timeout"),
    ],
)
def test_an_exception_stands_for_an_outcome(error, certainty, kind):
    outcome = outcome_of(error)
    assert (outcome.certainty, outcome.kind) == (certainty, kind)
    assert outcome.message


def test_the_cause_is_found_behind_what_wraps_it():
    wrapped = trio.BrokenResourceError("broken")
    wrapped.__cause__ = ConnectionResetError(errno.ECONNRESET, "x")
    assert outcome_of(wrapped).kind == "reset"


def test_what_a_library_calls_a_timeout_is_one_whatever_was_going_on():
    error = named("ConnectTimeout", named("TimeoutException"))("x")
    error.__context__ = ssl.SSLWantReadError(2, "the handshake wants more")
    assert outcome_of(error).kind == "timeout"


def test_the_cause_is_found_where_it_is_an_argument_but_not_where_it_is_hidden():
    hidden = RuntimeError("read failed")
    hidden.__context__ = ConnectionResetError(errno.ECONNRESET, "x")
    hidden.__suppress_context__ = True
    assert outcome_of(hidden).kind == "other"
    assert (
        outcome_of(RuntimeError(ConnectionRefusedError(errno.ECONNREFUSED, "x"))).kind == "refused"
    )


def test_settings_say_where_to_go():
    plain = Settings(host="127.0.0.1", port=80)
    assert plain.url == "http://127.0.0.1:80"
    assert plain.ssl_context() is None


def test_where_an_object_lies_is_no_part_of_a_message():
    outcome = outcome_of(RuntimeError("no reply for <Call object at 0x7f3a2b>"))
    assert outcome.message == "RuntimeError: no reply for <Call object>"
