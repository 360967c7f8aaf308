"""redis-py for asyncio, on its blocking pool."""

from __future__ import annotations

import asyncio
from typing import Any, ClassVar

import redis.asyncio
from redis.asyncio.retry import Retry
from redis.backoff import ExponentialBackoff

from harness.clients import Abandoned, Call, Reply, Settings

PRE_PING_S, HEALTH_CHECK_S = 0.001, 1
"""Idle for so long, a connection is asked whether it lives; if it is asked for, and if advised."""
RETRIES = 3


class RedisAsyncioClient:
    """redis-py: commands of one client in many asyncio tasks, on a BlockingConnectionPool.

    Pool words, and what they become:

    - ``size`` + ``max_overflow`` -> ``max_connections``
    - ``timeout`` -> ``timeout``
    - ``pre_ping`` -> ``health_check_interval=0.001``: a PING before each use but the most rapid
    - ``connect_timeout`` -> ``socket_connect_timeout``
    - ``recycle``, ``idle_timeout``, ``min_idle``, ``grace``: no counterpart.

    It closes no connection for being old or idle, and keeps none ready. close() is no end: a later
    call connects anew, so ``close_busy`` is not claimed. The caller's patience is
    asyncio.timeout around the whole call (asyncio.wait_for before Python 3.11).

    Default: a pool that is made by hand, as a blocking one must be, retries nothing.

    Idiomatic ("Production usage" in its documentation): three retries with exponential backoff on
    lost connections and timeouts, whatever the command is; health_check_interval=1,
    socket_keepalive, and ssl_check_hostname, which is off by default before redis-py 6.
    """

    NAME: ClassVar[str] = "redis-asyncio"
    RUNS_ON: ClassVar[str] = "asyncio"
    SERVES: ClassVar[tuple[str, ...]] = ("redis",)
    SUPPORTS: ClassVar[tuple[str, ...]] = (
        "size",
        "pre_ping",
        "tls",
        "cancel",
        "cancel_step",
        "abandon",
        "abandon_reference",
    )
    REQUIRES: ClassVar[tuple[str, ...]] = ("redis",)

    async def open(self, settings: Settings) -> None:
        """Make the client and its pool; it connects when it is used."""
        pool = settings.pool
        plain, secure = redis.asyncio.Connection, redis.asyncio.SSLConnection
        connection_class: Any = secure if settings.tls else plain
        self._pool = redis.asyncio.BlockingConnectionPool(
            connection_class=connection_class,
            host=settings.host,
            port=settings.port,
            username=settings.user or None,
            password=settings.password or None,
            db=int(settings.database or 0),
            max_connections=pool.capacity,
            timeout=pool.timeout_s,
            socket_connect_timeout=pool.connect_timeout_s,
            **_more(settings),
        )
        self._client: Any = redis.asyncio.Redis(connection_pool=self._pool)

    async def call(self, call: Call) -> Reply:
        """One command or a pipeline of several, for as long as the caller waits."""
        if hasattr(asyncio, "timeout"):
            async with asyncio.timeout(call.timeout_s):
                return await self._exchange(call)
        return await asyncio.wait_for(self._exchange(call), call.timeout_s)

    async def _exchange(self, call: Call) -> Reply:
        if call.abandon is not None:
            await self._abandon(call)
        commands = call.redis_commands
        if len(commands) == 1:
            return Reply(await self._client.execute_command(*commands[0]))
        async with self._client.pipeline(transaction=False) as pipeline:
            for command in commands:
                pipeline.execute_command(*command)
            replies: list[Any] = await pipeline.execute()
        return Reply(replies[-1])

    async def _abandon(self, call: Call) -> None:
        if call.abandon == "reference":
            await self._client.pipeline().watch(f"watched:{call.nonce}")  # needs a connection
            raise Abandoned("the caller lost the pipeline that has a connection")
        async with self._client.pipeline() as pipeline:
            await pipeline.watch(f"watched:{call.nonce}")
            for command in call.redis_commands:
                await pipeline.execute_command(*command)
            raise Abandoned("the caller's own code raised between WATCH and EXEC")

    async def close(self) -> None:
        """Close all connections, those in use as well."""
        close = getattr(self._client, "aclose", self._client.close)  # close() before 5.0.1
        await close()
        await self._pool.disconnect()


def _more(settings: Settings) -> dict[str, Any]:
    more: dict[str, Any] = {}
    if settings.tls:
        more["ssl_ca_certs"] = settings.ca_file
    if settings.pool.pre_ping:
        more["health_check_interval"] = PRE_PING_S
    if settings.idiomatic:
        more.setdefault("health_check_interval", HEALTH_CHECK_S)
        more["socket_keepalive"] = True
        if settings.tls:
            more["ssl_check_hostname"] = True
        more["retry"] = Retry(ExponentialBackoff(), RETRIES)
        more["retry_on_error"] = [redis.ConnectionError, redis.TimeoutError]
    return more
