"""What isn't broken is passed on as it is: every byte, FIN as FIN, RST as RST."""

import contextlib
import hashlib
from contextlib import suppress

import pytest
import trio
from raw import FIN, RST, Peer, bench, fault, in_background, until, when

from harness.history import ClientEndClosed, ConnectionClosed, DialFailed
from harness.units import Spread

IDLE_FAULTS = [
    pytest.param((), id="fast"),
    pytest.param((fault("close", when(age_s=600.0)),), id="careful"),
]
BULK_BYTES = 12 * 2**20


@pytest.mark.parametrize("faults", IDLE_FAULTS)
async def test_the_client_half_closes_and_still_reads_the_reply(faults):
    async with bench(*faults) as b:
        client, server = await b.pair()
        (await client.send(b"question")).fin()
        assert await server.rest() == (b"question", FIN)
        await server.send(b"answer")
        server.close()
        assert await client.rest() == (b"answer", FIN)
        (closed,) = await b.told(ConnectionClosed)
        assert (closed.by, closed.how, closed.bytes_up, closed.bytes_down) == (
            "client",
            "fin",
            8,
            6,
        )


@pytest.mark.parametrize("faults", IDLE_FAULTS)
async def test_the_server_half_closes_and_still_reads(faults):
    async with bench(*faults) as b:
        client, server = await b.pair()
        await server.send(b"greeting")
        server.fin()
        assert await client.rest() == (b"greeting", FIN)
        await client.send(b"so long")
        client.close()
        assert await server.rest() == (b"so long", FIN)


@pytest.mark.parametrize("faults", IDLE_FAULTS)
async def test_a_reset_of_the_client_is_a_reset_at_the_server(faults):
    async with bench(*faults) as b:
        client, server = await b.pair()
        await client.send(b"x")
        await server.read(1)
        client.reset()
        assert await server.rest() == (b"", RST)
        (told,) = await b.told(ClientEndClosed)
        assert told.how == "reset"


@pytest.mark.parametrize("faults", IDLE_FAULTS)
async def test_a_reset_of_the_server_is_a_reset_at_the_client(faults):
    async with bench(*faults) as b:
        client, server = await b.pair()
        await server.send(b"x")
        await client.read(1)
        server.reset()
        assert await client.rest() == (b"", RST)
        (closed,) = await b.told(ConnectionClosed)
        assert (closed.by, closed.how) == ("backend", "reset")


@pytest.mark.parametrize("faults", IDLE_FAULTS)
async def test_writing_to_a_server_that_has_closed_ends_in_a_reset(faults):
    async with bench(*faults) as b:
        client, server = await b.pair()
        await server.send(b"bye")
        server.close()
        assert await client.rest() == (b"bye", FIN)

        async def go_on_writing():
            while True:
                await client.send(b"too late")
                await trio.sleep(0.001)

        with pytest.raises((ConnectionResetError, BrokenPipeError)), trio.fail_after(5):
            await go_on_writing()
        await b.told(ConnectionClosed)


@pytest.mark.parametrize("faults", IDLE_FAULTS)
async def test_an_early_reply_arrives_though_the_server_resets_the_rest_of_the_request(faults):
    async with bench(*faults) as b:
        client, server = await b.pair()

        async def upload():
            with suppress(OSError):  # that is how a client learns of it
                await client.send(b"x" * BULK_BYTES)

        async with in_background(upload):
            await server.read(1000)
            await server.send(b"413 too large")
            server.close()  # with the upload unread: RST
            reply, _ = await client.rest()
        assert reply == b"413 too large"


async def pour(peer, seed, hashes):
    block = hashlib.sha256(seed).digest() * 2048
    sent = hashlib.sha256()
    for start in range(0, BULK_BYTES, len(block)):
        chunk = bytes([start // len(block) % 256]) + block[1:]
        await peer.send(chunk)
        sent.update(chunk)
    peer.fin()
    hashes[seed] = sent.hexdigest()


async def drain(peer, name, hashes):
    received = hashlib.sha256()
    while chunk := await peer.sock.recv(1 << 16):
        received.update(chunk)
    hashes[name] = received.hexdigest()


async def bulk_both_ways(client, server, meanwhile=None):
    hashes = {}
    with trio.fail_after(60):
        async with trio.open_nursery() as nursery:
            nursery.start_soon(pour, client, b"up", hashes)
            nursery.start_soon(pour, server, b"down", hashes)
            nursery.start_soon(drain, server, "up", hashes)
            if meanwhile is not None:
                nursery.start_soon(meanwhile, nursery.cancel_scope)
            await drain(client, "down", hashes)
    assert hashes["up"] == hashes[b"up"]
    assert hashes["down"] == hashes[b"down"]


@pytest.mark.parametrize("faults", IDLE_FAULTS)
async def test_bulk_in_both_directions_at_once_is_identical(faults):
    async with bench(*faults) as b:
        client, server = await b.pair()
        await bulk_both_ways(client, server)
        (closed,) = await b.told(ConnectionClosed)
        assert closed.bytes_up == closed.bytes_down == BULK_BYTES


async def test_faults_that_come_and_go_in_the_middle_of_bulk_lose_nothing():
    async with bench() as b:
        client, server = await b.pair()
        kinds = [
            fault("latency", delay_s=Spread(0.001), direction="both"),
            fault("slice", size_bytes=5000, direction="both"),
            fault("stall"),
            fault("bandwidth", rate_bytes_per_s=50e6, direction="both"),
        ]
        rounds = 0

        async def come_and_go(_):
            nonlocal rounds
            while not b.of(ConnectionClosed):
                (charge,) = b.proxy.arm([kinds[rounds % len(kinds)]])
                await trio.sleep(0.003)
                b.proxy.heal(charge)
                await trio.sleep(0.003)
                rounds += 1

        await bulk_both_ways(client, server, come_and_go)
        assert rounds >= 4


@pytest.mark.parametrize("faults", IDLE_FAULTS)
async def test_a_reader_that_does_not_read_blocks_the_sender(faults):
    async with bench(*faults) as b:
        client, server = await b.pair(SO_RCVBUF=16384)
        sent, blocked = 0, False
        while sent < 200 * 2**20 and not blocked:
            with trio.move_on_after(0.5) as patience:
                sent += await server.sock.send(b"x" * 65536)
            blocked = patience.cancelled_caught
        assert 0 < sent < 32 * 2**20  # kernels' buffers and ours, not all of it
        server.fin()
        received, end = await client.rest()
        assert (len(received), end) == (sent, FIN)


async def test_a_backend_that_refuses_gives_the_client_a_reset():
    async with bench() as b:
        b.server.close()
        client = await b.client()
        assert await client.rest() == (b"", RST)
        (failed,) = await b.told(DialFailed)
        assert failed.backend == "blue"


async def test_a_dial_that_hangs_blocks_neither_accepting_nor_other_backends():
    async with bench(backends=("full", "fine"), round_robin=True) as b:
        full = b.servers["full"]
        full._sock.listen(0)
        fillers = [trio.socket.socket() for _ in range(3)]
        async with trio.open_nursery() as nursery:
            for filler in fillers:  # the backlog takes one or two, the others hang
                nursery.start_soon(quietly_connect, filler, full.port)
            await trio.sleep(0.05)
            for _ in range(6):
                await b.client()  # every other one hangs in its dial
            served = [await b.servers["fine"].accept() for _ in range(3)]
            await served[0].send(b"alive")
            nursery.cancel_scope.cancel()
        for filler in fillers:
            filler.close()
        replies = []

        async def try_read(client):
            with trio.move_on_after(5):
                replies.append(await client.read(5))

        async with trio.open_nursery() as nursery:
            for client in b.clients:
                nursery.start_soon(try_read, client)
            await until(lambda: replies)
            nursery.cancel_scope.cancel()
        assert replies == [b"alive"]


async def quietly_connect(sock, port):
    with contextlib.suppress(OSError):
        await sock.connect(("127.0.0.1", port))


async def test_a_client_that_resets_while_its_backend_is_dialed_leaves_nothing_behind():
    async with bench() as b:
        for _ in range(20):
            client = await Peer.connect(b.proxy.port.number)
            client.reset()
        await b.told(ConnectionClosed, 20)
        assert b.proxy.open_connections == 0
        assert b.proxy.relays == {}
