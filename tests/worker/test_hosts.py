"""The worker: clients on asyncio and threads, served in a process of their own."""

from __future__ import annotations

import itertools
import socket
import sys
from contextlib import asynccontextmanager
from pathlib import Path

import pytest
import trio
import trio.testing

from harness.clients import Call, Launch, Settings, open_files, open_process_client
from harness.clients._answers import CallStruck, NotAnswered
from harness.clients._launch import WORKER
from harness.worker.contract import Asked
from harness.worker.messages import LeakTold, SocketGone

ADAPTERS = Path(__file__).parent / "adapters.py"
PATIENCE_S = 20.0
STEPS = 4


def worker(name, *flags, file=ADAPTERS, python=sys.executable):
    return Launch((python, *flags, str(WORKER / "__main__.py"), f"{file}:{name}"), is_python=True)


@asynccontextmanager
async def serving(name, port=1, **how):
    """A client of the adapters that is open; ``news`` has what it tells."""
    with trio.fail_after(PATIENCE_S):
        async with open_process_client(worker(name, **how)) as client:
            client.news = []
            client.on_news = client.news.append
            await client.greet()
            await client.open(Settings("127.0.0.1", port))
            yield client
            await client.close()


NUMBERS = itertools.count()


async def ask(client, what):
    return (await client.call(Call(Asked(f"{what}-{next(NUMBERS)}")))).body


async def outcome(client, what):
    with pytest.raises(NotAnswered) as raised:
        await ask(client, what)
    return raised.value.outcome


async def cancelled_at(client, what, step):
    """Whether a call ended by being cancelled at a step, and how often that was told."""
    told = []
    nonce = f"{what}-at-{step}"
    undo = client.plan_cancel(nonce, step, lambda: told.append(step))
    try:
        await client.call(Call(Asked(nonce)))
    except CallStruck:
        return True, len(told)
    finally:
        undo()
    return False, len(told)


@pytest.fixture
def server():
    """A server that greets whoever connects, from its backlog."""
    with socket.create_server(("127.0.0.1", 0)) as listening:
        yield listening


async def greeting(listening):
    """Accept once and say hello."""
    sock, _ = await trio.to_thread.run_sync(listening.accept)
    with sock:
        sock.sendall(b"hello")


async def test_a_client_says_what_its_class_says():
    async with serving("OnAsyncio") as client:
        hello = client.hello
    assert (hello.name, hello.runs_on, hello.serves) == ("on-asyncio", "asyncio", ("http",))
    assert hello.supports == ("cancel", "cancel_step")
    assert hello.versions["no-such-distribution"] == "?"
    assert hello.versions["python"].startswith("3.")


async def test_what_a_library_prints_and_reads_never_touches_the_protocol(capsys):
    async with serving("OnAsyncio") as client:
        assert await ask(client, "reads") == b""
        assert await ask(client, "leak") == b"bare bytes"
    assert "a library that prints" in capsys.readouterr().err


async def test_exceptions_become_outcomes_even_those_that_end_programs():
    async with serving("OnAsyncio") as client:
        assert (await outcome(client, "raises")).kind == "reset"
        assert "SystemExit" in (await outcome(client, "exits")).message
        assert "must return Reply or bytes" in (await outcome(client, "none")).message
        assert (await outcome(client, "gives")).kind == "cancelled"
    async with serving("OnThreads") as client:
        assert (await outcome(client, "raises")).message == "RuntimeError: of its own"
        assert await ask(client, "now") == b"\xff\n"


async def test_a_call_can_be_cancelled_between_any_two_iterations_of_the_loop():
    async with serving("OnAsyncio") as client:
        for step in range(1, STEPS + 3):
            assert await cancelled_at(client, "turns", step) == (step <= STEPS, step <= STEPS)
            assert await ask(client, "many") == str(min(step, STEPS)).encode()


@pytest.mark.parametrize("name", ["OnAsyncio", "OnThreads"])
async def test_a_planned_cancellation_ends_a_call_that_waits(name):
    what = {"OnAsyncio": "forever", "OnThreads": "sleep"}[name]
    async with serving(name) as client, trio.open_nursery() as nursery:
        told = []
        nursery.start_soon(cancel_soon, client, f"{what}-x")
        client.plan_cancel(f"{what}-x", None, lambda: told.append("now"))
        with pytest.raises(CallStruck):
            await client.call(Call(Asked(f"{what}-x")))
        assert told == ["now"]
        if name == "OnThreads":
            assert await ask(client, "cleaned") == b"1"


async def cancel_soon(client, nonce):
    await trio.sleep(0.1)
    client.cancel(nonce)


async def test_calls_on_threads_run_beside_each_other_and_planned_ones_in_the_main_thread():
    async with serving("OnThreads") as client, trio.open_nursery() as nursery:
        assert await ask(client, "thread") == b"other"
        undo = client.plan_cancel("thread-p", None, lambda: None)
        assert (await client.call(Call(Asked("thread-p")))).body == b"main"
        undo()
        nursery.start_soon(ask, client, "until")
        await trio.testing.wait_all_tasks_blocked()
        await ask(client, "now")


async def test_a_call_that_nothing_can_reach_goes_on_and_is_not_said_to_be_cancelled():
    async with serving("OnThreads") as client, trio.open_nursery() as nursery:
        told = []
        client.plan_cancel("until-a", None, lambda: told.append("a"))
        client.plan_cancel("until-b", None, lambda: told.append("b"))
        bodies = []

        async def make(nonce):
            bodies.append((await client.call(Call(Asked(nonce)))).body)

        nursery.start_soon(make, "until-a")
        await trio.testing.wait_all_tasks_blocked()
        nursery.start_soon(make, "until-b")
        await trio.testing.wait_all_tasks_blocked()
        client.cancel("until-b")  # the main thread has the other one
        await ask(client, "now")
    assert told == []
    assert bodies == [b"\xff\n"] * 2


@pytest.mark.parametrize(
    ("name", "what"), [("OnAsyncio", "dial"), ("OnThreads", "dial"), ("OnThreads", "file")]
)
async def test_each_connect_and_each_close_is_told(name, what, server):
    async with serving(name, server.getsockname()[1]) as client, trio.open_nursery() as nursery:
        nursery.start_soon(greeting, server)
        assert await ask(client, what) == b"hello"
        dialed, gone = client.news
    assert (dialed.outcome, gone) == ("ok", SocketGone(dialed.local_port))


@pytest.mark.parametrize("name", ["OnAsyncio", "OnThreads"])
async def test_a_refused_connect_is_told_as_that(name):
    with socket.socket() as taken:
        taken.bind(("127.0.0.1", 0))
        async with serving(name, taken.getsockname()[1]) as client:
            assert (await outcome(client, "dial")).kind == "refused"
            assert [news.outcome for news in client.news] == ["refused"]


async def test_a_socket_that_nobody_closed_is_told_to_be_lost(server):
    async with serving("OnThreads", server.getsockname()[1]) as client:
        await ask(client, "drop")
        dialed, gone = client.news
    assert gone == SocketGone(dialed.local_port, lost=True)


@pytest.mark.skipif(sys.platform != "linux", reason="elsewhere a full backlog refuses")
async def test_a_connect_that_runs_into_the_socket_s_own_timeout_is_told_as_that():
    with socket.create_server(("127.0.0.1", 0), backlog=0) as full:
        address = full.getsockname()
        with socket.create_connection(address):
            async with serving("OnThreads", address[1]) as client:
                assert (await outcome(client, "slow")).kind == "timeout"
                assert [news.outcome for news in client.news] == ["timeout"]


async def test_what_a_pool_says_of_leaks_is_passed_on():
    async with serving("OnAsyncio") as client:
        await ask(client, "leak")
        assert client.news == [LeakTold("orders.py:3")]


@pytest.mark.skipif(sys.platform != "linux", reason="counted in /proc")
async def test_what_is_left_open_can_be_counted_from_outside(server):
    async with serving("OnThreads", server.getsockname()[1]) as client:
        before = open_files(client.pid)
        await ask(client, "keep")
        assert open_files(client.pid).sockets == before.sockets + 1
        await ask(client, "file_kept")
        after = open_files(client.pid)
    assert (after.sockets, after.others) == (before.sockets + 1, before.others + 1)


async def test_a_worker_lives_without_anything_but_the_standard_library():
    with trio.fail_after(PATIENCE_S):
        async with open_process_client(worker("Sheltered", "-S")) as client:
            await client.greet()
            await client.open(Settings("127.0.0.1", 1))
            assert await ask(client, "import") == b"nothing else"


async def greeted(launch):
    with trio.fail_after(PATIENCE_S):
        async with open_process_client(launch) as client:
            return await client.greet()


async def test_a_missing_library_is_named(tmp_path):
    file = tmp_path / "mine.py"
    file.write_text("import surely_not_there\n")
    assert (await greeted(worker("Mine", file=file))).missing == "surely_not_there"


@pytest.mark.parametrize(
    ("text", "says", "line"),
    [
        ("class Mine:\n    async def open(self, settings): ...\n", "no method 'call'", 0),
        ("class Other: ...\n", "there is no class 'Mine'", 0),
        ("\nclass Mine(:\n", "syntax", 2),
        ("\n\n1 / 0\n", "ZeroDivisionError", 3),
    ],
)
async def test_a_mistake_in_the_file_is_told_with_its_place(tmp_path, text, says, line):
    file = tmp_path / "mine.py"
    file.write_text(text)
    problem = (await greeted(worker("Mine", file=file))).problems[0]
    assert says in problem.message
    assert (problem.file, problem.line) == (str(file), line)


async def test_a_client_may_import_what_lies_beside_it(tmp_path):
    (tmp_path / "beside.py").write_text("NAME = 'found'\n")
    file = tmp_path / "mine.py"
    file.write_text(
        "import beside\nfrom adapters import OnAsyncio\nclass Mine(OnAsyncio): NAME = beside.NAME\n"
    )
    (tmp_path / "adapters.py").write_text(ADAPTERS.read_text())
    assert (await greeted(worker("Mine", file=file))).name == "found"
