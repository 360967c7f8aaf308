"""Each fault as a raw client and a raw server meet it."""

import pytest
import trio
from raw import FIN, RST, bench, fault, in_background, until, when

from harness.history import ClientEndClosed, ConnectionClosed, FaultFired, FaultHealed
from harness.units import Spread

LATE_S = 5.0
"""Upper bounds say that something ends at all, not how fast this machine is."""


@pytest.mark.parametrize(
    ("name", "at_client", "at_server"),
    [("close", FIN, FIN), ("reset", RST, RST), ("truncate", FIN, FIN)],
)
async def test_a_strike_in_a_response_cuts_at_the_exact_byte(name, at_client, at_server):
    async with bench(fault(name, when(response=2, byte=1000))) as b:
        client, server = await b.pair()
        await client.send(b"1")
        await server.read(1)
        await server.send(b"a" * 500)
        await client.read(500)
        await client.send(b"2")
        await server.read(1)
        await server.send(b"b" * 4000)
        assert await client.rest() == (b"b" * 1000, at_client)
        assert await server.rest() == (b"", at_server)
        (fired,) = b.of(FaultFired)
        assert (fired.connection, fired.where) == (1, "downstream exchange 2 byte 1000")
        (closed,) = await b.told(ConnectionClosed)
        assert closed.by == f"fault:{name}"


async def test_side_chooses_who_gets_the_reset():
    async with bench(fault("reset", when(response=1, byte=3), side="client")) as b:
        client, server = await b.pair()
        await client.send(b"q")
        await server.read(1)
        await server.send(b"reply")
        assert await client.rest() == (b"rep", RST)
        assert await server.rest() == (b"", FIN)


async def test_half_close_leaves_the_other_direction_open():
    async with bench(fault("half_close", when(response=1, byte=2))) as b:
        client, server = await b.pair()
        await client.send(b"q")
        await server.read(1)
        await server.send(b"reply")
        assert await client.rest() == (b"re", FIN)
        await client.send(b"still here")
        assert await server.read(10) == b"still here"


@pytest.mark.parametrize(("name", "end"), [("close", FIN), ("reset", RST)])
async def test_an_idle_connection_is_ended_after_the_time_and_not_before(name, end):
    async with bench(fault(name, when(idle_s=0.2))) as b:
        client, server = await b.pair()
        await client.send(b"q")
        await server.read(1)
        await trio.sleep(0.3)  # a reply is awaited: that isn't idle
        assert b.of(FaultFired) == []
        start = trio.current_time()
        await server.send(b"r")
        assert await client.rest() == (b"r", end)
        assert 0.2 <= trio.current_time() - start < LATE_S


async def test_a_client_that_does_not_read_is_still_reset_on_time():
    async with bench(fault("reset", when(age_s=0.5))) as b:
        client, server = await b.pair(SO_RCVBUF=8192)

        async def flood():
            try:
                while True:
                    await server.sock.send(b"x" * 65536)
            except OSError:
                return

        start = trio.current_time()
        async with in_background(flood):
            (closed,) = await b.told(ConnectionClosed)
        assert closed.by == "fault:reset"
        assert 0.4 < trio.current_time() - start < LATE_S
        assert (await client.rest())[1] == RST


async def test_a_reset_of_both_sides_is_not_lost_when_neither_reads():
    async with bench(fault("reset", when(age_s=0.4))) as b:
        client, server = await b.pair(SO_RCVBUF=8192)

        async def flood(peer):
            try:
                while True:
                    await peer.sock.send(b"x" * 65536)
            except OSError:
                return

        async with in_background(lambda: flood(client), lambda: flood(server)):
            await b.told(ConnectionClosed)
        assert b.proxy.open_connections == 0


async def test_a_stall_holds_bytes_and_ends_and_heals_on_the_live_connection():
    async with bench() as b:
        client, server = await b.pair()
        (charge,) = b.proxy.arm([fault("stall")])
        (await client.send(b"held")).fin()
        assert await server.silent_for(0.1)
        b.proxy.heal(charge)
        assert await server.rest() == (b"held", FIN)


async def test_a_client_that_gives_up_during_a_stall_is_noticed():
    async with bench(fault("stall")) as b:
        client, server = await b.pair()
        client.reset()
        (told,) = await b.told(ClientEndClosed)
        assert told.how == "reset"
        b.proxy.heal_all()
        assert await server.rest() == (b"", RST)


async def test_latency_delays_a_round_trip_by_its_sum():
    async with bench(fault("latency", delay_s=Spread(0.05), direction="both")) as b:
        client, server = await b.pair()
        start = trio.current_time()
        await client.send(b"q")
        await server.read(1)
        assert trio.current_time() - start >= 0.05
        await server.send(b"r")
        await client.read(1)
        assert 0.1 <= trio.current_time() - start < LATE_S


async def test_latency_is_no_narrow_bandwidth():
    async with bench(fault("latency", delay_s=Spread(0.2))) as b:
        client, server = await b.pair()
        await client.send(b"q")
        start = trio.current_time()
        async with in_background(lambda: server.send(b"x" * 900_000)):
            await client.read(900_000)
        assert 0.2 <= trio.current_time() - start < 2.0  # 64 KiB a delay would take 2.8 s


@pytest.mark.parametrize("shared", [False, True])
async def test_bandwidth_is_of_one_connection_or_of_all(shared):
    spec = fault("bandwidth", rate_bytes_per_s=200_000.0, shared=shared)
    async with bench(spec) as b:
        pairs = [await b.pair() for _ in range(3)]
        start = trio.current_time()

        async def transfer(client, server):
            await server.send(b"x" * 30_000)
            await client.read(30_000)

        async with trio.open_nursery() as nursery:
            for pair in pairs:
                nursery.start_soon(transfer, *pair)
        least_s = (90_000 if shared else 30_000) / 200_000.0
        assert trio.current_time() - start >= least_s - 0.1  # but for a piece of each


async def test_limit_closes_with_fin_after_so_many_bytes():
    async with bench(fault("limit", limit_bytes=7)) as b:
        client, server = await b.pair()
        await server.send(b"0123456789")
        assert await client.rest() == (b"0123456", FIN)
        assert await server.rest() == (b"", FIN)


async def test_goodbye_is_said_in_the_head_and_kept():
    async with bench(fault("goodbye", when(response=1))) as b:
        client, server = await b.pair()
        await client.send(b"GET / HTTP/1.1\r\n\r\n")
        await server.read(18)
        await server.send(b"HTTP/1.1 200 OK\r\nContent-Length: 2\r\n\r\nokHTTP/1.1 200 never sent")
        said, end = await client.rest()
        assert said == b"HTTP/1.1 200 OK\r\nConnection: close\r\nContent-Length: 2\r\n\r\nok"
        assert end == FIN


# --- accepting ------------------------------------------------------------------------------


@pytest.mark.parametrize(("name", "end"), [("accept_reset", RST), ("accept_close", FIN)])
async def test_a_connection_ends_as_it_is_accepted(name, end):
    async with bench(fault(name, when(connection="first 1"))) as b:
        struck = await b.client()
        assert await struck.rest() == (b"", end)
        spared, server = await b.pair()
        await spared.send(b"q")
        assert await server.read(1) == b"q"
        assert [event.connection for event in b.of(FaultFired)] == [1]


async def test_a_hung_accept_is_served_when_it_heals():
    async with bench(fault("accept_hang")) as b:
        client = await b.client()
        await client.send(b"before")
        assert await client.silent_for(0.05)
        assert b.server.peers == []
        b.proxy.heal_all()
        server = await b.server.accept()
        assert await server.read(6) == b"before"
        await server.send(b"reply")
        assert await client.read(5) == b"reply"


async def test_a_hung_accept_is_served_when_its_time_is_over():
    async with bench(fault("accept_hang", when(connection=1, for_s=0.2))) as b:
        start = trio.current_time()
        await b.client()
        await b.server.accept()
        assert 0.15 <= trio.current_time() - start < LATE_S


async def test_a_hung_accept_is_served_when_its_phase_is_over():
    async with bench(fault("accept_hang", when(during="outage"))) as b:
        b.proxy.enter_phase("outage")
        await b.client()
        await until(lambda: b.of(FaultFired))
        b.proxy.enter_phase("after")
        await b.server.accept()


@pytest.mark.parametrize(("give_up", "how"), [("close", "fin"), ("reset", "reset")])
async def test_a_client_that_gives_up_a_hung_accept_is_noticed(give_up, how):
    async with bench(fault("accept_hang")) as b:
        client = await b.client()
        getattr(client, give_up)()
        (told,) = await b.told(ClientEndClosed)
        assert told.how == how
        (closed,) = await b.told(ConnectionClosed)
        assert (closed.by, closed.how) == ("client", how)


async def test_a_connect_delay_serves_later_or_at_once_when_healed():
    async with bench(fault("connect_delay", delay_s=0.15)) as b:
        start = trio.current_time()
        await b.pair()
        assert trio.current_time() - start >= 0.15
    async with bench(fault("connect_delay", delay_s=600.0)) as b:
        await b.client()
        await until(lambda: b.of(FaultFired))
        b.proxy.heal_all()
        await b.server.accept()


@pytest.mark.parametrize(("excess", "end"), [("reset", RST), ("close", FIN)])
async def test_a_connection_limit_turns_away_who_is_too_many(excess, end):
    async with bench(fault("connection_limit", limit=2, excess=excess)) as b:
        (first, _), (second, _) = await b.pair(), await b.pair()
        assert await (await b.client()).rest() == (b"", end)
        first.reset()
        await until(lambda: b.proxy.open_connections == 1)
        third, server = await b.pair()
        await third.send(b"q")
        assert await server.read(1) == b"q"
        assert second is not third


async def test_who_hangs_beyond_a_limit_takes_nobodys_place():
    async with bench(fault("connection_limit", limit=1, excess="hang")) as b:
        served, _ = await b.pair()
        await b.client()
        await until(lambda: b.of(FaultFired))
        served.reset()
        await until(lambda: b.proxy.open_connections == 1)
        await b.pair()


async def test_refuse_refuses_new_connections_and_leaves_live_ones_alone():
    async with bench(fault("refuse", when(during="outage"))) as b:
        client, server = await b.pair()
        b.proxy.enter_phase("outage")
        for _ in range(3):
            with pytest.raises(ConnectionRefusedError):
                await b.client()
        await client.send(b"q")
        assert await server.read(1) == b"q"
        b.proxy.enter_phase("after")
        await b.pair()


async def test_refuse_for_a_while_ends_by_itself():
    async with bench(fault("refuse", when(during="outage", for_s=0.2))) as b:
        b.proxy.enter_phase("outage")
        with pytest.raises(ConnectionRefusedError):
            await b.client()

        async def connects():
            while True:
                try:
                    return await b.client()
                except ConnectionRefusedError:
                    await trio.sleep(0.01)

        with trio.fail_after(LATE_S):
            await connects()
        assert b.of(FaultHealed) == []


async def test_who_is_connected_when_the_port_shuts_is_not_refused():
    async with bench(fault("refuse", when(during="outage"))) as b:
        clients = [await b.client() for _ in range(5)]
        b.proxy.enter_phase("outage")
        for client in clients:
            await client.send(b"q")
        for _ in clients:
            assert await (await b.server.accept()).read(1) == b"q"
