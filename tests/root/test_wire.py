"""Each fault as packets show it: flags, sequence numbers, and instants never early."""

from contextlib import asynccontextmanager, closing

import pytest
import trio
from raw import bench, fault, in_background, until, when
from sniffer import ACK, FIN, RST, SYN, Sniffer, why_not

from harness.history import ConnectionOpened, FaultFired
from harness.proxy import Authority
from harness.units import Spread

pytestmark = pytest.mark.skipif(bool(why_not()), reason=why_not() or "never")

LATE_S = 1.0
"""Far more than a busy machine needs: only an instant that is missed altogether is later."""


@asynccontextmanager
async def watched(*specs, **settings):
    """A bench and an observer of the proxy's port."""
    async with bench(*specs, **settings) as b:
        port = b.proxy.port.number
        with closing(Sniffer(port)) as sniffer:
            yield b, sniffer, port


async def ask(client, server):
    await client.send(b"q")
    await server.read(1)


# --- in the stream --------------------------------------------------------------------------


@pytest.mark.parametrize(
    ("name", "flag", "never", "options"),
    [
        ("close", FIN, RST, {}),
        ("truncate", FIN, RST, {}),
        ("reset", RST, FIN, {}),
        ("half_close", FIN, RST, {}),
        ("limit", FIN, RST, {"limit_bytes": 1234}),
    ],
)
async def test_exactly_the_bytes_before_the_point_are_on_the_wire(name, flag, never, options):
    point = when(response=1) if options else when(response=1, byte=1234)
    async with watched(fault(name, point, **options)) as (b, sniffer, port):
        client, server = await b.pair()
        await ask(client, server)
        await server.send(b"x" * 5000)
        await client.rest()
        await sniffer.until(port, client.port, flag)
        assert sniffer.bytes_before(port, client.port, flag) == 1234
        assert sniffer.first(port, client.port, never) is None


async def test_a_stall_stops_after_the_byte_while_the_kernel_still_acknowledges():
    async with watched(fault("stall", when(response=1, byte=100))) as (b, sniffer, port):
        client, server = await b.pair()
        await ask(client, server)
        await server.send(b"x" * 500)
        await client.read(100)
        before = len(sniffer.between(port, client.port))
        await client.send(b"more")
        await until(lambda: len(sniffer.between(port, client.port)) > before)
        later = sniffer.between(port, client.port)[before:]
        assert all(s.flags == ACK and not s.size for s in later)
        assert sum(s.size for s in sniffer.payloads(port, client.port)) == 100
        b.proxy.heal_all()
        assert await client.read(400) == b"x" * 400


async def test_slices_are_segments_of_their_size():
    async with watched(fault("slice", size_bytes=64)) as (b, sniffer, port):
        client, server = await b.pair()
        await ask(client, server)
        await server.send(b"x" * 1000)
        await client.read(1000)
        sizes = [s.size for s in sniffer.payloads(port, client.port)]
        assert sizes == [64] * 15 + [40]


async def test_slow_bytes_are_segments_of_one_at_the_rate():
    async with watched(fault("slow", rate_bytes_per_s=200.0)) as (b, sniffer, port):
        client, server = await b.pair()
        await ask(client, server)
        await server.send(b"x" * 41)
        await client.read(41)
        segments, sent = sniffer.payloads(port, client.port), 0
        for segment in segments:  # no byte early; late ones are made up for
            sent += segment.size
            due_s = (sent - 1) / 200.0
            assert due_s - 0.001 <= segment.at - segments[0].at < due_s + LATE_S
        # A kernel that is busy may join bytes that are late (tcp_autocorking).
        assert [s.size for s in segments].count(1) > len(segments) / 2


async def test_latency_is_never_less_on_the_wire():
    async with watched(fault("latency", delay_s=Spread(0.03))) as (b, sniffer, port):
        client, server = await b.pair()
        for _ in range(5):
            await ask(client, server)
            start = trio.current_time()
            await server.send(b"r")
            await client.read(1)
            (*_, segment) = sniffer.payloads(port, client.port)
            assert 0.0295 <= segment.at - start < 0.03 + LATE_S


async def test_bandwidth_spreads_bytes_over_time():
    async with watched(fault("bandwidth", rate_bytes_per_s=1e6)) as (b, sniffer, port):
        client, server = await b.pair()
        await ask(client, server)
        await server.send(b"x" * 200_000)
        await client.read(200_000)
        segments, sent = sniffer.payloads(port, client.port), 0
        for segment in segments:
            assert segment.at - segments[0].at >= (sent - 2000) / 1e6 - 0.002
            sent += segment.size
        assert segments[-1].at - segments[0].at < 0.2 + LATE_S


# --- by time --------------------------------------------------------------------------------


@pytest.mark.parametrize(
    ("name", "flag"), [("close", FIN), ("reset", RST), ("truncate", FIN), ("half_close", FIN)]
)
async def test_an_idle_connection_ends_in_time_and_never_early(name, flag):
    async with watched(fault(name, when(idle_s=0.12))) as (b, sniffer, port):
        client, server = await b.pair()
        await ask(client, server)
        await server.send(b"reply")
        await client.read(5)
        end = await sniffer.until(port, client.port, flag)
        last = sniffer.payloads(port, client.port)[-1]
        assert 0.12 - 0.002 <= end.at - last.at < 0.12 + LATE_S  # it was counted before it left
        assert sniffer.bytes_before(port, client.port, flag) == 5


async def test_a_client_that_does_not_read_sees_its_reset_in_time():
    async with watched(fault("reset", when(age_s=0.2))) as (b, sniffer, port):
        client, server = await b.pair(SO_RCVBUF=8192)
        start = b.of(ConnectionOpened)[0].at_s

        async def flood():
            try:
                while True:
                    await server.sock.send(b"x" * 65536)
            except OSError:
                return

        async with in_background(flood):
            end = await sniffer.until(port, client.port, RST)
        synack = sniffer.first(port, client.port, SYN)
        assert 0.2 - 0.002 <= end.at - synack.at < 0.2 + LATE_S
        assert start >= 0
        assert sniffer.first(port, client.port, FIN) is None


# --- backends and phases --------------------------------------------------------------------


@pytest.mark.parametrize(("name", "options"), [("rotate", {"cut": True}), ("kill", {})])
async def test_a_backend_taken_out_resets_live_connections_at_once(name, options):
    backends = ("blue", "green")
    spec = fault(name, when(during="x"), **options)
    async with watched(spec, backends=backends) as (b, sniffer, port):
        client, server = await b.pair()
        await ask(client, server)
        start = trio.current_time()
        b.proxy.enter_phase("x")
        end = await sniffer.until(port, client.port, RST)
        assert -0.002 <= end.at - start < LATE_S
        assert sniffer.bytes_before(port, client.port, RST) == 0
        assert sniffer.first(port, client.port, FIN) is None


# --- accepting ------------------------------------------------------------------------------


async def test_a_refused_connect_is_answered_by_rst_alone():
    async with watched(fault("refuse", when(during="x"))) as (b, sniffer, port):
        b.proxy.enter_phase("x")
        with pytest.raises(ConnectionRefusedError):
            await b.client()
        await until(lambda: len(sniffer.read()) >= 2)
        asked, answered = sniffer.read()
        assert (asked.target, asked.has(SYN), asked.has(RST)) == (port, True, False)
        assert (answered.source, answered.has(SYN), answered.has(RST)) == (port, False, True)


@pytest.mark.parametrize(
    ("name", "flag", "never"), [("accept_reset", RST, FIN), ("accept_close", FIN, RST)]
)
async def test_an_accepted_connection_ends_without_a_byte(name, flag, never):
    async with watched(fault(name)) as (b, sniffer, port):
        client = await b.client()
        await client.rest()
        end = await sniffer.until(port, client.port, flag)
        synack = sniffer.first(port, client.port, SYN)
        assert synack.has(ACK)
        assert end.at - synack.at < LATE_S
        assert sniffer.bytes_before(port, client.port, flag) == 0
        assert sniffer.first(port, client.port, never) is None


async def test_a_hung_accept_sends_nothing_but_acknowledgements():
    async with watched(fault("accept_hang")) as (b, sniffer, port):
        client = await b.client()
        await client.send(b"hello?")
        assert await client.silent_for(0.1)
        answers = [s for s in sniffer.between(port, client.port) if not s.has(SYN)]
        assert answers
        assert all(s.flags == ACK and not s.size for s in answers)


async def test_a_handshake_is_reset_before_a_byte_of_the_server():
    authority = Authority()
    async with watched(fault("handshake_reset"), tls="terminate", authority=authority) as (
        b,
        sniffer,
        port,
    ):
        client = await b.client()
        await client.send(b"\x16\x03\x01\x00\x05hello")
        await client.rest()
        end = await sniffer.until(port, client.port, RST)
        hello = sniffer.payloads(client.port, port)[0]
        assert hello.at <= end.at < hello.at + LATE_S
        assert sniffer.bytes_before(port, client.port, RST) == 0
        assert len(b.of(FaultFired)) == 1
