"""Clients that run outside this process: where each kind runs, and what is seen of it."""

from __future__ import annotations

import shlex
import shutil
import sys
from functools import cache
from pathlib import Path
from subprocess import run

import pytest

from harness.checks import Verdict
from harness.choice import ClientChoice
from harness.errors import InputError, SetupError
from harness.history import (
    CallCancelled,
    CallUnknown,
    ClientClosed,
    ClientFailed,
    Dialed,
    Leaked,
    RunEnded,
    RunStarted,
    SocketClosed,
)
from harness.runner import run_scenario

CLIENTS = Path(__file__).parent / "outside_clients.py"
PROGRAM = Path(__file__).parent.parent / "clients" / "programs" / "misbehaving.py"
VERSIONS = ("3.8", "3.9", "3.10", "3.11", "3.12", "3.13", "3.14")


def outside(name, **where):
    return ClientChoice(f"{CLIENTS}:{name}", **where)


def misbehaving(mode):
    return ClientChoice("", command=shlex.join([sys.executable, "-S", str(PROGRAM), mode]))


def findings(result):
    return {finding.check: finding for finding in result.findings}


@cache
def interpreter(version):
    """One of this version that works; a version manager's stand-in may not."""
    if sys.version.startswith(version + "."):
        return sys.executable
    managed = Path.home().glob(f".pyenv/versions/{version}.*/bin/python")
    for path in [*map(str, managed), shutil.which(f"python{version}")]:
        if path and run([path, "-S", "-c", ""], check=False, capture_output=True).returncode == 0:
            return path
    return None


@pytest.mark.parametrize("name", ["OnThreads", "OnAsyncio"])
def test_a_client_that_isn_t_trio_s_runs_on_loopback_in_a_process_of_its_own(name, mini):
    result = run_scenario(mini, outside(name))
    assert result.verdict is Verdict.PASS, result.failures
    assert (result.fabric, result.calls, result.errors) == ("loopback", 6, 0)
    dialed = {e.local_port for _, e in result.history.of(Dialed) if e.outcome == "ok"}
    assert dialed == {event.local_port for _, event in result.history.of(SocketClosed)} != set()
    started = result.history.first(RunStarted)
    assert "cancel" in started.supports


@pytest.mark.parametrize("version", VERSIONS)
def test_a_client_runs_in_any_python_from_3_8_on(version, mini):
    python = interpreter(version)
    name = ("OnThreads", "OnAsyncio")[VERSIONS.index(version) % 2]
    if python is None:
        pytest.skip(f"no Python {version} is installed here")
    result = run_scenario(mini, outside(name, python=python))
    assert result.verdict is Verdict.PASS, result.failures
    assert result.environment["client's python"].startswith(version + ".")
    assert f"--client {CLIENTS}:{name} --python {python} --seed 3" in result.command()


def test_a_client_on_trio_runs_in_another_interpreter_as_well(mini, client_file):
    result = run_scenario(mini, ClientChoice(client_file("pass"), python=sys.executable))
    assert result.verdict is Verdict.PASS, result.failures


@pytest.mark.parametrize("name", ["OnThreads", "OnAsyncio"])
def test_callers_are_cancelled_in_the_client_s_process(name, scenario):
    work = "[{phase: work, callers: 1, calls: 4, slow: 150ms, cancel: {after: 30ms}}]"
    result = run_scenario(scenario(workload=work, faults="[]"), outside(name))
    assert result.verdict is not Verdict.FAIL, result.failures
    cancelled = result.history.of(CallCancelled)
    assert len(cancelled) == 4
    assert {event.kind for _, event in result.history.of(CallUnknown)} == {"cancelled"}
    assert all(event.after_s >= 0.03 for _, event in cancelled)


def test_callers_on_asyncio_are_cancelled_at_steps(scenario):
    work = "[{phase: work, callers: 1, calls: 6, slow: 20ms, cancel: {step: 1, to: 6}}]"
    result = run_scenario(scenario(workload=work), outside("OnAsyncio"))
    assert result.verdict is not Verdict.FAIL, result.failures
    assert 2 <= len(result.history.of(CallCancelled)) <= 6


def test_tls_comes_with_the_authority_as_a_file(scenario):
    result = run_scenario(scenario(proxy="{tls: terminate}"), outside("OnThreads"))
    assert result.verdict is Verdict.PASS, result.failures


def test_a_client_is_idiomatic_if_it_was_chosen_so(scenario):
    brief = scenario(recovery="false")
    assert run_scenario(brief, outside("Idiomatic+idiomatic")).errors == 0
    assert run_scenario(brief, outside("Idiomatic")).errors > 0


@pytest.mark.skipif(sys.platform != "linux", reason="counted in /proc")
def test_what_a_client_leaves_open_is_counted_from_outside(mini):
    result = run_scenario(mini, outside("Leaky"))
    assert findings(result)["no_leaks"].verdict is Verdict.FAIL
    leaked = result.history.first(Leaked)
    assert (leaked.what, leaked.count) == ("sockets", 2)


def test_a_refused_call_counts_for_a_client_that_tells_no_connects(scenario):
    work = "[{phase: down, calls: 2}]"
    down = scenario(workload=work, faults="[{fault: refuse, during: down}]", recovery="false")
    result = run_scenario(down, misbehaving("says refused"))
    assert findings(result)["fault_fired"].verdict is Verdict.PASS


@pytest.mark.parametrize(
    ("mode", "says"),
    [
        ("dies at open", "open(): other: its process ended with exit status 3"),
        ("dies at call", "call(): other: its process ended with exit status 3"),
        ("talks at call", "call(): other: it broke the protocol: this is not JSON"),
        ("dies at close", "close(): other: its process ended with exit status 3"),
    ],
)
def test_a_client_that_fails_as_such_ends_the_run_and_never_passes(mode, says, mini):
    result = run_scenario(mini, misbehaving(mode))
    assert result.verdict is Verdict.FAIL
    assert says in findings(result)["client_contract"].actual
    assert len(result.history.of(ClientFailed)) == 1
    assert result.history.first(ClientClosed) is None
    assert isinstance(result.history.events[-1], RunEnded)


def test_a_client_that_never_answers_hangs_its_callers_and_fails(scenario, monkeypatch):
    monkeypatch.setattr("harness.runner.calls.GRACE_S", 1.5)
    monkeypatch.setattr("harness.clients._process.CANCEL_LIMIT_S", 0.1)
    work = "[{phase: work, calls: 1, timeout: 10ms}]"
    brief = scenario(workload=work, recovery="false")
    result = run_scenario(brief, misbehaving("ignores cancel"))
    assert findings(result)["every_call_ends"].verdict is Verdict.FAIL


PACKETS = "[{fault: link_down, at: 0s, for: 50ms}]"


@pytest.mark.parametrize(
    "choice",
    [outside("OnThreads"), outside("OnAsyncio", python=sys.executable), misbehaving("well")],
    ids=["threads", "python", "command"],
)
def test_what_needs_real_time_is_not_supported_in_virtual_time(choice, scenario):
    result = run_scenario(scenario(faults=PACKETS), choice)
    assert result.verdict is Verdict.UNKNOWN
    assert result.unsupported[-1] == "virtual time"
    with pytest.raises(InputError, match="say --on loopback"):
        run_scenario(scenario(), choice, fabric="virtual")


def test_a_client_on_asyncio_still_runs_in_virtual_time(mini):
    result = run_scenario(mini, outside("OnAsyncio"), fabric="virtual")
    assert (result.verdict, result.fabric) == (Verdict.PASS, "virtual")


@pytest.mark.parametrize(
    ("choice", "says"),
    [
        (ClientChoice(python="no/such/python"), "--python: there is no program 'no/such/python'"),
        (ClientChoice(python="."), "--python: . is a folder"),
        (ClientChoice(python=__file__), "can't be executed"),
        (ClientChoice("", command="no-such-program x"), "--command: there is no program"),
        (ClientChoice("", command="'x"), "close its quotes"),
        (ClientChoice("", command=" "), "it is empty"),
        (misbehaving("another version"), "it speaks protocol 2, and this is protocol 1"),
        (misbehaving("dies at hello"), "exit status 3; it said: some warning | fatal"),
        (misbehaving("no such feature"), "supports telepathy"),
        (outside("Missing", python=sys.executable), "there is no class 'Missing'; it has"),
        (ClientChoice("nope", python=sys.executable), "there is no client 'nope'"),
        (ClientChoice("nope.py:Mine", python=sys.executable), "there is no such file"),
        (ClientChoice("nope.py:", python=sys.executable), "names no class"),
    ],
)
def test_mistakes_are_told_before_anything_runs(choice, says, mini):
    with pytest.raises(InputError) as raised:
        run_scenario(mini, choice)
    assert says in str(raised.value)


def test_a_library_that_is_missing_there_is_named_with_what_to_install(mini, tmp_path):
    (tmp_path / "mine.py").write_text("import surely_not_there\n")
    with pytest.raises(SetupError, match="-m pip install surely_not_there"):
        run_scenario(mini, ClientChoice(f"{tmp_path / 'mine.py'}:Mine", python=sys.executable))
