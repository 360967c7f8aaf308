"""Conversations with real servers behind the proxy's back: to set up, and to ask what happened."""

from __future__ import annotations

import secrets
import ssl
from collections.abc import AsyncIterator, Callable, Iterable, Sequence
from contextlib import asynccontextmanager
from dataclasses import dataclass, field
from typing import Protocol, TypeAlias, TypeVar

import trio

from harness.errors import SetupError
from harness.wire import WireError, resp
from harness.wire import postgres as pg
from harness.wire.login import Login, LoginError

T = TypeVar("T")
T_co = TypeVar("T_co", covariant=True)
SESSION_LIMIT_S = 20.0
"""How long a server may take to connect, and to answer one question."""
READ_BYTES = 64 * 1024
Row: TypeAlias = tuple[str | None, ...]


@dataclass(frozen=True, slots=True)
class Place:
    """Where a server is, and who we are there."""

    host: str
    port: int
    user: str = ""
    password: str = field(default="", repr=False)
    database: str = ""
    tls: ssl.SSLContext | None = None

    def __str__(self) -> str:
        return f"{self.host} port {self.port}"


class ServerError(SetupError):
    """The server refused a statement; ``code`` is its SQLSTATE or Redis's first word."""

    def __init__(self, message: str, code: str) -> None:
        super().__init__(message)
        self.code = code


class _Reader(Protocol[T_co]):
    def feed(self, data: bytes) -> Iterable[T_co]:
        """What is complete with these bytes."""


class _Talk:
    """Bytes there, values back."""

    def __init__(self, stream: trio.abc.Stream, place: Place) -> None:
        self._stream = stream
        self.place = place

    async def send(self, payload: bytes) -> None:
        await self._stream.send_all(payload)

    async def hear(self, reader: _Reader[T], is_last: Callable[[T], bool]) -> list[T]:
        """What comes, up to the value that is the last."""
        heard: list[T] = []
        while not (heard and is_last(heard[-1])):
            raw = await self._stream.receive_some(READ_BYTES)
            if not raw:
                raise SetupError(f"the server at {self.place} hung up")
            heard += reader.feed(bytes(raw))
        return heard


@asynccontextmanager
async def _talking(place: Place, *, asks_for_tls: bool) -> AsyncIterator[_Talk]:
    """A connection to a server; whatever goes wrong inside is a SetupError that names it."""
    stream: trio.abc.Stream | None = None
    try:
        with trio.fail_after(SESSION_LIMIT_S):
            stream = await _connected(place, asks_for_tls)
        yield _Talk(stream, place)
    except (OSError, trio.BrokenResourceError, trio.TooSlowError, WireError) as error:
        why = str(error) or type(error).__name__
        raise SetupError(f"no conversation with the server at {place}: {why}") from error
    finally:
        if stream is not None:
            await trio.aclose_forcefully(stream)


async def _connected(place: Place, asks_for_tls: bool) -> trio.abc.Stream:
    plain = await trio.open_tcp_stream(place.host, place.port)
    if place.tls is None:
        return plain
    if asks_for_tls:
        await plain.send_all(pg.ssl_request())
        if await plain.receive_some(1) != b"S":
            await trio.aclose_forcefully(plain)
            raise SetupError(f"the server at {place} has no TLS")
    stream = trio.SSLStream(plain, place.tls, server_hostname=place.host)
    await stream.do_handshake()
    return stream


class PostgresSession:
    """Asks PostgreSQL, one statement after the other."""

    def __init__(self, talk: _Talk) -> None:
        self._talk = talk
        self._reader = pg.Reader()

    async def log_in(self, place: Place) -> None:
        """Be let in; raises SetupError if not."""
        login = Login(place.user, place.password, place.database, secrets.token_urlsafe(18))
        await self._talk.send(login.begin())
        while not login.is_ready:
            for message in await self._talk.hear(self._reader, lambda _: True):
                try:
                    answer = login.answer(message)
                except LoginError as error:
                    raise ServerError(f"{place}: {error}", error.response.code) from error
                if answer:
                    await self._talk.send(answer)

    async def ask(self, sql: str) -> list[Row]:
        """The rows of a statement; raises ServerError if it fails."""
        with trio.fail_after(SESSION_LIMIT_S):
            await self._talk.send(pg.query(sql))
            heard = await self._talk.hear(
                self._reader, lambda message: isinstance(message, pg.ReadyForQuery)
            )
        for message in heard:
            if isinstance(message, pg.ErrorResponse):
                raise ServerError(f"{self._talk.place}: {message}", message.code)
        rows = [message.values for message in heard if isinstance(message, pg.DataRow)]
        return [tuple(None if v is None else v.decode() for v in row) for row in rows]


@asynccontextmanager
async def postgres_session(place: Place) -> AsyncIterator[PostgresSession]:
    """A session with PostgreSQL inside the block; raises SetupError if there is none."""
    async with _talking(place, asks_for_tls=True) as talk:
        session = PostgresSession(talk)
        with trio.fail_after(SESSION_LIMIT_S):
            await session.log_in(place)
        yield session
        await talk.send(pg.terminate())


class RedisSession:
    """Asks Redis, one command after the other."""

    def __init__(self, talk: _Talk) -> None:
        self._talk = talk
        self._reader = resp.Reader()

    async def ask(self, *words: str) -> resp.ReplyValue:
        """The reply to a command; raises ServerError if it is an error."""
        return (await self.ask_all([words]))[0]

    async def ask_all(self, commands: Sequence[Sequence[str]]) -> list[resp.ReplyValue]:
        """The replies to some commands; raises ServerError for the first error."""
        replies: list[resp.ReplyValue] = []
        with trio.fail_after(SESSION_LIMIT_S):
            await self._talk.send(resp.pipeline(commands))
            while len(replies) < len(commands):
                replies += await self._talk.hear(self._reader, lambda _: True)
        for reply in replies:
            if isinstance(reply, resp.ErrorReply):
                raise ServerError(f"{self._talk.place}: {reply.text}", reply.code)
        return replies


@asynccontextmanager
async def redis_session(place: Place) -> AsyncIterator[RedisSession]:
    """A session with Redis inside the block; raises SetupError if there is none."""
    async with _talking(place, asks_for_tls=False) as talk:
        session = RedisSession(talk)
        if place.password:
            who = (place.user, place.password) if place.user else (place.password,)
            await session.ask("AUTH", *who)
        yield session
