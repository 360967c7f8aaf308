"""A pool as people first write it, kept as the contrast: don't copy anything from here.

It works whenever nothing goes wrong, which is how such code gets into production. Its habits, each
of which a scenario shows to be wrong:

- An idle connection is reused without a look: its server may have closed it long ago.
- A connection is opened whenever none is idle: nothing bounds how many there are.
- Nothing has a time limit: one silent peer, and the caller waits for ever.
- Every call is made again after any error, at once: unsafe calls run twice, and a server in
  trouble gets three times the load.
- A reply that ends early is taken for a short one: callers get half of the data as if it were all.
- ``Connection: close`` and ``Keep-Alive`` are not read, bytes behind a reply are thrown away.
- Certificates are not verified, "because the one of the test server is self-signed".
- A connection in use when its call fails or is cancelled is forgotten, neither reused nor closed.
- ``close()`` closes what is idle; what is in use stays open.
"""

from __future__ import annotations

import ssl
from typing import ClassVar, TypeAlias

import trio

from harness.errors import InputError
from harness.worker.contract import Abandoned, Call, Reply, Settings

Stream: TypeAlias = "trio.SocketStream | trio.SSLStream[trio.SocketStream]"

ATTEMPTS = 3
RECEIVE_BYTES = 65_536


class NaiveClient:
    """A list of connections and a loop that tries again; deliberately bad, see the module."""

    NAME: ClassVar[str] = "naive"
    RUNS_ON: ClassVar[str] = "trio"
    SERVES: ClassVar[tuple[str, ...]] = ("http",)
    REQUIRES: ClassVar[tuple[str, ...]] = ()

    def __init__(self) -> None:
        self._settings: Settings | None = None
        self._idle: list[Stream] = []
        self._all: list[Stream] = []  # "for debugging"; it keeps what is forgotten from being freed

    async def open(self, settings: Settings) -> None:
        """Note where to connect; ``settings.pool`` is not looked at."""
        if settings.serve != "http":
            raise InputError("the naive client speaks HTTP; use `serve: http`")
        self._settings = settings

    async def call(self, call: Call) -> Reply:
        """Try up to three times, whatever the call is and whatever went wrong."""
        for _ in range(ATTEMPTS - 1):
            try:
                return await self._attempt(call)
            except Abandoned:
                raise
            except Exception:  # noqa: BLE001, S112 - one of the habits: no error is looked at
                continue
        return await self._attempt(call)

    async def close(self) -> None:
        """Close the list."""
        for stream in self._idle:
            await stream.aclose()

    async def _attempt(self, call: Call) -> Reply:
        stream = self._idle.pop() if self._idle else await self._connect()
        if call.abandon == "reference":
            raise Abandoned("the caller lost the connection it had acquired")
        await stream.send_all(self._request(call))
        status, body = await _read_reply(stream, walk_away=call.abandon is not None)
        self._idle.append(stream)
        return Reply(body, status)

    async def _connect(self) -> Stream:
        settings = self._settings
        assert settings is not None
        stream = await trio.open_tcp_stream(settings.host, settings.port)
        self._all.append(stream)
        if not settings.tls:
            return stream
        return trio.SSLStream(
            stream,
            _trusting_context(),
            server_hostname=settings.server_hostname,
            https_compatible=True,  # an end without close_notify looks like any other end
        )

    def _request(self, call: Call) -> bytes:
        assert self._settings is not None
        head = f"{call.method} {call.target} HTTP/1.1\r\nHost: {self._settings.host}\r\n"
        if call.method == "POST":
            head += f"Content-Length: {len(call.body)}\r\n"
        return head.encode() + b"\r\n" + call.body


def _trusting_context() -> ssl.SSLContext:
    context = ssl.create_default_context()
    context.check_hostname = False
    context.verify_mode = ssl.CERT_NONE
    return context


async def _read_reply(stream: Stream, *, walk_away: bool) -> tuple[int, bytes]:
    """Read a head, then a body that ends as it says, or when nothing more comes."""
    received = b""
    while b"\r\n\r\n" not in received:
        more = await _receive(stream)
        if not more:
            raise ConnectionError("no reply")
        received += more
    if walk_away:
        raise Abandoned("the caller's own code raised while the reply was read")
    head, _, body = received.partition(b"\r\n\r\n")
    fields = head.decode("latin-1").lower()
    while not _looks_complete(fields, body) and (more := await _receive(stream)):
        body += more
    status = int(fields.split()[1])
    return status, _unchunked(body) if "chunked" in fields else body[: _length(fields)]


async def _receive(stream: Stream) -> bytes:
    return bytes(await stream.receive_some(RECEIVE_BYTES))


def _length(fields: str) -> int | None:
    _, found, after = fields.partition("content-length:")
    return int(after.split(maxsplit=1)[0]) if found else None


def _looks_complete(fields: str, body: bytes) -> bool:
    length = _length(fields)
    if length is not None:
        return len(body) >= length
    return "chunked" in fields and body.endswith(b"0\r\n\r\n")


def _unchunked(rest: bytes) -> bytes:
    out = b""
    while rest:
        size, _, rest = rest.partition(b"\r\n")
        count_bytes = int(size or b"0", 16)
        out += rest[:count_bytes]
        rest = rest[count_bytes + 2 :]
    return out
