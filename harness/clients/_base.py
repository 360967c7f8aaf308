"""What a client is to the harness: ``open``, ``call``, ``close``, and what travels between.

A client of your own is a class whose three methods are coroutines on trio::

    class MyClient:
        async def open(self, settings): ...   # settings.url, settings.pool, settings.ssl_context()
        async def call(self, call): ...       # return Reply(body), or raise as your library does
        async def close(self): ...

``open`` and ``close`` run in one task, so a nursery may be opened in one and closed in the other;
calls run in tasks of their own, many at once. ``call`` returns the bytes of the reply, or raises;
``call.timeout_s`` is the caller's patience, which the client is expected to keep. Nothing else is
asked: whether a reply is the right one, whole and ran only once is judged outside.
"""

from __future__ import annotations

import ssl
from collections.abc import Callable
from dataclasses import dataclass, field
from typing import ClassVar, Literal, Protocol

from harness.origin.calls import Asked
from harness.scenario.model import PoolWords


class Abandoned(Exception):  # noqa: N818 - the caller's own doing, not an error
    """Raised by a client that was told to walk away from a call in the middle of its reply."""


@dataclass(frozen=True, slots=True, kw_only=True)
class Settings:
    """Where to connect, and what the pool should be like."""

    host: str
    port: int
    pool: PoolWords = PoolWords()
    serve: Literal["http", "echo"] = "http"
    tls: bool = False
    server_hostname: str = "localhost"
    ca_pem: bytes = b""
    seed: int = 0
    report_leak: Callable[[str], None] = field(default=lambda _: None, compare=False)

    @property
    def url(self) -> str:
        """The origin as an HTTP client names it."""
        return f"{'https' if self.tls else 'http'}://{self.host}:{self.port}"

    def ssl_context(self) -> ssl.SSLContext | None:
        """A context that trusts this run's authority and checks names; None without TLS."""
        if not self.tls:
            return None
        context = ssl.SSLContext(ssl.PROTOCOL_TLS_CLIENT)
        context.load_verify_locations(cadata=self.ca_pem.decode())
        return context


@dataclass(frozen=True, slots=True, kw_only=True)
class Call:
    """One call: what to ask for, and for how long the caller waits.

    ``abandon`` asks the client to begin the call and then walk away: by an ``exception`` in the
    caller's code while the reply is being read, or by losing the only ``reference`` to it.
    """

    asked: Asked
    unsafe: bool = False
    body: bytes = b""
    timeout_s: float | None = None
    abandon: Literal["exception", "reference"] | None = None

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


@dataclass(frozen=True, slots=True)
class Reply:
    """What the client got: the body of the reply, and HTTP's status."""

    body: bytes
    status: int = 200


class Client(Protocol):
    """A client under test.

    Its coroutines are trio's, unless it says ``RUNS_ON = "asyncio"``; then it runs in virtual time.
    """

    async def open(self, settings: Settings) -> None:
        """Get ready for calls."""

    async def call(self, call: Call) -> Reply | bytes:
        """Make one call and get its reply; raise if there is none."""

    async def close(self) -> None:
        """Close everything; return when it is closed."""


class NamedClient(Client, Protocol):
    """A client that ships with the harness: it has a name and says what it supports."""

    NAME: ClassVar[str]
    SUPPORTS: ClassVar[frozenset[str]]
