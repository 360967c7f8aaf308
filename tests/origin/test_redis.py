"""A real Redis behind the proxy: it counts, and it goes away."""

import pytest
import trio
from servers_kit import behind, call_for

from harness.errors import SetupError
from harness.origin import installed, programs
from harness.origin.sessions import Place, ServerError, redis_session
from harness.scenario import OwnServer
from harness.worker.contract import repeated_name

pytestmark = pytest.mark.skipif(
    next(installed("redis"), None) is None, reason="there is no Redis here"
)


async def run(there, call, backend="blue"):
    async with redis_session(there.place(backend)) as session:
        return (await session.ask_all(call.redis_commands))[-1]


async def test_each_call_that_ran_is_counted_on_its_backend():
    async with behind("redis", "blue", "green") as there:
        assert await run(there, call_for("a", unsafe=True)) == repeated_name("a", 256)
        await run(there, call_for("b", slow_s=0.01), "green")
        ended = trio.current_time()
    assert there.executed() == [("b", "green", False), ("a", "blue", True)]
    assert all(0 <= event.at_s <= ended for event in there.events)


async def test_a_run_finds_nothing_of_another_and_its_server_is_gone():
    async with behind("redis") as first:
        await run(first, call_for("a"))
    async with behind("redis") as second:
        pass
    assert second.events == []
    with pytest.raises(SetupError, match="no conversation"):
        await run(first, call_for("b"))


async def test_calls_of_a_group_wait_for_one_another():
    replies = []
    async with behind("redis") as there:

        async def one(nonce):
            replies.append(await run(there, call_for(nonce, together=3, group="g")))

        async with trio.open_nursery() as nursery:
            for nonce in "abc":
                nursery.start_soon(one, nonce)
    assert sorted(replies) == [repeated_name(nonce, 256) for nonce in "abc"]


async def test_strangers_are_not_let_in():
    async with behind("redis") as there:
        place = there.place()
        with pytest.raises(ServerError, match="NOAUTH"):
            async with redis_session(Place(place.host, place.port)) as session:
                await session.ask("KEYS", "*")


async def test_on_a_server_of_ones_own_only_our_keys_are_removed(monkeypatch):
    async with behind("redis") as lent:
        place = lent.place()
        monkeypatch.setenv("REDIS_PASSWORD", place.password)
        async with redis_session(place) as session:
            await session.ask("SET", "theirs", "1")
            await session.ask("RPUSH", "chaos:ledger", "old 1 0 0")
            own = OwnServer(address=f"127.0.0.1:{place.port}", protocol="redis")
            async with behind(own) as there:
                await run(there, call_for("a"))
            assert await session.ask("KEYS", "*") == [b"theirs"]
    assert there.executed() == [("a", "blue", False)]


async def test_without_the_program_it_says_how_to_get_it(monkeypatch):
    monkeypatch.setattr(programs, "installed", lambda _: iter(()))
    with pytest.raises(SetupError, match=r"there is no Redis here; pip install 'chaos-h"):
        async with behind("redis"):
            pass


def test_a_build_without_tls_is_not_asked_for_it(monkeypatch, tmp_path):
    plain = tmp_path / "redis-server"
    plain.write_bytes(b"no such thing inside")
    found = programs.Programs("a wheel", {"redis-server": plain})
    monkeypatch.setattr(programs, "installed", lambda _: iter([found]))
    with pytest.raises(SetupError, match="no Redis here was built with TLS: a wheel; install"):
        programs.find_programs("redis", tls=True)
