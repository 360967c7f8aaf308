"""What the HTTP libraries raise for each mishap, and what becomes of it: the same word for all."""

import asyncio
import errno
import socket
import ssl
import struct
import threading
from collections import Counter
from concurrent.futures import ThreadPoolExecutor
from contextlib import contextmanager

import pytest
import trio
import trustme

from harness.clients import Call, Pool, Settings, all_clients, load_client, outcome_of
from harness.worker.contract import Asked

CARDS = [card for card in all_clients().values() if card.requires and "http" in card.serves]
each_adapter = pytest.mark.parametrize("card", CARDS, ids=lambda card: card.name)
PATIENCE_S = 0.4
REPLY = b"HTTP/1.1 200 OK\r\nContent-Length: 100\r\n\r\n"
CHUNKED = b"HTTP/1.1 200 OK\r\nTransfer-Encoding: chunked\r\n\r\n"


def shut(peer, over):
    peer.shutdown(socket.SHUT_WR)


def reset(peer, over):
    peer.setsockopt(socket.SOL_SOCKET, socket.SO_LINGER, struct.pack("ii", 1, 0))


def silence(peer, over):
    over.wait()


def saying(words):
    def say(peer, over):
        peer.sendall(words)
        shut(peer, over)

    return say


@contextmanager
def served(manner, tls=None):
    """The port of a server that reads each request, and then does to it what it is told."""
    over = threading.Event()

    def serve(raw):
        raw.settimeout(10)
        try:
            with raw if tls is None else tls.wrap_socket(raw, server_side=True) as peer:
                if peer.recv(65536):
                    manner(peer, over)
        except OSError:
            raw.close()  # a client may go first

    def listen():
        with ThreadPoolExecutor() as threads:
            while True:
                peer, _ = listener.accept()
                if over.is_set():
                    peer.close()
                    return
                threads.submit(serve, peer)

    with socket.create_server(("127.0.0.1", 0)) as listener:
        port = listener.getsockname()[1]
        thread = threading.Thread(target=listen)
        thread.start()
        try:
            yield port
        finally:
            over.set()
            socket.create_connection(("127.0.0.1", port)).close()
            thread.join()


def errors_of(card, settings, calls=1):
    """What so many calls at once raise, made as the adapter's kind is run."""
    client = load_client(card.name)()
    asked = [Call(Asked(f"n-{n}"), unsafe=True, timeout_s=PATIENCE_S) for n in range(calls)]
    errors = []

    async def attempt(call):
        try:
            await client.call(call)
        except Exception as error:  # noqa: BLE001 - whatever a library raises
            errors.append(error)

    async def on_asyncio():
        await client.open(settings)
        await asyncio.gather(*map(attempt, asked))
        await client.close()

    async def on_trio():
        await client.open(settings)
        async with trio.open_nursery() as nursery:
            for call in asked:
                nursery.start_soon(attempt, call)
        await client.close()

    def blocking():
        client.open(settings)
        with ThreadPoolExecutor() as threads:
            futures = [threads.submit(client.call, call) for call in asked]
        errors.extend(error for future in futures if (error := future.exception()))
        client.close()

    {
        "threads": blocking,
        "asyncio": lambda: asyncio.run(on_asyncio()),
        "trio": lambda: trio.run(on_trio),
    }[card.runs_on]()
    return errors


def kinds_of(errors):
    return Counter(outcome_of(error).kind for error in errors)


@each_adapter
@pytest.mark.parametrize(
    ("manner", "kind"),
    [
        (shut, "closed"),
        (reset, "reset"),
        (silence, "timeout"),
        (saying(REPLY + b"too short"), "closed"),
        (saying(CHUNKED + b"ff\r\nabc"), "closed"),
        (saying(CHUNKED), "closed"),
        (saying(b"HTTP/1.1 503 Busy\r\nContent-Length: 0\r\n\r\n"), "protocol"),
        (saying(b"SSH-2.0-OpenSSH_9.2\r\n\r\n"), "protocol"),
    ],
    ids=["shut", "reset", "silence", "short", "short-chunk", "no-chunk", "status", "not-http"],
)
def test_a_mishap_has_one_name_whatever_the_library(card, manner, kind):
    with served(manner) as port:
        errors = errors_of(card, Settings(host="127.0.0.1", port=port))
    assert kinds_of(errors) == {kind: 1}
    assert outcome_of(errors[0]).certainty == "unknown"


@each_adapter
def test_a_chunk_without_a_size_is_an_error(card):
    with served(saying(CHUNKED + b"zz\r\n")) as port:
        errors = errors_of(card, Settings(host="127.0.0.1", port=port))
    said = {"protocol"} if card.name != "urllib3" else {"closed"}  # http.client says it so
    assert set(kinds_of(errors)) == said


@each_adapter
def test_a_refused_connection_is_a_call_that_certainly_failed(card):
    with socket.create_server(("127.0.0.1", 0)) as listener:
        port = listener.getsockname()[1]
    (error,) = errors_of(card, Settings(host="127.0.0.1", port=port))
    assert (outcome_of(error).certainty, outcome_of(error).kind) == ("failed", "refused")


@pytest.mark.parametrize(
    "error",
    [
        OSError(errno.EADDRNOTAVAIL, "Cannot assign requested address"),
        OSError(f"Multiple exceptions: [Errno {errno.EADDRNOTAVAIL}] Connect call failed"),
        RuntimeError("connection failed: Cannot assign requested address"),
    ],
)
def test_a_connect_for_which_there_is_no_port_certainly_failed(error):
    assert (outcome_of(error).certainty, outcome_of(error).kind) == ("failed", "no_port")


@each_adapter
def test_a_certificate_that_is_not_trusted_is_a_matter_of_tls(card, tmp_path):
    (tmp_path / "ca.pem").write_bytes(trustme.CA().cert_pem.bytes())
    context = ssl.SSLContext(ssl.PROTOCOL_TLS_SERVER)
    trustme.CA().issue_cert("127.0.0.1").configure_cert(context)

    with served(shut, context) as port:
        settings = Settings(
            host="127.0.0.1",
            port=port,
            tls=True,
            ca_pem=(tmp_path / "ca.pem").read_bytes(),
            ca_file=str(tmp_path / "ca.pem"),
        )
        (error,) = errors_of(card, settings)
    assert outcome_of(error).kind == "tls"


@each_adapter
def test_who_finds_no_connection_free_is_told_so_where_the_library_tells(card):
    if card.name not in {"urllib3", "httpx", "httpx-asyncio", "httpx-trio"}:
        pytest.skip("it waits without a limit of its own, or doesn't tell that from connecting")
    pool = Pool(size=1, timeout_s=PATIENCE_S / 4)
    with served(silence) as port:
        errors = errors_of(card, Settings(host="127.0.0.1", port=port, pool=pool), calls=3)
    assert kinds_of(errors) == {"timeout": 1, "pool_timeout": 2}
