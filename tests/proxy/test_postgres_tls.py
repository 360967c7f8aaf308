"""TLS as PostgreSQL asks for it: granted by the proxy, asked for by it, and struck by faults."""

import struct

import pytest
from raw import FIN, RST, TlsPeer, bench, fault

from harness.history import ConnectionClosed, DialFailed, TlsEstablished, TlsFailed
from harness.origin import find_programs, installed
from harness.proxy import Authority
from harness.runner import run_scenario
from harness.scenario import read_text
from harness.wire import postgres as pg

TLS, GSS, CANCEL = 80877103, 80877104, 80877102
STARTUP = pg.startup({"user": "me"})
NAME = "localhost"


def request(code, more=b""):
    return struct.pack("!ii", 8 + len(more), code) + more


@pytest.fixture(scope="module")
def authority():
    return Authority()


def proxied(*specs, authority, tls="terminate", **settings):
    return bench(*specs, tls=tls, protocol="postgres", authority=authority, **settings)


async def asked(b, authority, **options):
    """A client that has asked for TLS, and been granted it."""
    client = await b.client()
    await client.send(request(TLS))
    assert await client.read(1) == b"S"
    return TlsPeer(client, authority.client_context(), server_hostname=NAME, **options)


async def test_a_client_that_asks_for_tls_gets_it_and_the_server_hears_nothing_of_it(authority):
    async with proxied(authority=authority) as b:
        client = await (await asked(b, authority)).handshake()
        await client.send(STARTUP)
        assert await (await b.server.accept()).read(len(STARTUP)) == STARTUP
        assert len(b.of(TlsEstablished)) == 1


async def test_gssapi_is_declined_first(authority):
    async with proxied(authority=authority) as b:
        client = await b.client()
        await client.send(request(GSS))
        assert await client.read(1) == b"N"
        await client.send(request(TLS))
        assert await client.read(1) == b"S"
        await TlsPeer(client, authority.client_context(), server_hostname=NAME).handshake()


async def test_a_request_in_pieces_is_a_request(authority):
    async with proxied(authority=authority) as b:
        client = await b.client()
        for byte in request(TLS):
            await client.send(bytes([byte]))
        assert await client.read(1) == b"S"


async def test_tls_may_begin_at_once_and_agrees_on_the_protocol(authority):
    async with proxied(authority=authority) as b:
        context = authority.client_context()
        context.set_alpn_protocols(["postgresql"])
        tls = await TlsPeer(await b.client(), context, server_hostname=NAME).handshake()
        assert tls.tls.selected_alpn_protocol() == "postgresql"


async def test_who_asks_for_no_tls_is_told_so_in_the_protocols_words(authority):
    async with proxied(authority=authority) as b:
        said, end = await (await (await b.client()).send(STARTUP)).rest()
        (error,) = pg.Reader().feed(said)
        assert (error.code, error.is_fatal, end) == ("28000", True, FIN)
        assert "doesn't ask for TLS" in (await b.told(TlsFailed))[0].reason


@pytest.mark.parametrize("ending", ["fin", "reset"])
async def test_a_client_that_leaves_before_it_asks_is_no_failure_of_ours(authority, ending):
    async with proxied(authority=authority) as b:
        client = await b.client()
        await client.send(b"\0\0")
        getattr(client, ending)()
        (closed,) = await b.told(ConnectionClosed)
        assert (closed.by, closed.how) == ("client", ending)


async def test_a_cancel_request_passes_in_plain_text_and_is_known_as_such(authority):
    cancel = request(CANCEL, b"12345678")
    async with proxied(authority=authority, origin_tls=authority.client_context()) as b:
        client = await b.client()
        await client.send(cancel)
        server = await b.server.accept()
        assert await server.read(16) == cancel
        client.fin()
        assert await server.rest() == (b"", FIN)
        server.close()
        (closed,) = await b.told(ConnectionClosed)
        assert closed.purpose == "cancel"
        assert b.of(TlsFailed) == []


async def test_a_session_is_no_cancel_request(authority):
    async with bench(protocol="postgres", authority=authority) as b:
        client, server = await b.pair()
        await client.send(STARTUP)
        await server.read(len(STARTUP))
        client.close()
        server.close()
        assert (await b.told(ConnectionClosed))[0].purpose == ""


async def test_the_proxy_asks_the_server_for_tls_in_the_same_way(authority):
    async with proxied(authority=authority, origin_tls=authority.client_context()) as b:
        client = await (await asked(b, authority)).handshake()
        server = await b.server.accept()
        assert await server.read(8) == request(TLS)
        await server.send(b"S")
        inner = TlsPeer(server, authority.server_context(), server_side=True)
        await inner.handshake()
        await client.send(STARTUP)
        assert await inner.read(len(STARTUP)) == STARTUP


async def test_a_server_without_tls_is_not_reached(authority):
    async with proxied(authority=authority, origin_tls=authority.client_context()) as b:
        client = await (await asked(b, authority)).handshake()
        server = await b.server.accept()
        await server.send(b"N")
        assert (await b.told(DialFailed))[0].reason == "blue has no TLS"
        assert (await client.rest())[1] == RST


async def test_passed_through_it_is_asked_for_on_both_sides_and_not_opened(authority):
    async with proxied(authority=authority, tls="passthrough") as b:
        client = await asked(b, authority)
        server = await b.server.accept()
        assert await server.read(8) == request(TLS)
        await server.send(b"S")
        inner = TlsPeer(server, authority.server_context(), server_side=True)
        await client.peer.send(b"\x16the client's hello")
        assert await server.read(19) == b"\x16the client's hello"
        assert inner.tls is not None
        assert b.of(TlsEstablished) == []


@pytest.mark.parametrize("mode", ["terminate", "passthrough"])
async def test_a_handshake_is_struck_behind_the_negotiation(authority, mode):
    async with proxied(fault("handshake_reset"), authority=authority, tls=mode) as b:
        client = await asked(b, authority)
        with pytest.raises(ConnectionResetError):
            await client.handshake()


async def test_a_bad_certificate_comes_behind_the_negotiation(authority):
    spec = fault("certificate", problem="expired")
    async with proxied(spec, authority=authority) as b:
        client = await asked(b, authority)
        with pytest.raises(Exception, match="certificate has expired"):
            await client.handshake()


# --- a real server --------------------------------------------------------------------------

SCENARIO = """
scenario: tls
origin: {serve: postgres, tls: %s}
proxy: {tls: %s}
workload: [{phase: load, callers: 2, calls: 6, unsafe: 50%%, session: 100%%}]
recovery: false
expect: {at_most_once: true, no_crosstalk: true, errors: 0, clean_checkout: true, no_leaks: true}
"""
CLIENT = """
from harness.clients import Reply
from harness.origin.sessions import Place, postgres_session

class Fresh:
    NAME = "fresh"
    RUNS_ON = "trio"
    SERVES = ("postgres",)
    SUPPORTS = ("size", "tls", "session")
    REQUIRES = ()

    async def open(self, settings):
        self.place = Place(
            settings.host, settings.port, settings.user, settings.password, settings.database,
            settings.ssl_context(),
        )

    async def call(self, call):
        shown = (f"'{v}'" if isinstance(v, (str, bool)) else str(v)
                 for v in call.sql_arguments.values())
        async with postgres_session(self.place) as session:
            ((body,),) = await session.ask(f"SELECT chaos_call({', '.join(shown)})")
        return Reply(body.encode())

    async def close(self):
        pass
"""


def has_tls():
    return any(programs.has_tls for programs in installed("postgres"))


@pytest.mark.skipif(next(installed("postgres"), None) is None, reason="no PostgreSQL here")
@pytest.mark.parametrize("mode", ["terminate", "re-encrypt", "passthrough"])
def test_a_real_server_is_spoken_to(tmp_path, mode):
    if mode != "terminate" and not has_tls():
        pytest.skip("no PostgreSQL here was built with TLS")
    (tmp_path / "fresh.py").write_text(CLIENT)
    proxied = "passthrough" if mode == "passthrough" else "terminate"
    text = SCENARIO % (str(mode != "terminate").lower(), proxied)
    result = run_scenario(read_text(text, file="tls.yaml"), f"{tmp_path}/fresh.py:Fresh")
    verdicts = {finding.check: finding.verdict.value for finding in result.findings}
    assert result.setup_error == ""
    assert set(verdicts.values()) == {"pass"}, result.findings
    assert len(result.history.of(TlsEstablished)) == (0 if mode == "passthrough" else 6)


def test_programs_with_tls_are_found_where_there_are_any():
    if not has_tls():
        pytest.skip("no PostgreSQL here was built with TLS")
    assert find_programs("postgres", tls=True).has_tls
