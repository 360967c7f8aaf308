"""A small PostgreSQL: protocol 3.0 with simple and extended queries, over any trio stream.

Written from the manual's chapter "Frontend/Backend Protocol". It knows no SQL: a handful of
statements is recognised by their shape, everything else succeeds without rows.
"""

from __future__ import annotations

import re
import ssl
import struct
from collections.abc import Callable
from dataclasses import dataclass, field
from itertools import count

import trio

READ_BYTES = 65_536
MESSAGE_LIMIT_BYTES = 2**24
SSL_REQUEST, CANCEL_REQUEST, PROTOCOL_3 = 80877103, 80877102, 196608
INT4, TEXT, VOID = 23, 25, 2278
TYPES = {"int": INT4, "int4": INT4, "integer": INT4, "text": TEXT}
PARAMETERS = {
    "server_version": "16.0",
    "server_encoding": "UTF8",
    "client_encoding": "UTF8",
    "DateStyle": "ISO, MDY",
    "integer_datetimes": "on",
    "standard_conforming_strings": "on",
    "TimeZone": "UTC",
}
_SELECT = re.compile(
    r"select\s+(?:\$(?P<parameter>1)(?:::(?P<type>\w+))?|(?P<int>-?\d+)|'(?P<text>[^']*)'|"
    r"pg_sleep\((?P<sleep>[\d.]+)\))\s*;?\s*$",
    re.IGNORECASE,
)


@dataclass
class Statement:
    """What was prepared: at most one parameter and one column."""

    sql: str
    oid: int | None = None
    takes: list[int] = field(default_factory=list)
    constant: str | None = None
    sleep_s: float = 0.0


def understood(sql: str) -> Statement:
    """What a statement asks for."""
    found = _SELECT.match(sql.strip())
    if found is None:
        return Statement(sql)
    if found["parameter"]:
        oid = TYPES.get((found["type"] or "text").lower(), TEXT)
        return Statement(sql, oid, [oid])
    if found["sleep"]:
        return Statement(sql, VOID, constant="", sleep_s=float(found["sleep"]))
    if found["int"]:
        return Statement(sql, INT4, constant=found["int"])
    return Statement(sql, TEXT, constant=found["text"])


class MiniPostgres:
    """One server; ``told`` gets every statement that is executed."""

    def __init__(
        self,
        *,
        tls: ssl.SSLContext | None = None,
        idle_s: float = float("inf"),
        told: Callable[[str], None] = lambda _: None,
    ) -> None:
        self.tls = tls
        self.idle_s = idle_s
        self.told = told
        self.numbers = count(1)
        self.busy: dict[int, trio.CancelScope] = {}

    async def serve(self, stream: trio.abc.Stream) -> None:
        await _Session(self, stream).run()


class _Session:
    def __init__(self, server: MiniPostgres, stream: trio.abc.Stream) -> None:
        self.server = server
        self.stream = stream
        self.number = next(server.numbers)
        self.received = bytearray()
        self.out = bytearray()
        self.statements: dict[bytes, Statement] = {}
        self.portals: dict[bytes, tuple[Statement, str | None, int]] = {}
        self.state = b"I"
        self.skipping = False

    async def run(self) -> None:
        if not await self.start():
            return
        while (head := await self.exactly(5)) is not None:
            kind, size = head[:1], struct.unpack("!i", head[1:])[0] - 4
            assert size <= MESSAGE_LIMIT_BYTES
            body = await self.exactly(size)
            if body is None or kind == b"X":
                return
            if self.skipping and kind != b"S":
                continue
            await self.handle(kind, body)
            if kind in b"QSH" and self.out:
                await self.flush()

    # --- start-up ---------------------------------------------------------------------------------

    async def start(self) -> bool:
        while True:
            head = await self.exactly(8)
            if head is None:
                return False
            size, code = struct.unpack("!ii", head)
            rest = await self.exactly(size - 8)
            if code == SSL_REQUEST:
                await self.begin_tls()
            elif code == CANCEL_REQUEST:
                assert rest is not None
                self.cancel(*struct.unpack("!ii", rest))
                return False
            else:
                assert code >= PROTOCOL_3
                break
        self.say(b"R", struct.pack("!i", 0))
        for name, value in PARAMETERS.items():
            self.say(b"S", _text(name) + _text(value))
        self.say(b"K", struct.pack("!ii", self.number, self.secret(self.number)))
        self.ready()
        await self.flush()
        return True

    async def begin_tls(self) -> None:
        await self.stream.send_all(b"N" if self.server.tls is None else b"S")
        if self.server.tls is not None:
            self.stream = trio.SSLStream(self.stream, self.server.tls, server_side=True)

    def cancel(self, number: int, secret: int) -> None:
        if number in self.server.busy and secret == self.secret(number):
            self.server.busy[number].cancel()

    @staticmethod
    def secret(number: int) -> int:
        return number * 7919

    # --- messages ---------------------------------------------------------------------------------

    async def handle(self, kind: bytes, body: bytes) -> None:
        match kind:
            case b"Q":
                await self.simple(body.rstrip(b"\0").decode())
            case b"P":
                name, sql, _ = body.split(b"\0", 2)
                self.statements[name] = understood(sql.decode())
                self.say(b"1", b"")
            case b"B":
                self.bind(body)
            case b"D":
                self.describe(body)
            case b"E":
                await self.execute(body[: body.index(b"\0")])
            case b"C":
                known = self.statements if body[:1] == b"S" else self.portals
                known.pop(body[1:].rstrip(b"\0"), None)
                self.say(b"3", b"")
            case b"S":
                self.skipping = False
                self.ready()

    def bind(self, body: bytes) -> None:
        portal, name, rest = body.split(b"\0", 2)
        formats, rest = _shorts(rest)
        (values,), rest = struct.unpack("!h", rest[:2]), rest[2:]
        statement, value = self.statements[name], None
        if values:
            (size,) = struct.unpack("!i", rest[:4])
            raw, rest = rest[4 : 4 + max(size, 0)], rest[4 + max(size, 0) :]
            binary = bool(formats) and formats[0] == 1 and statement.takes == [INT4]
            value = str(struct.unpack("!i", raw)[0]) if binary else raw.decode()
        results, _ = _shorts(rest)
        self.portals[portal] = (statement, value, results[0] if results else 0)
        self.say(b"2", b"")

    def describe(self, body: bytes) -> None:
        name = body[1:].rstrip(b"\0")
        if body[:1] == b"S":
            statement, wanted = self.statements[name], 0
            takes = statement.takes
            self.say(b"t", struct.pack(f"!h{len(takes)}I", len(takes), *takes))
        else:
            statement, _, wanted = self.portals[name]
        self.columns(statement, wanted)

    def columns(self, statement: Statement, wanted: int) -> None:
        if statement.oid is None:
            self.say(b"n", b"")
            return
        size = 4 if statement.oid == INT4 else -1
        column = _text("value") + struct.pack("!ihIhih", 0, 0, statement.oid, size, -1, wanted)
        self.say(b"T", struct.pack("!h", 1) + column)

    async def execute(self, portal: bytes) -> None:
        statement, value, wanted = self.portals[portal]
        await self.perform(statement, statement.constant if value is None else value, wanted)

    async def simple(self, text: str) -> None:
        for sql in filter(None, map(str.strip, text.split(";"))):
            statement = understood(sql)
            if statement.oid is not None:
                self.columns(statement, 0)
            if not await self.perform(statement, statement.constant, 0):
                break
        self.skipping = False
        self.ready()

    async def perform(self, statement: Statement, value: str | None, wanted: int) -> bool:
        self.server.told(statement.sql)
        with trio.CancelScope() as scope:
            self.server.busy[self.number] = scope
            try:
                if statement.sleep_s:
                    await self.flush()
                    await trio.sleep(statement.sleep_s)
            finally:
                del self.server.busy[self.number]
        if scope.cancelled_caught:
            fields = (b"SERROR", b"VERROR", b"C57014", b"Mcanceling statement due to user request")
            self.say(b"E", b"\0".join((*fields, b"\0")))
            self.skipping = True
            return False
        word = statement.sql.split(None, 1)[0].upper()
        self.state = {"BEGIN": b"T", "COMMIT": b"I", "ROLLBACK": b"I"}.get(word, self.state)
        if statement.oid is None:
            self.say(b"C", _text(word))
            return True
        assert value is not None
        binary = wanted == 1 and statement.oid == INT4
        data = struct.pack("!i", int(value)) if binary else value.encode()
        self.say(b"D", struct.pack("!hi", 1, len(data)) + data)
        self.say(b"C", _text("SELECT 1"))
        return True

    # --- bytes ------------------------------------------------------------------------------------

    def ready(self) -> None:
        self.say(b"Z", self.state)

    def say(self, kind: bytes, body: bytes) -> None:
        self.out += kind + struct.pack("!i", len(body) + 4) + body

    async def flush(self) -> None:
        data, self.out = bytes(self.out), bytearray()
        await self.stream.send_all(data)

    async def exactly(self, size: int) -> bytes | None:
        while len(self.received) < size:
            data = b""
            with trio.move_on_after(self.server.idle_s):
                data = await self.stream.receive_some(READ_BYTES)
            if not data:
                return None
            self.received += data
        value = bytes(self.received[:size])
        del self.received[:size]
        return value


def _text(text: str) -> bytes:
    return text.encode() + b"\0"


def _shorts(data: bytes) -> tuple[tuple[int, ...], bytes]:
    (size,) = struct.unpack("!h", data[:2])
    end = 2 + 2 * size
    return struct.unpack(f"!{size}h", data[2:end]), data[end:]
