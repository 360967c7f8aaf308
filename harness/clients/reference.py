"""The reference client: the reference pool under HTTP, PostgreSQL, Redis, or mere lines."""

from __future__ import annotations

from random import Random
from typing import Any, ClassVar

import trio

from harness.clients._echo import EchoCall, EchoConnector
from harness.clients._exchange import DatabaseCalls
from harness.clients._postgres import PostgresCalls
from harness.clients._redis import RedisCalls
from harness.errors import CallFailed
from harness.pool import HttpClient, LeakDetected, Pool, PoolSettings
from harness.pool.http_connection import HttpConnection
from harness.worker import contract
from harness.worker.contract import Abandoned, Call, Reply, Settings

ECHO_PATIENCE_S = 30.0


def pool_settings(words: contract.Pool) -> PoolSettings:
    """The scenario's words as settings of the reference pool: the names are the same."""
    return PoolSettings(
        size=words.size,
        max_overflow=words.max_overflow,
        timeout_s=words.timeout_s,
        recycle_s=words.recycle_s,
        idle_timeout_s=words.idle_timeout_s,
        pre_ping=words.pre_ping,
        connect_timeout_s=words.connect_timeout_s,
        ping_timeout_s=min(1.0, words.timeout_s / 2),
        min_idle=words.min_idle,
        grace_s=words.grace_s,
        bypass_window_s=0.1,
    )


class ReferenceClient:
    """The pool with health checks that this project ships; it passes every scenario."""

    NAME: ClassVar[str] = "reference"
    RUNS_ON: ClassVar[str] = "trio"
    SERVES: ClassVar[tuple[str, ...]] = ("http", "echo", "postgres", "redis")
    SUPPORTS: ClassVar[tuple[str, ...]] = (
        "size",
        "max_overflow",
        "recycle",
        "idle_timeout",
        "pre_ping",
        "min_idle",
        "tls",
        "cancel",
        "cancel_step",
        "abandon",
        "abandon_reference",
        "close_busy",
        "session",
    )
    REQUIRES: ClassVar[tuple[str, ...]] = ()

    client_class: ClassVar[type[HttpClient]] = HttpClient
    postgres_class: ClassVar[type[DatabaseCalls[Any]]] = PostgresCalls
    redis_class: ClassVar[type[DatabaseCalls[Any]]] = RedisCalls

    def __init__(self) -> None:
        self._client: HttpClient | None = None
        self._echo: Pool[HttpConnection] | None = None
        self._database: DatabaseCalls[Any] | None = None

    async def open(self, settings: Settings) -> None:
        """Open the pool."""

        def on_event(news: Any) -> None:
            if isinstance(news, LeakDetected):
                settings.report_leak(news.where)

        if settings.serve in {"postgres", "redis"}:
            made = self.postgres_class if settings.serve == "postgres" else self.redis_class
            self._database = made(
                settings,
                pool_settings(settings.pool),
                random=Random(settings.seed),
                on_event=on_event,
            )
            await self._database.pool.__aenter__()
            return
        if settings.serve == "echo":
            self._echo = Pool(
                EchoConnector(
                    settings.host,
                    settings.port,
                    settings.ssl_context(),
                    settings.server_hostname,
                ),
                pool_settings(settings.pool),
                random=Random(settings.seed),
                on_event=on_event,
            )
            await self._echo.__aenter__()
            return
        self._client = self.client_class(
            settings.host,
            settings.port,
            settings=pool_settings(settings.pool),
            ssl_context=settings.ssl_context(),
            server_hostname=settings.server_hostname if settings.tls else None,
            random=Random(settings.seed),
            on_event=on_event,
        )
        await self._client.__aenter__()

    async def call(self, call: Call) -> Reply:
        """GET or POST, a transaction, commands or a line: whatever the origin speaks."""
        if self._database is not None:
            return await self._database.make(call)
        if self._echo is not None:
            patience_s = ECHO_PATIENCE_S if call.timeout_s is None else call.timeout_s
            echo = EchoCall(self._echo, call.line, trio.current_time() + patience_s)
            return Reply(await echo.make())
        assert self._client is not None
        if call.abandon is not None:
            await self._abandon(self._client, call)
        response = await self._client.request(
            call.method, call.target, body=call.body, timeout_s=call.timeout_s
        )
        if response.status != 200:
            raise CallFailed(f"the origin answered {response.status}", kind="protocol", sent=True)
        return Reply(response.body, response.status)

    async def _abandon(self, client: HttpClient, call: Call) -> None:
        request = client.stream(call.method, call.target, body=call.body, timeout_s=call.timeout_s)
        if call.abandon == "exception":
            async with request as reply:
                await reply.read_chunk()
                raise Abandoned("the caller's own code raised while the reply was read")
        lease = await client.pool.lease(timeout_s=call.timeout_s)
        del lease  # the only reference: nobody will ever release it
        await trio.lowlevel.checkpoint()
        raise Abandoned("the caller lost the connection it had acquired")

    async def close(self) -> None:
        """Close the pool."""
        database = None if self._database is None else self._database.pool
        for opened in (self._client, self._echo, database):
            if opened is not None:
                await opened.__aexit__(None, None, None)
