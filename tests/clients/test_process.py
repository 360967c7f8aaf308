"""A client in a process of its own: it is asked, cancelled and ended, and believed only so far."""

from __future__ import annotations

import os
import signal
import subprocess
import sys
import time
from pathlib import Path

import pytest
import trio
import trio.testing

from harness.clients import Call, ClientGone, Launch, Settings, open_process_client
from harness.clients import _process as process_module
from harness.clients._answers import CallStruck, NotAnswered
from harness.worker.contract import Asked
from harness.worker.messages import LeakTold

PROGRAM = Path(__file__).parent / "programs" / "misbehaving.py"
ROOT = Path(__file__).parent.parent.parent
SETTINGS = Settings(host="127.0.0.1", port=1)
PATIENCE_S = 20.0

linux_only = pytest.mark.skipif(sys.platform != "linux", reason="/proc tells who lives")


def misbehaving(mode):
    return Launch((sys.executable, "-S", str(PROGRAM), mode), is_python=False)


def a_call(nonce="n-1"):
    return Call(Asked(nonce))


def is_alive(pid):
    try:
        state = Path(f"/proc/{pid}/stat").read_text().rpartition(")")[2].split()[0]
    except FileNotFoundError:
        return False
    return state not in "ZX"


async def wait_until_gone(pid):
    with trio.fail_after(PATIENCE_S):
        while is_alive(pid):  # noqa: ASYNC110 - another process tells nobody
            await trio.sleep(0.01)


async def ask_all(client):
    """What a run asks of a client."""
    await client.greet()
    await client.open(SETTINGS)
    reply = await client.call(a_call())
    await client.close()
    return reply


async def ask_all_and_again(client):
    await ask_all(client)
    await client.call(a_call("n-2"))


async def test_a_client_is_greeted_opened_called_and_closed():
    async with open_process_client(misbehaving("well")) as client:
        assert (await ask_all(client)).body == b"n-1\n"
        assert (client.hello.name, client.hello.serves) == ("odd", ("http",))
        assert client.hello.supports is None


GONE = {
    "dies at hello": "its process ended with exit status 3; it said: some warning | fatal: out of",
    "dies at open": "its process ended with exit status 3",
    "dies at call": "exit status 3; it said: some warning | fatal: out of luck",
    "is killed at call": "its process was ended by SIGKILL",
    "talks at hello": "this is not JSON; the line is 'hello, world'",
    "talks at call": "it broke the protocol: this is not JSON; the line is 'hello, world'",
    "a list": "this is not a JSON object; the line is '[1]'",
    "another version": "it speaks protocol 2, and this is protocol 1",
    "answers nobody": "there is no request 99",
    "answers twice": "request 2 was answered before",
    "a wrong type": "its body is 7, which is of the wrong type",
    "an unknown kind": "its kind is 'bad luck'; kinds are refused, reset",
    "floods at open": "it sent a line of more than 100000 bytes",
    "tells too much at open": "it sent more than 50 events",
    "hangs at hello": "it did not answer hello within 0.2 s",
}


@pytest.mark.parametrize("mode", GONE)
async def test_a_client_that_breaks_the_protocol_is_said_to_and_no_more_use(mode, monkeypatch):
    monkeypatch.setattr(process_module, "LINE_LIMIT_BYTES", 100_000)
    monkeypatch.setattr(process_module, "NEWS_LIMIT", 50)
    if mode == "hangs at hello":
        monkeypatch.setattr(process_module, "HELLO_LIMIT_S", 0.2)
    told = []
    with trio.fail_after(PATIENCE_S):
        async with open_process_client(misbehaving(mode)) as client:
            client.on_failure = told.append
            with pytest.raises(ClientGone) as raised:
                await ask_all_and_again(client)
            assert GONE[mode] in str(client.failure)
            assert told == [str(client.failure)]
            with pytest.raises(ClientGone):
                await client.call(a_call("n-3"))
    assert raised.value.outcome.kind == "other"


async def test_the_line_at_fault_is_shortened_and_made_harmless():
    async with open_process_client(misbehaving("talks at call")) as client:
        await client.greet()
        client._take(b"\x1b[2J" + b"x" * 1000)
        assert len(str(client.failure)) < 300
        assert "\\x1b[2J" in str(client.failure)


async def test_a_call_that_fails_has_the_outcome_the_client_says():
    async with open_process_client(misbehaving("says refused")) as client:
        with pytest.raises(NotAnswered) as raised:
            await ask_all(client)
    outcome = raised.value.outcome
    assert (outcome.kind, outcome.certainty, outcome.message) == ("refused", "failed", "no")


async def test_a_call_that_is_answered_without_a_reply_has_failed():
    async with open_process_client(misbehaving("says ok")) as client:
        with pytest.raises(NotAnswered, match="without a reply"):
            await ask_all(client)


async def opened(client):
    await client.greet()
    await client.open(SETTINGS)


async def test_a_planned_cancellation_happens_when_the_client_says_so():
    struck = []
    with trio.fail_after(PATIENCE_S):
        async with open_process_client(misbehaving("cancels")) as client:
            await opened(client)
            undo = client.plan_cancel("n-1", None, lambda: struck.append(trio.current_time()))

            async def make():
                with pytest.raises(CallStruck):
                    await client.call(a_call())

            async with trio.open_nursery() as nursery:
                nursery.start_soon(make)
                await trio.testing.wait_all_tasks_blocked()
                assert not struck
                client.cancel("n-1")
            undo()
    assert len(struck) == 1


async def test_a_scope_that_is_cancelled_cancels_the_call_and_waits_for_its_end():
    with trio.fail_after(PATIENCE_S):
        async with open_process_client(misbehaving("cancels")) as client:
            await opened(client)
            with trio.move_on_after(0.05) as scope:
                await client.call(a_call())
            assert scope.cancelled_caught
            assert not client._given_up


async def test_a_call_that_ignores_its_cancellation_is_given_up_after_a_while(monkeypatch):
    monkeypatch.setattr(process_module, "CANCEL_LIMIT_S", 0.05)
    with trio.fail_after(PATIENCE_S):
        async with open_process_client(misbehaving("ignores cancel")) as client:
            await opened(client)
            with trio.move_on_after(0.05) as scope:
                await client.call(a_call())
            assert scope.cancelled_caught
            await client.close()


async def test_an_answer_that_comes_after_its_call_was_given_up_is_no_mistake(monkeypatch):
    monkeypatch.setattr(process_module, "CANCEL_LIMIT_S", 0.05)
    with trio.fail_after(PATIENCE_S):
        async with open_process_client(misbehaving("answers late")) as client:
            await opened(client)
            with trio.move_on_after(0.05):
                await client.call(a_call())
            await client.close()
            assert client.failure is None
            assert not client._given_up


async def test_more_calls_than_may_wait_at_once_are_refused(monkeypatch):
    monkeypatch.setattr(process_module, "OUTSTANDING_LIMIT", 1)
    monkeypatch.setattr(process_module, "CANCEL_LIMIT_S", 0.05)
    async with (
        open_process_client(misbehaving("ignores cancel")) as client,
        trio.open_nursery() as nursery,
    ):
        await opened(client)
        nursery.start_soon(client.call, a_call())
        await trio.testing.wait_all_tasks_blocked()
        with pytest.raises(ClientGone, match="more than 1 calls wait"):
            await client.call(a_call("n-2"))
        nursery.cancel_scope.cancel()


async def test_events_are_passed_on_and_unknown_ones_ignored(monkeypatch):
    monkeypatch.setattr(process_module, "NEWS_LIMIT", 50)
    told = []
    async with open_process_client(misbehaving("tells too much at close")) as client:
        client.on_news = told.append
        with pytest.raises(ClientGone):
            await ask_all(client)
    assert set(told) == {LeakTold("here")}


async def test_what_a_client_prints_is_passed_on_up_to_a_limit(monkeypatch, capsys):
    monkeypatch.setattr(process_module, "STDERR_LIMIT_BYTES", 20)
    async with open_process_client(misbehaving("dies at call")) as client:
        with pytest.raises(ClientGone):
            await ask_all(client)
    said = capsys.readouterr().err
    assert said.startswith("some warning\nfatal:")
    assert "out of luck" not in said
    assert "left out" in said


@linux_only
async def test_what_ignores_every_request_to_end_is_ended(monkeypatch):
    monkeypatch.setattr(process_module, "LEAVE_LIMIT_S", 0.1)
    with trio.fail_after(PATIENCE_S):
        async with open_process_client(misbehaving("ignores the end")) as client:
            await opened(client)
    assert not is_alive(client.pid)


@linux_only
async def test_what_a_client_has_started_ends_with_it():
    async with open_process_client(misbehaving("starts another")) as client:
        await opened(client)
        child = int(client.hello.versions["child"])
        assert is_alive(child)
    await wait_until_gone(child)


@linux_only
async def test_a_cancelled_run_leaves_no_process():
    with trio.move_on_after(0.2):
        async with open_process_client(misbehaving("hangs at open")) as client:
            await opened(client)
    assert not is_alive(client.pid)


HARNESS = """
import sys, trio
sys.path.insert(0, {root!r})
from harness.choice import ClientChoice
from harness.clients import Settings, launch_of, open_process_client

async def main():
    choice = ClientChoice({name!r}, command={command!r})
    async with open_process_client(launch_of(choice)) as client:
        await client.greet()
        print(client.pid, flush=True)
        await client.open(Settings(host="127.0.0.1", port=1))
        await trio.sleep_forever()

trio.run(main)
"""
BLOCKED = """
import time

class Blocked:
    RUNS_ON = "asyncio"
    async def open(self, settings): time.sleep(60)
    async def call(self, call): ...
    async def close(self): ...
"""


@linux_only
@pytest.mark.parametrize("kind", ["a worker that is busy", "a program that doesn't read"])
def test_nothing_survives_a_harness_that_is_killed(kind, tmp_path):
    (tmp_path / "blocked.py").write_text(BLOCKED)
    command = f"{sys.executable} -S {PROGRAM} 'hangs at open'"
    chosen = ("", command) if "program" in kind else (f"{tmp_path / 'blocked.py'}:Blocked", "")
    text = HARNESS.format(root=str(ROOT), name=chosen[0], command=chosen[1])
    harness = subprocess.Popen(
        [sys.executable, "-c", text], stdout=subprocess.PIPE, stderr=subprocess.DEVNULL
    )
    try:
        assert harness.stdout is not None
        pid = int(harness.stdout.readline())
        time.sleep(0.2)  # until it is busy; earlier it would leave by itself
        assert is_alive(pid)
    finally:
        os.kill(harness.pid, signal.SIGKILL)
        harness.wait()
        harness.stdout.close()
    trio.run(wait_until_gone, pid)
