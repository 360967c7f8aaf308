"""What callers of the HTTP client can rely on, over real sockets on 127.0.0.1."""

from collections import deque
from functools import partial
from itertools import count

import pytest
import trio
from pool_servers import OK, polite, reply, serve

from harness.pool import (
    CallFailed,
    Closed,
    ConnectFailed,
    HttpClient,
    HttpLimits,
    PoolClosed,
    PoolSettings,
    PoolTimeout,
)


def make_client(server, *, limits=None, on_event=None, **settings):
    settings.setdefault("timeout_s", 5.0)
    return HttpClient(
        "127.0.0.1",
        server.port,
        settings=PoolSettings(**settings),
        limits=limits,
        on_event=on_event,
    )


async def until(condition, within_s=5):
    with trio.fail_after(within_s):
        while not condition():  # noqa: ASYNC110 - the condition is the pool's, it has no event
            await trio.sleep(0.001)


def scripted(*replies):
    """Answer the n-th connection's requests with the n-th reply, the last one for all others."""

    async def script(peer):
        data = replies[min(peer.number, len(replies)) - 1]
        while await peer.request() is not None:
            await peer.send(data)
            if b"\r\n\r\n" not in data or data.endswith(b"CUT"):
                return

    return script


async def test_calls_share_a_connection_and_get_their_own_replies():
    async with serve(polite) as server, make_client(server) as client:
        for number in range(5):
            body = b"call %d" % number
            response = await client.request("POST", "/", body=body)
            assert (response.status, response.body) == (200, body)
        assert server.connections == 1


async def test_many_callers_at_once_get_their_own_replies():
    async with (
        serve(polite) as server,
        make_client(server, size=2, max_overflow=1) as client,
        trio.open_nursery() as nursery,
    ):

        async def call(number):
            body = b"call %d" % number
            assert (await client.request("POST", "/", body=body)).body == body

        for number in range(40):
            nursery.start_soon(call, number)
    assert server.connections <= 3


async def test_a_reply_can_be_read_as_it_comes():
    chunked = (
        b"HTTP/1.1 200 OK\r\nTransfer-Encoding: chunked\r\n\r\n3\r\nabc\r\n2\r\nde\r\n0\r\n\r\n"
    )
    async with serve(scripted(chunked)) as server, make_client(server) as client:
        for _ in range(2):
            async with client.stream("GET", "/") as response:
                assert response.status == 200
                assert b"".join([chunk async for chunk in response.chunks()]) == b"abcde"
        assert server.connections == 1


async def test_a_reply_not_read_to_its_end_costs_its_connection():
    async with serve(scripted(reply(b"x" * 1000))) as server, make_client(server) as client:
        async with client.stream("GET", "/") as response:
            assert response.status == 200
        await client.request("GET", "/")
        assert server.connections == 2


async def test_interim_replies_are_skipped_up_to_a_bound():
    interim = b"HTTP/1.1 103 Early Hints\r\n\r\n"
    async with serve(scripted(interim * 3 + OK)) as server, make_client(server) as client:
        assert (await client.request("GET", "/")).status == 200
    limits = HttpLimits(max_informational=2)
    async with serve(scripted(interim * 3 + OK)) as server, make_client(server, limits=limits) as c:
        with pytest.raises(CallFailed, match="more than 2 interim replies") as caught:
            await c.request("GET", "/")
        assert caught.value.kind == "protocol"


@pytest.mark.parametrize(
    "data",
    [
        reply(b"ok", b"Connection: close"),
        reply(b"ok", version="HTTP/1.0"),
        reply(b"ok", b"Keep-Alive: timeout=0"),
        OK + b"HTTP/1.1 200 OK\r\n",
    ],
    ids=["connection-close", "http-1.0", "keep-alive-0", "bytes-behind-the-reply"],
)
async def test_a_connection_that_the_server_gives_up_is_not_reused(data):
    async with serve(scripted(data)) as server, make_client(server) as client:
        for _ in range(2):
            assert (await client.request("GET", "/")).body == b"ok"
        assert server.connections == 2


async def test_a_keep_alive_time_is_kept_with_a_margin():
    data = reply(b"ok", b"Keep-Alive: timeout=1, max=99")
    news = []
    async with serve(scripted(data)) as server, make_client(server, on_event=news.append) as client:
        start = trio.current_time()
        await client.request("GET", "/")
        await until(lambda: any(isinstance(item, Closed) for item in news))
        assert 0.4 < trio.current_time() - start < 1


@pytest.mark.parametrize("end", ["fin", "reset"])
async def test_an_idle_connection_that_the_server_closes_is_closed_at_once(end):
    async with serve(polite) as server, make_client(server) as client:
        await client.request("GET", "/")
        getattr(server.peers[0], end)()
        await until(lambda: client.pool.stats().open == 0, within_s=1)
        await client.request("POST", "/", body=b"x")
        assert server.connections == 2


@pytest.mark.parametrize("end", ["fin", "reset"])
async def test_an_unsafe_call_never_meets_a_connection_closed_just_before(end):
    async with serve(polite) as server, make_client(server) as client:
        for _ in range(10):
            await client.request("POST", "/", body=b"x")
            getattr(server.peers[-1], end)()  # and no tick for anybody to notice it
            await client.request("POST", "/", body=b"y")
        assert len(server.requests) == 20


async def test_bytes_nobody_asked_for_never_become_a_reply():
    async def chatty(peer):
        while await peer.request() is not None:
            await peer.send(OK)
            await peer.send(reply(b"not yours"))

    async with serve(chatty) as server, make_client(server) as client:
        for _ in range(5):
            assert (await client.request("GET", "/")).body == b"ok"
            await until(lambda: client.pool.stats().idle == 0)


TRUNCATED = {
    "nothing": b"",
    "head": b"HTTP/1.1 200 OK\r\nContent-",
    "length": b"HTTP/1.1 200 OK\r\nContent-Length: 9\r\n\r\nCUT",
    "chunked": b"HTTP/1.1 200 OK\r\nTransfer-Encoding: chunked\r\n\r\n9\r\nCUT",
}


@pytest.mark.parametrize("data", TRUNCATED.values(), ids=TRUNCATED)
async def test_a_truncated_reply_to_an_unsafe_call_is_an_error_and_not_repeated(data):
    async with serve(scripted(data)) as server, make_client(server) as client:
        with pytest.raises(CallFailed) as caught:
            await client.request("POST", "/", body=b"x")
        assert (caught.value.kind, caught.value.sent) == ("closed", True)
        assert len(server.requests) == 1


@pytest.mark.parametrize("data", TRUNCATED.values(), ids=TRUNCATED)
async def test_a_truncated_reply_to_a_safe_call_is_asked_for_again(data):
    async with serve(scripted(data, OK)) as server, make_client(server) as client:
        assert (await client.request("GET", "/")).body == b"ok"
        assert server.connections == 2


async def test_a_safe_call_is_repeated_a_bounded_number_of_times():
    async with serve(scripted(b"")) as server, make_client(server) as client:
        with pytest.raises(CallFailed):
            await client.request("GET", "/")
        assert len(server.requests) == 1 + HttpLimits().max_retries


async def test_a_reply_without_a_length_ends_with_the_connection():
    async with (
        serve(scripted(b"HTTP/1.1 200 OK\r\n\r\nallCUT")) as server,
        make_client(server) as c,
    ):
        assert (await c.request("GET", "/")).body == b"allCUT"


async def test_a_reset_within_a_reply_is_told_from_a_close():
    async def script(peer):
        await peer.request()
        await peer.send(b"HTTP/1.1 200 OK\r\nContent-Length: 9\r\n\r\nCUT")
        peer.reset()

    async with serve(script) as server, make_client(server) as client:
        with pytest.raises(CallFailed, match="reset") as caught:
            await client.request("POST", "/", body=b"x")
        assert (caught.value.kind, caught.value.sent) == ("reset", True)


async def test_a_broken_reply_while_it_is_streamed_reaches_the_reader():
    data = b"HTTP/1.1 200 OK\r\nContent-Length: 9\r\n\r\nCUT"
    async with serve(scripted(data)) as server, make_client(server) as client:
        async with client.stream("GET", "/") as response:
            with pytest.raises(CallFailed) as caught:
                await response.read()
        assert caught.value.kind == "closed"


async def test_a_timeout_is_not_repeated():
    async def silent(peer):
        await peer.request()
        await trio.sleep_forever()

    async with serve(silent) as server, make_client(server) as client:
        with pytest.raises(CallFailed, match="no whole reply in time") as caught:
            await client.request("GET", "/", timeout_s=0.05)
        assert (caught.value.kind, caught.value.sent) == ("timeout", True)
        assert len(server.requests) == 1
        assert client.pool.stats().open == 0


async def test_garbage_is_a_protocol_error():
    async with serve(scripted(b"SSH-2.0-OpenSSH\r\n\r\n")) as server, make_client(server) as client:
        with pytest.raises(CallFailed) as caught:
            await client.request("GET", "/")
        assert caught.value.kind == "protocol"


async def test_a_call_that_is_not_http_is_refused_before_it_is_sent():
    async with serve(polite) as server, make_client(server) as client:
        with pytest.raises(CallFailed) as caught:
            await client.request("GET", "/", headers=[("Bad Name", "x")])
        assert (caught.value.kind, caught.value.sent) == ("protocol", False)
        assert server.requests == []


@pytest.mark.parametrize(
    ("limits", "match"),
    [
        (HttpLimits(max_body_bytes=99), "longer than 99 bytes"),
        (HttpLimits(max_header_bytes=50), "the head is longer than 50 bytes"),
    ],
    ids=["body", "head"],
)
async def test_a_reply_beyond_the_limits_is_an_error(limits, match):
    data = reply(b"x" * 100, b"X-Long: " + b"y" * 100)
    async with serve(scripted(data)) as server, make_client(server, limits=limits) as client:
        with pytest.raises(CallFailed, match=match) as caught:
            await client.request("GET", "/")
        assert caught.value.kind == "protocol"


@pytest.mark.parametrize("then", ["close", "linger"])
async def test_an_early_reply_is_read_while_the_request_is_still_being_sent(then):
    async def script(peer):
        if peer.number > 1:
            await polite(peer)
            return
        await peer.head()
        await peer.send(reply(b"too much", status="413 Content Too Large"))
        if then == "linger":
            await trio.sleep_forever()
        peer.fin()
        await trio.sleep_forever()

    async with serve(script) as server, make_client(server) as client:
        response = await client.request("POST", "/", body=b"x" * 30_000_000, timeout_s=4)
        assert (response.status, response.body) == (413, b"too much")
        assert (await client.request("GET", "/")).status == 200
        assert server.connections == 2


async def test_a_408_for_an_idle_connection_is_not_taken_for_a_safe_calls_reply():
    async def script(peer):
        for number in count():
            if await peer.request() is None:
                return
            if peer.number == 1 and number == 1:
                await peer.send(reply(b"", b"Connection: close", status="408 Request Timeout"))
                return
            await peer.send(OK)

    async with serve(script) as server, make_client(server) as client:
        for _ in range(2):
            assert (await client.request("GET", "/")).status == 200
        assert server.connections == 2


async def test_a_ping_is_a_round_trip_and_any_reply_will_do():
    async def script(peer):
        while (request := await peer.request()) is not None:
            refused = reply(b"", status="405 Method Not Allowed")
            await peer.send(refused if request[0] == "OPTIONS" else OK)

    async with serve(script) as server, make_client(server, pre_ping=True, bypass_window_s=0) as c:
        await c.request("GET", "/a")
        await c.request("GET", "/b")
        assert server.requests == [(1, "GET", "/a"), (1, "OPTIONS", "*"), (1, "GET", "/b")]


async def test_a_connection_that_fell_silent_is_found_by_the_ping():
    async def script(peer):
        await peer.request()
        await peer.send(OK)
        if peer.number == 1:
            await trio.sleep_forever()
        await polite(peer)

    settings = {"pre_ping": True, "bypass_window_s": 0, "ping_timeout_s": 0.05}
    async with serve(script) as server, make_client(server, **settings) as client:
        await client.request("GET", "/")
        assert (await client.request("POST", "/", body=b"x")).status == 200
        assert server.connections == 2


async def test_after_a_reset_the_retry_does_not_trust_other_idle_connections():
    """The first connection dies with the call; the second has fallen silent unnoticed."""
    mute = trio.Event()

    async def script(peer):
        await peer.request()
        await peer.send(OK)
        if peer.number > 2:
            await polite(peer)
            return
        await peer.request()
        if not mute.is_set():
            mute.set()
            peer.reset()
            return
        await trio.sleep_forever()

    async with serve(script) as server, make_client(server, ping_timeout_s=0.05) as client:
        async with trio.open_nursery() as nursery:
            for _ in range(2):
                nursery.start_soon(client.request, "GET", "/warm")
        await until(lambda: client.pool.stats().idle == 2)
        assert (await client.request("GET", "/", timeout_s=3)).status == 200
        assert server.connections == 3


async def test_a_timeout_casts_doubt_on_the_connections_that_are_idle():
    async def script(peer):
        await peer.request()
        await peer.send(OK)
        if peer.number > 2:
            await polite(peer)
        await trio.sleep_forever()

    async with serve(script) as server, make_client(server, ping_timeout_s=0.05) as client:
        async with trio.open_nursery() as nursery:
            for _ in range(2):
                nursery.start_soon(client.request, "GET", "/warm")
        await until(lambda: client.pool.stats().idle == 2)
        with pytest.raises(CallFailed):
            await client.request("GET", "/", timeout_s=0.05)
        assert (await client.request("GET", "/", timeout_s=3)).status == 200
        assert server.connections == 3


async def test_a_refused_connect_says_so():
    async with serve(polite) as server:
        gone = server
    client = make_client(gone, timeout_s=0.2)
    async with client:
        with pytest.raises(ConnectFailed, match="refused") as caught:
            await client.request("GET", "/")
        assert (caught.value.kind, caught.value.sent) == ("refused", False)


async def test_a_full_pool_says_so():
    async with (
        serve(polite) as server,
        make_client(server, size=1, max_overflow=0) as client,
        client.stream("GET", "/") as response,
    ):
        with pytest.raises(PoolTimeout) as caught:
            await client.request("GET", "/", timeout_s=0.05)
        assert (response.status, caught.value.sent) == (200, False)


async def test_a_closed_client_says_so():
    async with serve(polite) as server:
        async with make_client(server) as client:
            pass
        with pytest.raises(PoolClosed):
            await client.request("GET", "/")


async def test_a_call_cut_off_by_the_pools_closing_says_so():
    async def silent(peer):
        await peer.request()
        await trio.sleep_forever()

    async with (
        serve(silent) as server,
        make_client(server) as client,
        trio.open_nursery() as nursery,
    ):

        async def call():
            with pytest.raises(CallFailed) as caught:
                await client.request("GET", "/")
            assert caught.value.kind == "pool_closed"

        nursery.start_soon(call)
        await until(lambda: server.requests)
        await client.pool.aclose(grace_s=0.02)


async def test_a_name_is_resolved():
    async with serve(polite) as server, HttpClient("localhost", server.port) as client:
        assert (await client.request("GET", "/")).status == 200
        with pytest.raises(ValueError, match="more than 0 seconds"):
            await client.request("GET", "/", timeout_s=0)


async def test_a_retry_keeps_to_the_calls_own_budget():
    waits = deque([0.15, 0.15, 0.15])

    async def script(peer):
        await peer.request()
        await trio.sleep(waits.popleft())

    async with serve(script) as server, make_client(server) as client:
        call = partial(client.request, "GET", "/", timeout_s=0.2)
        with pytest.raises(CallFailed) as caught:
            await call()
        assert caught.value.kind == "timeout"
        assert len(server.requests) == 2
