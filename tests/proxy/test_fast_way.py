"""The fast way: bytes that no fault touches, and the change to the careful way and back."""

import hashlib
import socket
import struct
from contextlib import asynccontextmanager

import pytest
import trio

from harness.fabric import LoopbackFabric
from harness.faults import FaultSpec
from harness.faults.latency import fixed
from harness.proxy import Address, ProxySettings, open_proxy

LIMIT_S = 20.0
LINGER_ZERO = struct.pack("ii", 1, 0)


@asynccontextmanager
async def connected():
    """A proxy and a connection through it: the proxy, the client's socket, the server's."""
    fabric, events = LoopbackFabric(), []
    with trio.fail_after(LIMIT_S):
        async with fabric.running():
            port = trio.socket.socket()
            await port.bind(("127.0.0.1", 0))
            port.listen(1)
            backend = Address(*port.getsockname())
            settings = ProxySettings(backends={"server": backend})
            async with open_proxy(settings, fabric, on_event=events.append) as proxy:
                client, server = trio.socket.socket(), None
                try:
                    await client.connect(("127.0.0.1", proxy.port.number))
                    server, _ = await port.accept()
                    yield proxy, client, server, events
                finally:
                    for sock in (client, server, port):
                        if sock is not None:
                            sock.close()


async def send_all(sock, payload):
    view = memoryview(payload)
    while view:
        view = view[await sock.send(view) :]


async def flood(sock):
    while True:
        await sock.send(bytes(1_000_000))


async def read_all(sock, *, slowly=False):
    """A digest of everything up to FIN, and how much it was."""
    digest, count = hashlib.blake2b(), 0
    while chunk := await sock.recv(50_000):
        digest.update(chunk)
        count += len(chunk)
        if slowly:
            for _ in range(20):
                await trio.lowlevel.checkpoint()
    return digest.digest(), count


def pattern(count_bytes):
    return b"".join(n.to_bytes(4, "big") for n in range(count_bytes // 4))


def reset(sock):
    sock.setsockopt(socket.SOL_SOCKET, socket.SO_LINGER, LINGER_ZERO)
    sock.close()


async def test_every_byte_arrives_both_ways_though_the_readers_are_slow():
    up, down = pattern(3_000_000), pattern(2_000_000)[::-1]
    arrived = {}

    async def send(sock, payload):
        await send_all(sock, payload)
        sock.shutdown(socket.SHUT_WR)

    async def read(name, sock):
        arrived[name] = await read_all(sock, slowly=True)

    async with connected() as (_, client, server, _), trio.open_nursery() as nursery:
        nursery.start_soon(send, client, up)
        nursery.start_soon(send, server, down)
        nursery.start_soon(read, "up", server)
        nursery.start_soon(read, "down", client)
    assert arrived["up"] == (hashlib.blake2b(up).digest(), len(up))
    assert arrived["down"] == (hashlib.blake2b(down).digest(), len(down))


async def test_a_fault_that_comes_and_goes_under_load_loses_and_doubles_nothing():
    payload, arrived = pattern(8_000_000), []

    async with connected() as (proxy, client, server, _):

        async def read():
            arrived.append(await read_all(server, slowly=True))

        async def change_faults():
            for _ in range(10):
                charges = proxy.arm([FaultSpec(fixed(0.0005), direction="both")])
                for _ in range(30):
                    await trio.lowlevel.checkpoint()
                proxy.heal(charges[0])
                for _ in range(30):
                    await trio.lowlevel.checkpoint()

        async with trio.open_nursery() as nursery:
            nursery.start_soon(read)
            nursery.start_soon(change_faults)
            await send_all(client, payload)
            client.shutdown(socket.SHUT_WR)
    assert arrived == [(hashlib.blake2b(payload).digest(), len(payload))]


async def test_a_sender_waits_for_a_reader_that_does_not_read():
    async with connected() as (_, client, _, _):
        sent = 0
        with trio.move_on_after(0.5) as limit:
            while True:
                sent += await client.send(bytes(1_000_000))
        assert limit.cancelled_caught
        assert sent < 40_000_000  # what the kernel's buffers hold, and no more


@pytest.mark.parametrize("who", ["client", "server"])
async def test_a_reset_arrives_as_a_reset(who):
    async with connected() as (_, client, server, _):
        await send_all(client, b"x")
        assert await server.recv(1) == b"x"
        one, other = (client, server) if who == "client" else (server, client)
        reset(one)
        with pytest.raises(ConnectionResetError):
            await other.recv(1)


@pytest.mark.parametrize("who", ["client", "server"])
async def test_a_reset_reaches_a_sender_that_waits(who):
    async with connected() as (_, client, server, _):
        one, other = (client, server) if who == "client" else (server, client)

        async def send():
            with pytest.raises(OSError, match=r"reset|Broken pipe"):
                await flood(other)

        async with trio.open_nursery() as nursery:
            nursery.start_soon(send)
            with trio.move_on_after(0.3):
                await trio.sleep_forever()
            reset(one)


@pytest.mark.parametrize("who", ["client", "server"])
async def test_after_a_half_close_the_other_half_goes_on(who):
    async with connected() as (_, client, server, _):
        one, other = (client, server) if who == "client" else (server, client)
        one.shutdown(socket.SHUT_WR)
        assert await other.recv(1) == b""
        await send_all(other, b"still here")
        assert await one.recv(100) == b"still here"


async def test_an_idle_connection_takes_a_fault_and_is_fast_again_when_it_heals():
    async with connected() as (proxy, client, server, _):
        await send_all(client, b"before")
        assert await server.recv(100) == b"before"
        for _ in range(3):
            charges = proxy.arm([FaultSpec(fixed(0.01), direction="both")])
            start = trio.current_time()
            await send_all(client, b"ping")
            assert await server.recv(100) == b"ping"
            await send_all(server, b"pong")
            assert await client.recv(100) == b"pong"
            assert trio.current_time() - start >= 0.02
            proxy.heal(charges[0])
            await send_all(client, b"ping")
            assert await server.recv(100) == b"ping"


async def test_a_proxy_that_stops_ends_connections_whose_peers_wait():
    async with connected() as (_, client, _, events):
        with trio.move_on_after(0.2):
            await flood(client)
    assert [type(event).__name__ for event in events][-1] == "ConnectionClosed"
