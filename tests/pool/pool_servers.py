"""A scripted server on 127.0.0.1 that knows just enough HTTP, and nothing of h11."""

import ssl
from contextlib import asynccontextmanager, suppress
from dataclasses import dataclass, field
from functools import partial

import trio

OK = b"HTTP/1.1 200 OK\r\nContent-Length: 2\r\n\r\nok"


def reply(body=b"ok", *extra, status="200 OK", version="HTTP/1.1"):
    head = [f"{version} {status}".encode(), b"Content-Length: %d" % len(body), *extra]
    return b"\r\n".join(head) + b"\r\n\r\n" + body


class BareTls:
    """The server side of TLS, for tests that decide which record travels when.

    The session tickets of TLS 1.3 are held back until ``take_tickets`` or the first data: records
    are numbered, so they can't come after it.
    """

    def __init__(self, stream, context):
        self._stream = stream
        self._incoming, self._outgoing = ssl.MemoryBIO(), ssl.MemoryBIO()
        self._tls = context.wrap_bio(self._incoming, self._outgoing, server_side=True)
        self._tickets = b""

    async def _retry(self, function, *args):
        while True:
            try:
                return function(*args)
            except ssl.SSLWantReadError:
                if pending := self._outgoing.read():
                    await self._stream.send_all(pending)
                self._incoming.write(await self._stream.receive_some(65536))

    async def do_handshake(self):
        await self._retry(self._tls.do_handshake)
        self._tickets = self._outgoing.read()

    def take_tickets(self):
        tickets, self._tickets = self._tickets, b""
        return tickets

    async def receive_some(self, max_bytes):
        return await self._retry(self._tls.read, max_bytes)

    def seal(self, *parts):
        """Return one record for each part, as one piece of bytes."""
        for part in parts:
            self._tls.write(part)
        return self.take_tickets() + self._outgoing.read()

    async def send_all(self, data):
        await self._stream.send_all(self.seal(data))

    def send_now(self, sealed):
        """Send without a scheduler tick, so that nobody can notice meanwhile."""
        self._stream.socket._sock.send(sealed)


class Peer:
    """The server's end of one connection. ``number`` counts connections from 1."""

    def __init__(self, stream, socket, number, server):
        self.stream = stream
        self.socket = socket
        self.number = number
        self._server = server
        self._buffer = b""

    async def _fill(self):
        data = await self.stream.receive_some(65536)
        self._buffer += data
        return bool(data)

    async def head(self):
        """Return (method, target, fields) of the next request, or None when there is none."""
        while b"\r\n\r\n" not in self._buffer:
            if not await self._fill():
                return None
        head, _, self._buffer = self._buffer.partition(b"\r\n\r\n")
        line, *rest = head.decode().split("\r\n")
        method, target, _ = line.split(" ")
        self._server.requests.append((self.number, method, target))
        return method, target, dict(item.lower().split(": ", 1) for item in rest)

    async def request(self):
        """Return (method, target, body) of the next whole request, or None."""
        head = await self.head()
        if head is None:
            return None
        method, target, fields = head
        length = int(fields.get("content-length", 0))
        while len(self._buffer) < length and await self._fill():
            pass
        body, self._buffer = self._buffer[:length], self._buffer[length:]
        return method, target, body

    async def send(self, data):
        await self.stream.send_all(data)

    def fin(self):
        """Close with a FIN; over TLS without a close_notify."""
        self.socket.shutdown(trio.socket.SHUT_WR)

    def reset(self):
        """Close with a RST."""
        linger = (1).to_bytes(4, "little") + (0).to_bytes(4, "little")
        self.socket.setsockopt(trio.socket.SOL_SOCKET, trio.socket.SO_LINGER, linger)
        self.socket.close()


async def polite(peer):
    """Answer every request with 200."""
    while (request := await peer.request()) is not None:
        await peer.send(reply(request[2] or b"ok"))


@dataclass
class Server:
    port: int = 0
    connections: int = 0
    requests: list = field(default_factory=list)
    peers: list = field(default_factory=list)


@asynccontextmanager
async def serve(script, tls=None, *, bare=False):
    """Run ``script(peer)`` for each connection; yields the server with its port and its log."""
    server = Server()

    async def handle(stream):
        server.connections += 1
        number, socket = server.connections, stream.socket
        with suppress(trio.BrokenResourceError, trio.ClosedResourceError):
            if tls is not None:
                secure = BareTls if bare else partial(trio.SSLStream, server_side=True)
                stream = secure(stream, tls)
                await stream.do_handshake()
            peer = Peer(stream, socket, number, server)
            server.peers.append(peer)
            await script(peer)
        socket.close()

    async with trio.open_nursery() as nursery:
        listeners = await nursery.start(partial(trio.serve_tcp, handle, 0, host="127.0.0.1"))
        server.port = listeners[0].socket.getsockname()[1]
        yield server
        nursery.cancel_scope.cancel()
