"""What TLS adds: certificates, truncation without a close_notify, and session tickets."""

import ssl

import pytest
import trio
import trustme
from pool_servers import OK, polite, reply, serve

from harness.pool import CallFailed, ConnectFailed, HttpClient, PoolSettings


@pytest.fixture(scope="module")
def ca():
    return trustme.CA()


@pytest.fixture(scope="module", params=["TLSv1_2", "TLSv1_3"])
def server_tls(ca, request):
    context = ssl.create_default_context(ssl.Purpose.CLIENT_AUTH)
    ca.issue_cert("127.0.0.1", "localhost").configure_cert(context)
    context.minimum_version = context.maximum_version = ssl.TLSVersion[request.param]
    return context


@pytest.fixture(scope="module")
def tls_13(ca):
    context = ssl.create_default_context(ssl.Purpose.CLIENT_AUTH)
    ca.issue_cert("127.0.0.1").configure_cert(context)
    context.minimum_version = ssl.TLSVersion.TLSv1_3
    return context


@pytest.fixture(scope="module")
def client_tls(ca):
    context = ssl.create_default_context()
    ca.configure_trust(context)
    return context


def make_client(server, context, **settings):
    settings.setdefault("timeout_s", 5.0)
    return HttpClient(
        "127.0.0.1", server.port, ssl_context=context, settings=PoolSettings(**settings)
    )


async def until(condition, within_s=5):
    with trio.fail_after(within_s):
        while not condition():  # noqa: ASYNC110 - the condition is the pool's, it has no event
            await trio.sleep(0.001)


async def test_calls_share_a_connection(server_tls, client_tls):
    async with serve(polite, server_tls) as server, make_client(server, client_tls) as client:
        for number in range(3):
            body = b"call %d" % number
            assert (await client.request("POST", "/", body=body)).body == body
        assert server.connections == 1


@pytest.mark.parametrize("noticed", [True, False], ids=["while-watched", "at-the-hand-out"])
async def test_session_tickets_do_not_make_a_connection_stale(tls_13, client_tls, noticed):
    async with (
        serve(polite, tls_13, bare=True) as server,
        make_client(server, client_tls, size=1, min_idle=1) as client,
    ):
        await until(lambda: client.pool.stats().idle == len(server.peers) == 1)
        tls = server.peers[0].stream
        tls.send_now(tls.take_tickets())
        if noticed:
            await trio.sleep(0.01)
        async with client.stream("GET", "/") as response:
            assert not client.pool.stats().closed_total
            assert (await response.read()).status == 200
        assert server.requests == [(1, "GET", "/")]


async def test_a_close_behind_session_tickets_is_seen_before_reuse(tls_13, client_tls):
    async with (
        serve(polite, tls_13, bare=True) as server,
        make_client(server, client_tls, size=1, min_idle=1) as client,
    ):
        for number in range(5):
            # Both at once: the pool has a connection, and it is the one the server shook hands on.
            await until(
                lambda served=number: (
                    client.pool.stats().idle == 1 and len(server.peers) == 2 * served + 1
                )
            )
            peer = server.peers[-1]
            peer.stream.send_now(peer.stream.take_tickets())
            peer.fin()  # and no tick for anybody to notice it
            await client.request("POST", "/", body=b"x")
            server.peers[-1].fin()
        assert len(server.requests) == 5


@pytest.mark.parametrize("end", ["fin", "reset", "close_notify"])
async def test_a_connection_closed_while_idle_is_found_at_once(server_tls, client_tls, end):
    async with serve(polite, server_tls) as server, make_client(server, client_tls) as client:
        await client.request("GET", "/")
        peer = server.peers[0]
        if end == "close_notify":
            await peer.stream.aclose()
        else:
            getattr(peer, end)()
        await until(lambda: client.pool.stats().open == 0, within_s=1)
        assert (await client.request("POST", "/", body=b"x")).status == 200
        assert server.connections == 2


@pytest.mark.parametrize("end", ["fin", "reset"])
async def test_an_unsafe_call_never_meets_a_connection_closed_just_before(
    server_tls, client_tls, end
):
    async with serve(polite, server_tls) as server, make_client(server, client_tls) as client:
        for _ in range(5):
            await client.request("POST", "/", body=b"x")
            getattr(server.peers[-1], end)()  # and no tick for anybody to notice it
            await client.request("POST", "/", body=b"y")
        assert len(server.requests) == 10


async def test_a_reply_nobody_asked_for_in_the_same_packet_is_not_handed_on(tls_13, client_tls):
    """Two TLS records in one segment: the second one waits inside the TLS layer, unseen."""

    async def script(peer):
        while await peer.request() is not None:
            peer.stream.send_now(peer.stream.seal(OK, reply(b"not yours")))

    async with (
        serve(script, tls_13, bare=True) as server,
        make_client(server, client_tls) as client,
    ):
        for _ in range(3):
            assert (await client.request("GET", "/")).body == b"ok"
        assert server.connections == 3


async def test_a_body_that_ends_without_close_notify_is_an_error(server_tls, client_tls):
    async def cut(peer):
        await peer.request()
        await peer.send(b"HTTP/1.1 200 OK\r\n\r\nhalf of it")
        peer.fin()

    async with serve(cut, server_tls) as server, make_client(server, client_tls) as client:
        with pytest.raises(CallFailed) as caught:
            await client.request("POST", "/", body=b"x")
        assert (caught.value.kind, caught.value.sent) == ("closed", True)


async def test_a_body_that_ends_with_close_notify_is_whole(server_tls, client_tls):
    async def whole(peer):
        await peer.request()
        await peer.send(b"HTTP/1.1 200 OK\r\n\r\nall of it")
        await peer.stream.aclose()

    async with serve(whole, server_tls) as server, make_client(server, client_tls) as client:
        assert (await client.request("POST", "/", body=b"x")).body == b"all of it"


async def test_a_certificate_that_fails_its_check_is_told_at_once(server_tls):
    context = ssl.create_default_context()
    async with serve(polite, server_tls) as server, make_client(server, context) as client:
        with (
            trio.fail_after(3),
            pytest.raises(ConnectFailed, match="verification failed") as caught,
        ):
            await client.request("GET", "/")
        assert (caught.value.kind, caught.value.sent) == ("tls", False)
        assert server.connections == 1


async def test_a_certificate_for_another_name_is_told_with_the_name(server_tls, client_tls):
    client = HttpClient("127.0.0.1", 0, ssl_context=client_tls, server_hostname="example.org")
    async with serve(polite, server_tls) as server:
        client._connector._port = server.port
        async with client:
            with pytest.raises(ConnectFailed, match=r"example\.org") as caught:
                await client.request("GET", "/")
            assert caught.value.kind == "tls"


async def test_a_server_without_tls_is_a_tls_failure(client_tls):
    async def plain(peer):
        await peer.send(OK)

    async with serve(plain) as server, make_client(server, client_tls, timeout_s=0.1) as client:
        with pytest.raises(ConnectFailed) as caught:
            await client.request("GET", "/")
        assert caught.value.kind == "tls"


async def test_a_peer_that_never_answers_close_notify_does_not_delay_the_end(
    server_tls, client_tls
):
    async def deaf(peer):
        await peer.request()
        await peer.send(OK)
        await trio.sleep_forever()

    async with serve(deaf, server_tls) as server:
        with trio.fail_after(2):
            async with make_client(server, client_tls) as client:
                await client.request("GET", "/")
