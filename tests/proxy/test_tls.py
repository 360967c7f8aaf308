"""TLS ended here, passed through, or ended and begun again."""

import ssl

import pytest
import trio
from raw import FIN, RST, TlsPeer, bench, fault, in_background, until, when

from harness.history import ConnectionClosed, TlsEstablished, TlsFailed
from harness.proxy import Authority
from harness.proxy.authority import Certificates

NAME = "db.example.org"


@pytest.fixture(scope="module")
def authority():
    return Authority()


async def tls_pair(b, authority, name=NAME, **options):
    client = await b.client()
    tls = TlsPeer(client, authority.client_context(), server_hostname=name, **options)
    await tls.handshake()
    return tls, await b.server.accept()


async def test_a_certificate_is_made_for_each_name_asked_for(authority):
    async with bench(tls="terminate", authority=authority) as b:
        for name in (NAME, "other.example.org", "localhost"):
            tls, server = await tls_pair(b, authority, name)
            await tls.send(b"plain behind")
            assert await server.read(12) == b"plain behind"
        assert [event.version for event in b.of(TlsEstablished)] == ["TLSv1.3"] * 3


async def test_too_many_names_are_refused_by_an_alert(authority, monkeypatch):
    monkeypatch.setattr("harness.proxy.authority.NAMES_LIMIT", 1)
    async with bench(tls="terminate", authority=Authority()) as b:
        tls = TlsPeer(await b.client(), authority.client_context(), server_hostname=NAME)
        with pytest.raises(ssl.SSLError, match=r"(?i)unrecognized.name"):
            await tls.handshake()
        await b.told(TlsFailed)


async def test_a_session_is_resumed(authority):
    context = authority.client_context()
    async with bench(tls="terminate", authority=authority) as b:
        first = TlsPeer(await b.client(), context, server_hostname=NAME)
        await first.handshake()
        await (await b.server.accept()).send(b"ticket comes along")
        await first.read(18)
        session = first.tls.session
        second = TlsPeer(await b.client(), context, server_hostname=NAME, session=session)
        await second.handshake()
        assert second.tls.session_reused
        assert [event.resumed for event in await b.told(TlsEstablished, 2)] == [False, True]


async def test_close_notify_becomes_fin_and_fin_becomes_close_notify(authority):
    async with bench(tls="terminate", authority=authority) as b:
        tls, server = await tls_pair(b, authority)
        await tls.send(b"bye")
        await tls.farewell()
        assert await server.rest() == (b"bye", FIN)
        await server.send(b"reply after half-close")
        server.close()
        assert await tls.rest() == (b"reply after half-close", "close_notify")


async def test_a_half_close_under_tls_loses_nothing_that_is_on_its_way(authority):
    size = 3 * 2**20
    async with bench(tls="terminate", authority=authority) as b:
        tls, server = await tls_pair(b, authority)

        async def reply():
            await server.send(b"r" * size)
            server.fin()

        async with in_background(reply):
            await tls.send(b"q" * 200_000)
            await tls.farewell()
            assert await tls.rest() == (b"r" * size, "close_notify")
        assert await server.rest() == (b"q" * 200_000, FIN)


async def test_the_servers_half_close_loses_nothing_of_the_upload(authority):
    size = 2 * 2**20
    async with bench(tls="terminate", authority=authority) as b:
        tls, server = await tls_pair(b, authority)

        async def upload():
            await tls.send(b"q" * size)
            await tls.farewell()

        async with in_background(upload):
            await server.read(100_000)
            server.fin()
            rest, end = await server.rest()
        assert (len(rest) + 100_000, end) == (size, FIN)


@pytest.mark.parametrize("tls_out", [False, True])
async def test_ragged_ends_stay_ragged_where_there_is_tls_behind(authority, tls_out):
    origin_tls = authority.client_context() if tls_out else None
    async with bench(tls="terminate", authority=authority, origin_tls=origin_tls) as b:
        client = await b.client()
        tls = TlsPeer(client, authority.client_context(), server_hostname=NAME)
        async with trio.open_nursery() as nursery:
            nursery.start_soon(tls.handshake)
            server = await b.server.accept()
            if tls_out:
                context = authority.server_context()
                server = await TlsPeer(server, context, server_side=True).handshake()
        await server.send(b"cut sh")
        (server.peer if tls_out else server).close()
        # Without TLS behind, FIN is all the farewell there is.
        assert await tls.rest() == (b"cut sh", "ragged" if tls_out else "close_notify")


async def test_a_ragged_client_is_ragged_at_the_backend(authority):
    origin_tls = authority.client_context()
    async with bench(tls="terminate", authority=authority, origin_tls=origin_tls) as b:
        client = await b.client()
        tls = TlsPeer(client, authority.client_context(), server_hostname=NAME)
        async with trio.open_nursery() as nursery:
            nursery.start_soon(tls.handshake)
            raw = await b.server.accept()
            server = TlsPeer(raw, authority.server_context(), server_side=True)
            await server.handshake()
        await tls.send(b"half a req")
        client.fin()
        assert await server.rest() == (b"half a req", "ragged")


async def test_passthrough_passes_every_byte(authority):
    async with bench(tls="passthrough") as b:
        client = await b.client()
        tls = TlsPeer(client, authority.client_context(), server_hostname="localhost")
        async with trio.open_nursery() as nursery:
            nursery.start_soon(tls.handshake)
            raw = await b.server.accept()
            server = TlsPeer(raw, authority.server_context(), server_side=True)
            await server.handshake()
        await tls.send(b"end to end")
        assert await server.read(10) == b"end to end"


async def test_a_reset_stays_a_reset_under_tls(authority):
    async with bench(tls="terminate", authority=authority) as b:
        tls, server = await tls_pair(b, authority)
        await server.send(b"some")
        await tls.read(4)
        server.reset()
        assert await tls.rest() == (b"", RST)


async def test_the_client_goes_on_uploading_while_it_does_not_read(authority):
    async with bench(tls="terminate", authority=authority) as b:
        tls, server = await tls_pair(b, authority)
        size = 12 * 2**20  # more than kernels buffer: the proxy's write to the client is stuck

        async with in_background(lambda: server.send(b"r" * size)):
            await trio.sleep(0.2)
            async with in_background(lambda: tls.send(b"q" * size)):
                # Nobody reads the reply, yet the request arrives.
                assert len(await server.read(size)) == size


# --- faults ---------------------------------------------------------------------------------


@pytest.mark.parametrize(
    ("name", "end"), [("close", "close_notify"), ("truncate", "ragged"), ("reset", RST)]
)
async def test_the_end_of_tls_is_what_the_fault_says(authority, name, end):
    spec = fault(name, when(response=1, byte=200))
    async with bench(spec, tls="terminate", authority=authority) as b:
        tls, server = await tls_pair(b, authority)
        await tls.send(b"q")
        await server.read(1)
        await server.send(b"x" * 1000)
        assert await tls.rest() == (b"x" * 200, end)


@pytest.mark.parametrize(
    ("problem", "says"),
    [
        ("expired", "has expired"),
        ("not_yet_valid", "not yet valid"),
        ("wrong_host", "Hostname mismatch"),
        ("untrusted", "unable to get (local )?issuer"),
    ],
)
async def test_a_bad_certificate_is_bad_in_its_own_way(authority, problem, says):
    async with bench(
        fault("certificate", problem=problem), tls="terminate", authority=authority
    ) as b:
        tls = TlsPeer(await b.client(), authority.client_context(), server_hostname=NAME)
        with pytest.raises(ssl.SSLCertVerificationError, match=says):
            await tls.handshake()
        tls.peer.close()
        await b.told(TlsFailed)


@pytest.mark.parametrize("mode", ["terminate", "passthrough"])
async def test_a_handshake_is_reset_after_the_client_hello(authority, mode):
    async with bench(fault("handshake_reset"), tls=mode, authority=authority) as b:
        client = await b.client()
        assert await client.silent_for(0.03)
        tls = TlsPeer(client, authority.client_context(), server_hostname=NAME)
        with pytest.raises(ConnectionResetError):
            await tls.handshake()


@pytest.mark.parametrize("after", ["client_hello", "server_hello"])
@pytest.mark.parametrize("how", ["heal", "phase", "for"])
async def test_a_hung_handshake_goes_on_when_it_is_over(authority, after, how):
    conditions = {"heal": {}, "phase": {"during": "outage"}, "for": {"for_s": 0.1}}[how]
    spec = fault("handshake_hang", when(**conditions), after=after)
    async with bench(spec, tls="terminate", authority=authority) as b:
        b.proxy.enter_phase("outage")
        tls = TlsPeer(await b.client(), authority.client_context(), server_hostname=NAME)
        done = trio.Event()

        async def shake():
            await tls.handshake()
            done.set()

        async with trio.open_nursery() as nursery:
            nursery.start_soon(shake)
            with trio.move_on_after(0.05):
                await done.wait()
            assert not done.is_set()
            if how == "heal":
                b.proxy.heal_all()
            elif how == "phase":
                b.proxy.enter_phase("after")


@pytest.mark.parametrize("after", ["client_hello", "server_hello"])
async def test_a_client_that_gives_up_a_hung_handshake_is_noticed(authority, after):
    spec = fault("handshake_hang", after=after)
    async with bench(spec, tls="terminate", authority=authority) as b:
        client = await b.client()
        tls = TlsPeer(client, authority.client_context(), server_hostname=NAME)
        with trio.move_on_after(0.05):
            await tls.handshake()
        client.reset()
        (closed,) = await b.told(ConnectionClosed)
        assert (closed.by, closed.how) == ("client", "reset")


@pytest.mark.parametrize(("give_up", "how"), [("reset", "reset"), ("close", "fin")])
async def test_a_client_that_goes_in_the_middle_of_a_handshake_is_told(authority, give_up, how):
    async with bench(tls="terminate", authority=authority) as b:
        client = await b.client()
        await client.send(b"\x16\x03\x01\x02\x00")
        getattr(client, give_up)()
        (closed,) = await b.told(ConnectionClosed)
        assert (closed.by, closed.how) == ("client", how)
        await b.told(TlsFailed)


async def test_a_client_that_agrees_to_nothing_reads_why(authority):
    context = authority.client_context()
    context.maximum_version = ssl.TLSVersion.TLSv1_2
    context.set_ciphers("AES128-SHA")
    async with bench(tls="terminate", authority=authority) as b:
        tls = TlsPeer(await b.client(), context, server_hostname=NAME)
        with pytest.raises(ssl.SSLError, match=r"(?i)alert"):
            await tls.handshake()


async def test_what_is_not_tls_is_closed_and_not_reset(authority):
    async with bench(tls="terminate", authority=authority) as b:
        client = await b.client()
        await client.send(b"GET / HTTP/1.1\r\nHost: x\r\n\r\n")
        assert (await client.rest())[1] == FIN


async def test_a_backend_that_fails_its_handshake_is_a_failed_dial(authority):
    origin_tls = Authority().client_context()
    async with bench(tls="terminate", authority=authority, origin_tls=origin_tls) as b:
        async with trio.open_nursery() as nursery:

            async def serve():
                raw = await b.server.accept()
                with pytest.raises(ssl.SSLError):
                    await TlsPeer(raw, authority.server_context(), server_side=True).handshake()

            nursery.start_soon(serve)
            tls = TlsPeer(await b.client(), authority.client_context(), server_hostname=NAME)
            await tls.handshake()
            assert await tls.rest() == (b"", RST)
        await until(lambda: b.proxy.open_connections == 0)


def test_repeatable_certificates_always_have_the_same_length():
    lengths = set()
    for _ in range(3):
        made = Certificates(repeatable=True)
        pems = [made.leaf(("localhost",), None).cert_chain_pems[0], made.trusted.cert_pem]
        lengths.add(tuple(len(ssl.PEM_cert_to_DER_cert(pem.bytes().decode())) for pem in pems))
    assert len(lengths) == 1


def test_a_repeatable_authority_keeps_its_keys_for_the_process():
    first, second = Authority(repeatable=True), Authority(repeatable=True)
    assert first.certificate_pem == second.certificate_pem
    assert Authority().certificate_pem != first.certificate_pem
