"""The built-in servers: they answer every call, count it, and no client brings them down."""

import h11
import pytest
import trio

from harness.history import Executed
from harness.origin import open_origin
from harness.proxy import Authority
from harness.worker.contract import (
    REPLY_LIMIT_BYTES,
    THINK_LIMIT_S,
    Asked,
    nonce_of,
    reply_body,
)


class Http:
    """A raw HTTP client on h11."""

    def __init__(self, stream):
        self.stream = stream
        self.http = h11.Connection(h11.CLIENT)

    async def ask(self, method, target, body=b"", **headers):
        named = [(name.replace("_", "-"), value) for name, value in headers.items()]
        request = h11.Request(
            method=method,
            target=target,
            headers=[("Host", "x"), ("Content-Length", str(len(body))), *named],
        )
        raw = self.http.send(request)
        if body:
            raw += self.http.send(h11.Data(data=body))
        await self.stream.send_all(raw + self.http.send(h11.EndOfMessage()))
        status, reply = None, b""
        with trio.fail_after(20):
            while True:
                event = self.http.next_event()
                match event:
                    case h11.NEED_DATA:
                        self.http.receive_data(await self.stream.receive_some(65536))
                    case h11.Response():
                        status = event
                    case h11.Data():
                        reply += event.data
                    case h11.EndOfMessage():
                        break
        if self.http.our_state is h11.DONE and self.http.their_state is h11.DONE:
            self.http.start_next_cycle()
        return status, reply


async def connect(origin, name="blue"):
    return await trio.open_tcp_stream(*origin.addresses[name])


async def test_a_call_is_answered_and_counted():
    events = []
    opened = open_origin(["blue", "green"], on_event=events.append)
    async with opened as origin, await connect(origin, "green") as stream:
        http = Http(stream)
        for method, unsafe in (("GET", False), ("POST", True), ("HEAD", False)):
            asked = Asked(nonce=f"n-{method}", size_bytes=1000)
            response, body = await http.ask(method, asked.target())
            assert response.status_code == 200
            assert (b"content-length", b"1000") in response.headers
            assert body == (b"" if method == "HEAD" else reply_body(asked.nonce, 1000))
            last = events[-1]
            assert isinstance(last, Executed)
            assert (last.nonce, last.backend, last.unsafe) == (asked.nonce, "green", unsafe)


@pytest.mark.parametrize("framing", ["length", "chunked", "eof"])
async def test_every_framing_brings_the_same_body(framing):
    async with open_origin(["blue"]) as origin, await connect(origin) as stream:
        asked = Asked(nonce="n", size_bytes=50_000, framing=framing)
        _, body = await Http(stream).ask("GET", asked.target())
        assert body == reply_body("n", 50_000)
        assert nonce_of(body) == "n"


async def test_what_is_no_call_is_not_executed():
    events = []
    opened = open_origin(["blue"], on_event=events.append)
    async with opened as origin, await connect(origin) as stream:
        http = Http(stream)
        assert (await http.ask("GET", "/elsewhere"))[0].status_code == 404
        assert (await http.ask("OPTIONS", "/"))[0].status_code == 200
    assert events == []


@pytest.mark.parametrize(
    "target",
    [
        "/call?nonce=n&size=-1",
        "/call?nonce=n&size=many",
        "/call?nonce=n&slow=nan",
        "/call?nonce=n&slow=-1",
        "/call?nonce=",
    ],
)
async def test_a_call_that_makes_no_sense_is_refused_and_the_origin_lives_on(target):
    async with open_origin(["blue"]) as origin, await connect(origin) as stream:
        assert (await Http(stream).ask("GET", target))[0].status_code == 404
        async with await connect(origin) as other:
            asked = Asked(nonce="n")
            assert (await Http(other).ask("GET", asked.target()))[0].status_code == 200


def test_limits_hold_whatever_is_asked():
    asked = Asked.from_target(f"/call?nonce=n&size={10**12}&slow=inf")
    assert (asked.size_bytes, asked.slow_s) == (REPLY_LIMIT_BYTES, THINK_LIMIT_S)


def test_a_target_is_read_as_it_was_written():
    asked = Asked(nonce="a b&c", size_bytes=7, slow_s=0.5, framing="chunked")
    assert Asked.from_target(asked.target()) == asked


def test_a_reply_too_short_for_its_name_is_stretched():
    assert reply_body("name", 2) == b"name\n"
    assert nonce_of(b"no newline") == ""
    assert reply_body("a", 100) != reply_body("b", 100)


async def test_nonsense_is_answered_with_400():
    async with open_origin(["blue"]) as origin, await connect(origin) as stream:
        await stream.send_all(b"\x00\x01nonsense\r\n\r\n")
        with trio.fail_after(20):
            assert (await stream.receive_some()).startswith(b"HTTP/1.1 400")


async def test_an_idle_connection_is_closed_after_keep_alive():
    opened = open_origin(["blue"], keep_alive_s=1.0)
    async with opened as origin, await connect(origin) as stream:
        response, _ = await Http(stream).ask("GET", Asked(nonce="n").target())
        assert dict(response.headers)[b"keep-alive"] == b"timeout=1"
        with trio.fail_after(20):
            assert await stream.receive_some() == b""


@pytest.mark.parametrize("farewell", [True, False])
async def test_tls_ends_with_close_notify(farewell):
    authority = Authority()
    async with open_origin(["blue"], tls=authority.server_context()) as origin:
        stream = await connect(origin)
        # Without https_compatible a missing close_notify would be an error here.
        tls = trio.SSLStream(stream, authority.client_context(), server_hostname="localhost")
        asked = Asked(nonce="n", framing="eof")
        _, body = await Http(tls).ask("GET", asked.target())
        assert body == reply_body("n", asked.size_bytes)
        await (tls if farewell else stream).aclose()


async def test_the_echo_server_sends_back_and_counts_lines():
    events = []
    opened = open_origin(["blue"], serve="echo", on_event=events.append)
    async with opened as origin, await connect(origin) as stream:
        await stream.send_all(b"one\n!two")
        await stream.send_all(b" and more\n\nunfinished")
        await stream.send_eof()
        echoed = b"".join([part async for part in stream])
    assert echoed == b"one\n!two and more\n\nunfinished"
    assert [(event.nonce, event.unsafe) for event in events] == [("one", False), ("two", True)]
