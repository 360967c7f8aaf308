"""What a client is to the harness: ``open``, ``call``, ``close``, and what travels between.

A client of your own is a class with three methods::

    class MyClient:
        RUNS_ON = "asyncio"                   # or "trio", or "threads"

        async def open(self, settings): ...   # settings.url, settings.pool, settings.ssl_context()
        async def call(self, call): ...       # return Reply(body), or raise as your library does
        async def close(self): ...

On ``threads`` the methods are plain functions: ``call`` runs in many threads at once. On trio and
asyncio they are coroutines; ``open`` and ``close`` run in one task, calls in tasks of their own,
many at once. ``call`` returns the bytes of the reply, or raises; ``call.timeout_s`` is the
caller's patience, which the client is expected to keep. Nothing else is asked: whether a reply is
the right one, whole and ran only once is judged outside.
"""

from __future__ import annotations

import ssl
from dataclasses import dataclass, field
from hashlib import blake2b
from math import ceil
from typing import TYPE_CHECKING, Any
from urllib.parse import parse_qs, urlencode, urlsplit

if TYPE_CHECKING:
    from collections.abc import Callable
    from typing import Literal

CALL_PATH = "/call"
REPLY_LIMIT_BYTES = 64 * 2**20
THINK_LIMIT_S = 600.0

PROTOCOLS = {
    "http": "HTTP/1.1 requests",
    "echo": "lines that come back",
    "postgres": "SQL over PostgreSQL's protocol 3",
    "redis": "Redis commands",
}
"""What a client may speak (``SERVES``), and a scenario's ``origin.serve`` may ask for."""

FEATURES = {
    "size": "a limit on the connections that are open at once",
    "max_overflow": "more connections under load than are kept afterwards",
    "recycle": "connections are replaced when they are older",
    "idle_timeout": "connections are closed when they were idle for longer",
    "pre_ping": "a connection is asked whether it lives before it is used",
    "min_idle": "connections that are kept ready",
    "tls": "TLS, with the certificate verified",
    "cancel": "a caller can be cancelled in the middle of its call",
    "cancel_step": "a caller can be cancelled at the N-th step of its call",
    "abandon": "a caller can raise while the reply is being read",
    "abandon_reference": "a caller can lose its only reference to a connection in use",
    "close_busy": "the client can be closed while calls are under way",
    "session": "a call can change the session of its connection",
}
"""What a client may be able to do (``SUPPORTS``), and a scenario may need."""


class Abandoned(Exception):  # noqa: N818 - the caller's own doing, not an error
    """Raised by a client that was told to walk away from a call in the middle of its reply."""


@dataclass(frozen=True)
class Asked:
    """What a call asks the origin for.

    With ``together`` the reply waits until so many calls of the same ``group`` have arrived.
    """

    nonce: str
    size_bytes: int = 256
    slow_s: float = 0.0
    framing: str = "length"
    together: int = 0
    group: str = ""

    def target(self) -> str:
        """The HTTP request target that asks for it."""
        words: dict[str, object] = {"nonce": self.nonce, "size": self.size_bytes}
        if self.slow_s:
            words["slow"] = self.slow_s
        if self.framing != "length":
            words["framing"] = self.framing
        if self.together:
            words.update(together=self.together, group=self.group)
        return f"{CALL_PATH}?{urlencode(words)}"

    @classmethod
    def from_target(cls, target: str) -> Asked | None:
        """What an HTTP request target asks for, or None if it is no call."""
        parts = urlsplit(target)
        words = {key: values[-1] for key, values in parse_qs(parts.query).items()}
        if parts.path != CALL_PATH or not words.get("nonce"):
            return None
        try:
            size_bytes = min(int(words.get("size", "256")), REPLY_LIMIT_BYTES)
            slow_s = min(float(words.get("slow", "0")), THINK_LIMIT_S)
            together = int(words.get("together", "0"))
        except ValueError:
            return None
        if size_bytes < 0 or together < 0 or not slow_s >= 0:  # "not >=" refuses nan as well
            return None
        return cls(
            nonce=words["nonce"],
            size_bytes=size_bytes,
            slow_s=slow_s,
            framing=words.get("framing", "length"),
            together=together,
            group=words.get("group", ""),
        )


def reply_body(nonce: str, size_bytes: int) -> bytes:
    """The HTTP reply that belongs to a nonce: its name, then bytes that follow from it.

    A size that can't hold the name is stretched to it.
    """
    head = nonce.encode() + b"\n"
    missing = size_bytes - len(head)
    if missing <= 0:
        return head
    pattern = blake2b(head, digest_size=32).hexdigest().encode()
    return head + (pattern * (missing // len(pattern) + 1))[:missing]


def repeated_name(nonce: str, size_bytes: int) -> bytes:
    """The reply of a database: the nonce, line by line, as SQL and Lua can make it as well.

    A size that can't hold the name is stretched to it.
    """
    line = nonce.encode() + b"\n"
    size_bytes = max(size_bytes, len(line))
    return (line * (size_bytes // len(line) + 1))[:size_bytes]


def nonce_of(body: bytes) -> str:
    """The nonce that a reply names, or empty if it names none."""
    head, newline, _ = body[:256].partition(b"\n")
    return head.decode("ascii", "replace") if newline else ""


@dataclass(frozen=True)
class Pool:
    """What the pool should be like, in SQLAlchemy's words; durations in seconds, None is never.

    An adapter maps them to its library's own names, and says in ``SUPPORTS`` which of them it has.
    """

    size: int = 4
    max_overflow: int = 0
    timeout_s: float = 5.0
    recycle_s: float | None = None
    idle_timeout_s: float | None = None
    pre_ping: bool = False
    connect_timeout_s: float = 2.0
    grace_s: float = 5.0
    min_idle: int = 0

    @property
    def capacity(self) -> int:
        """How many connections there may be at once."""
        return self.size + self.max_overflow


@dataclass(frozen=True)
class Settings:
    """Where to connect, and what the pool should be like.

    With ``idiomatic`` a client adds what its library's documentation recommends for production
    (retries, health checks) to what the scenario asks for; without, everything else is default.
    """

    host: str
    port: int
    pool: Pool = Pool()
    serve: Literal["http", "echo", "postgres", "redis"] = "http"
    tls: bool = False
    server_hostname: str = "localhost"
    ca_pem: bytes = b""
    ca_file: str = ""
    user: str = ""
    password: str = field(default="", repr=False)
    database: str = ""
    idiomatic: bool = False
    seed: int = 0
    report_leak: Callable[[str], None] = field(default=lambda _: None, compare=False, repr=False)

    @property
    def url(self) -> str:
        """The origin as an HTTP client names it."""
        return f"{'https' if self.tls else 'http'}://{self.host}:{self.port}"

    @property
    def libpq(self) -> dict[str, Any]:
        """The origin in the parameters of libpq, for psycopg and what stands on it.

        ``gssencmode`` is disabled, and without TLS ``sslmode`` too, for each would cost a round
        trip that finds nothing (PostgreSQL's manual, section 34.1.2).
        """
        parameters: dict[str, Any] = {
            "host": self.server_hostname if self.tls else self.host,
            "port": self.port,
            "user": self.user,
            "dbname": self.database,
            "connect_timeout": max(1, ceil(self.pool.connect_timeout_s)),
            "gssencmode": "disable",
            "sslmode": "verify-full" if self.tls else "disable",
        }
        if self.password:
            parameters["password"] = self.password
        if self.tls:
            parameters["hostaddr"] = self.host  # where to connect; ``host`` is the name to verify
            parameters["sslrootcert"] = self.ca_file
        return parameters

    def ssl_context(self) -> ssl.SSLContext | None:
        """A context that trusts this run's authority and checks names; None without TLS."""
        if not self.tls:
            return None
        context = ssl.SSLContext(ssl.PROTOCOL_TLS_CLIENT)
        context.load_verify_locations(cadata=self.ca_pem.decode())
        return context


@dataclass(frozen=True)
class Call:
    """One call: what to ask for, and for how long the caller waits.

    ``abandon`` asks the client to begin the call and then walk away: by an ``exception`` in the
    caller's code while the reply is being read, or by losing the only ``reference`` to it.
    ``session`` asks it to leave a mark in the session of its connection, as callers do that set
    a time zone and forget it.
    """

    asked: Asked
    unsafe: bool = False
    body: bytes = b""
    timeout_s: float | None = None
    abandon: Literal["exception", "reference"] | None = None
    session: bool = False

    @property
    def nonce(self) -> str:
        """The call's own name, which the reply begins with."""
        return self.asked.nonce

    @property
    def method(self) -> str:
        """POST if it must not run twice (RFC 9110 section 9.2), else GET."""
        return "POST" if self.unsafe else "GET"

    @property
    def target(self) -> str:
        """The HTTP request target."""
        return self.asked.target()

    @property
    def line(self) -> bytes:
        """The line to send to an echo origin; the same line is the reply."""
        mark = "!" if self.unsafe else ""
        return f"{mark}{self.nonce}".encode().ljust(self.asked.size_bytes - 1, b" ") + b"\n"

    def sql(self, style: Literal["numeric", "format", "named"]) -> str:
        """The statement to execute, one row with one text column: the body of the reply.

        Its parameters stand as ``$1`` (numeric), ``%s`` (format) or ``:nonce`` (named).
        """
        names = list(self.sql_arguments)
        marks = {
            "numeric": [f"${number}" for number in range(1, len(names) + 1)],
            "format": ["%s"] * len(names),
            "named": [f":{name}" for name in names],
        }
        return f"SELECT chaos_call({', '.join(marks[style])})"

    @property
    def sql_arguments(self) -> dict[str, Any]:
        """The parameters of ``sql``, by name, in order."""
        return {
            "nonce": self.nonce,
            "size": self.asked.size_bytes,
            "slow": float(self.asked.slow_s),
            "is_unsafe": self.unsafe,
            "is_marking": self.session,
            "together": self.asked.together,
            "meeting": self.asked.group,
            "body": self.body.decode("ascii"),
        }

    @property
    def redis_commands(self) -> list[tuple[str, ...]]:
        """The commands to send, in one pipeline without MULTI; the last one's reply is the body."""
        asked = self.asked
        unsafe, body = str(int(self.unsafe)), self.body.decode("ascii")
        meeting = (asked.group, str(asked.together))
        run = ("EVAL", CALL_SCRIPT, "0", self.nonce, str(asked.size_bytes), unsafe, body, *meeting)
        commands: list[tuple[str, ...]] = []
        if asked.slow_s:
            slow_s = max(asked.slow_s, BLOCKING_LEAST_S)
            commands.append(("BLPOP", f"chaos:never:{self.nonce}", str(slow_s)))
        if asked.together:
            commands.append(("EVAL", MEETING_SCRIPT, "0", *meeting))
            commands.append(("BLPOP", f"chaos:gate:{asked.group}", str(MEETING_LIMIT_S)))
        return [*commands, run]


BLOCKING_LEAST_S = 0.002
"""Redis 6.2 cuts a timeout to whole milliseconds: 0.001 may become 0, which is for ever."""
MEETING_LIMIT_S = 3.0
"""How long calls of a group wait for one another."""
CALL_SCRIPT = """
local nonce, size, unsafe = ARGV[1], tonumber(ARGV[2]), ARGV[3]
local group, wanted = ARGV[5], tonumber(ARGV[6])
if wanted > 0 and tonumber(redis.call('GET', 'chaos:arrived:' .. group)) < wanted then
  return redis.error_reply('ALONE fewer than ' .. wanted .. ' calls came together')
end
local now = redis.call('TIME')
redis.call('RPUSH', 'chaos:ledger', nonce .. ' ' .. unsafe .. ' ' .. now[1] .. ' ' .. now[2])
local line = nonce .. '\\n'
size = math.max(size, #line)
return string.sub(string.rep(line, math.floor(size / #line) + 1), 1, size)
"""
MEETING_SCRIPT = """
local group, wanted = ARGV[1], tonumber(ARGV[2])
local arrived = redis.call('INCR', 'chaos:arrived:' .. group)
if arrived == wanted then
  for _ = 1, wanted do redis.call('RPUSH', 'chaos:gate:' .. group, '1') end
end
return arrived
"""


@dataclass(frozen=True)
class Reply:
    """What the client got: the body of the reply, and HTTP's status."""

    body: bytes
    status: int = 200
