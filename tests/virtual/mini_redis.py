"""A small Redis: enough of RESP2 and RESP3 for a client library, over any trio stream.

Written from the protocol's specification (redis.io, "Redis serialization protocol specification").
"""

from __future__ import annotations

from collections.abc import Callable
from itertools import count

import trio

READ_BYTES = 65_536
ARGUMENTS_LIMIT = 1_024
BULK_LIMIT_BYTES = 2**24
CRLF = b"\r\n"
DATA = ("GET", "SET", "INCR", "INCRBY")


class Simple(str):
    """A reply like OK or PONG."""

    __slots__ = ()


class Wrong(Exception):  # noqa: N818 - it becomes an error reply
    """A reply that is an error."""


class Closing(Exception):  # noqa: N818 - not an error
    """The connection ends."""


class MiniRedis:
    """One database; ``serve`` answers a connection until its client has had enough.

    ``told`` gets every command by name; without a password AUTH is refused as Redis refuses it.
    """

    def __init__(
        self,
        *,
        password: str | None = None,
        idle_s: float = float("inf"),
        told: Callable[[str], None] = lambda _: None,
    ) -> None:
        self.data: dict[bytes, bytes] = {}
        self.password = password
        self.idle_s = idle_s
        self.told = told
        self.clients = count(1)

    async def serve(self, stream: trio.abc.Stream) -> None:
        await _Session(self, stream).run()


class _Session:
    def __init__(self, server: MiniRedis, stream: trio.abc.Stream) -> None:
        self.server = server
        self.stream = stream
        self.number = next(server.clients)
        self.received = bytearray()
        self.resp3 = False
        self.welcome = server.password is None

    async def run(self) -> None:
        while (words := await self.next_command()) is not None:
            try:
                reply = await self.execute(words[0].decode().upper(), words[1:])
            except Wrong as error:
                reply = error
            except Closing:
                await self.stream.send_all(b"+OK\r\n")
                return
            await self.stream.send_all(self.encode(reply))

    async def next_command(self) -> list[bytes] | None:
        head = await self.line()
        if head is None:
            return None
        assert head[:1] == b"*"
        words = []
        for _ in range(min(int(head[1:]), ARGUMENTS_LIMIT)):
            size = await self.line()
            assert size is not None
            words.append(await self.exactly(min(int(size[1:]), BULK_LIMIT_BYTES)))
        return words

    async def line(self) -> bytes | None:
        while CRLF not in self.received:
            if not await self.more():
                return None
        line, _, rest = bytes(self.received).partition(CRLF)
        self.received[:] = rest
        return line

    async def exactly(self, size: int) -> bytes:
        while len(self.received) < size + 2:
            if not await self.more():
                raise EOFError
        value = bytes(self.received[:size])
        del self.received[: size + 2]
        return value

    async def more(self) -> bool:
        with trio.move_on_after(self.server.idle_s):
            data = await self.stream.receive_some(READ_BYTES)
            self.received += data
            return bool(data)
        return False

    async def execute(self, name: str, words: list[bytes]) -> object:
        self.server.told(name)
        if not self.welcome and name not in {"AUTH", "HELLO"}:
            raise Wrong("NOAUTH Authentication required.")
        if name == "BLPOP":
            await trio.sleep(float(words[-1]))
            return None
        return self.on_data(name, words) if name in DATA else self.on_session(name, words)

    def on_data(self, name: str, words: list[bytes]) -> object:
        data = self.server.data
        match name, words:
            case "GET", [key]:
                return data.get(key)
            case "SET", [key, value]:
                data[key] = value
                return Simple("OK")
            case _, [key, *by]:
                data[key] = str(int(data.get(key, b"0")) + int(by[0] if by else 1)).encode()
                return int(data[key])
        raise Wrong(f"ERR wrong number of arguments for '{name}'")

    def on_session(self, name: str, words: list[bytes]) -> object:
        reply: object = Simple("OK")
        match name, words:
            case (("PING" | "ECHO"), words):
                reply = words[0] if words else Simple("PONG")
            case "AUTH", [*_, password]:
                self.authenticate(password)
            case "HELLO", words:
                reply = self.hello(words)
            case "CLIENT", [what, *_] if what.upper() == b"ID":
                reply = self.number
            case "CLIENT", [what, *_] if what.upper() in {b"SETINFO", b"SETNAME"}:
                pass
            case "SELECT", [_]:
                pass
            case "QUIT", []:
                raise Closing
            case _:
                raise Wrong(f"ERR unknown command '{name}'")
        return reply

    def hello(self, words: list[bytes]) -> object:
        if words and words[0] not in {b"2", b"3"}:
            raise Wrong("NOPROTO unsupported protocol version")
        if b"AUTH" in words:
            self.authenticate(words[words.index(b"AUTH") + 2])
        if not self.welcome:
            raise Wrong("NOAUTH HELLO must be called with the client already authenticated")
        self.resp3 = words[:1] == [b"3"]
        return {"server": "redis", "version": "7.0.0", "proto": 3 if self.resp3 else 2}

    def authenticate(self, password: bytes) -> None:
        if password.decode() != self.server.password:
            raise Wrong("WRONGPASS invalid username-password pair or user is disabled.")
        self.welcome = True

    def encode(self, reply: object) -> bytes:
        if reply is None:
            return b"_\r\n" if self.resp3 else b"$-1\r\n"
        if isinstance(reply, dict):
            mark, size = ("%", len(reply)) if self.resp3 else ("*", 2 * len(reply))
            parts = [self.encode(part) for pair in reply.items() for part in pair]
            return f"{mark}{size}\r\n".encode() + b"".join(parts)
        for kind, mark in ((Simple, "+"), (Wrong, "-"), (int, ":")):
            if isinstance(reply, kind):
                return f"{mark}{reply}\r\n".encode()
        data = reply if isinstance(reply, bytes) else str(reply).encode()
        return b"$%d\r\n%b\r\n" % (len(data), data)
