"""The small servers speak their protocols, over any stream."""

import struct

import pytest
import trio
from mini_postgres import CANCEL_REQUEST, PROTOCOL_3, SSL_REQUEST, MiniPostgres
from mini_redis import MiniRedis
from trio.testing import MockClock, memory_stream_pair


@pytest.fixture
def autojump_clock():
    return MockClock(autojump_threshold=0)


async def converse(server, sent, nursery):
    near, far = memory_stream_pair()
    nursery.start_soon(server.serve, far)
    await near.send_all(sent)
    await trio.testing.wait_all_tasks_blocked()
    return near, bytes(await near.receive_some())


@pytest.mark.parametrize(
    ("sent", "answer"),
    [
        (b"*1\r\n$4\r\nPING\r\n", b"+PONG\r\n"),
        (b"*2\r\n$4\r\nECHO\r\n$1\r\nx\r\n", b"$1\r\nx\r\n"),
        (b"*2\r\n$3\r\nGET\r\n$1\r\nx\r\n", b"$-1\r\n"),
        (b"*2\r\n$5\r\nHELLO\r\n$1\r\n9\r\n", b"-NOPROTO unsupported protocol version\r\n"),
        (b"*2\r\n$4\r\nINCR\r\n$1\r\nx\r\n", b":1\r\n"),
        (b"*1\r\n$4\r\nWHAT\r\n", b"-ERR unknown command 'WHAT'\r\n"),
    ],
)
async def test_redis_answers(sent, answer):
    async with trio.open_nursery() as nursery:
        near, got = await converse(MiniRedis(), sent, nursery)
        await near.aclose()
    assert got == answer


async def test_redis_tells_nothing_to_who_did_not_log_in():
    sent = b"*1\r\n$4\r\nPING\r\n*2\r\n$4\r\nAUTH\r\n$1\r\ns\r\n*1\r\n$4\r\nPING\r\n"
    async with trio.open_nursery() as nursery:
        near, got = await converse(MiniRedis(password="s"), sent, nursery)
        await near.aclose()
    assert got == b"-NOAUTH Authentication required.\r\n+OK\r\n+PONG\r\n"


def startup():
    body = struct.pack("!i", PROTOCOL_3) + b"user\0u\0\0"
    return struct.pack("!i", len(body) + 4) + body


def query(sql):
    body = sql.encode() + b"\0"
    return b"Q" + struct.pack("!i", len(body) + 4) + body


async def test_postgres_has_no_tls_unless_it_is_given_a_context():
    async with trio.open_nursery() as nursery:
        sent = struct.pack("!ii", 8, SSL_REQUEST)
        near, got = await converse(MiniPostgres(), sent, nursery)
        await near.aclose()
    assert got == b"N"


async def test_postgres_answers_a_simple_query():
    async with trio.open_nursery() as nursery:
        near, got = await converse(MiniPostgres(), startup(), nursery)
        assert got.startswith(b"R\0\0\0\x08\0\0\0\0")
        assert got.endswith(b"Z\0\0\0\x05I")
        await near.send_all(query("select 42"))
        await trio.testing.wait_all_tasks_blocked()
        got = bytes(await near.receive_some())
        await near.aclose()
    assert got[:1] == b"T"
    assert b"D" + struct.pack("!ihi", 12, 1, 2) + b"42" in got
    assert got.endswith(b"C\0\0\0\x0dSELECT 1\0Z\0\0\0\x05I")


async def test_postgres_stops_a_query_on_request(autojump_clock):
    server = MiniPostgres()
    async with trio.open_nursery() as nursery:
        near, _ = await converse(server, startup(), nursery)
        await near.send_all(query("select pg_sleep(1000)"))
        await trio.sleep(1)
        wrong, _ = await refuse(server, nursery, 1, 1)
        right, _ = await refuse(server, nursery, 1, 7919)
        await trio.sleep(1)
        got = bytes(await near.receive_some())
        assert b"57014" in got
        assert got.endswith(b"Z\0\0\0\x05I")
        for stream in (near, wrong, right):
            await stream.aclose()


async def refuse(server, nursery, number, secret):
    near, far = memory_stream_pair()
    nursery.start_soon(server.serve, far)
    await near.send_all(struct.pack("!iiii", 16, CANCEL_REQUEST, number, secret))
    return near, far
