"""asyncpg with its own pool."""

from __future__ import annotations

import asyncio
from typing import Any, ClassVar

import asyncpg

from harness.clients import Abandoned, Call, Reply, Settings

COMMAND_TIMEOUT_S = 60.0


class AsyncpgClient:
    """asyncpg: ``async with pool.acquire()`` and ``connection.transaction()``.

    Pool words, and what they become:

    - ``size`` + ``max_overflow`` -> ``max_size``
    - ``min_idle`` -> ``min_size``
    - ``timeout`` -> ``acquire(timeout=...)``, which is for connecting as well
    - ``idle_timeout`` -> ``max_inactive_connection_lifetime``
    - ``connect_timeout`` -> ``timeout`` of connect()
    - ``grace`` -> asyncio.wait_for around ``close()``, as its documentation advises, then
      ``terminate()``
    - ``recycle``, ``pre_ping``: no counterpart.

    min_size is what the pool begins with, and it doesn't refill to it, so ``min_idle`` is not
    claimed. It has no recycling by age and no pre-ping. The caller's patience is asyncio.timeout
    around the whole transaction (asyncio.wait_for before Python 3.11): ``timeout=`` of a query
    would leave BEGIN and COMMIT out.

    Idiomatic: command_timeout=60, as in the documentation's examples of create_pool().
    """

    NAME: ClassVar[str] = "asyncpg"
    RUNS_ON: ClassVar[str] = "asyncio"
    SERVES: ClassVar[tuple[str, ...]] = ("postgres",)
    SUPPORTS: ClassVar[tuple[str, ...]] = (
        "size",
        "idle_timeout",
        "tls",
        "cancel",
        "cancel_step",
        "abandon",
        "abandon_reference",
        "close_busy",
        "session",
    )
    REQUIRES: ClassVar[tuple[str, ...]] = ("asyncpg",)

    async def open(self, settings: Settings) -> None:
        """Make the pool; unless ``min_idle`` is asked for it connects when it is used."""
        pool = settings.pool
        self._acquire_timeout_s = pool.timeout_s
        self._grace_s = pool.grace_s
        more: dict[str, Any] = {}
        if pool.idle_timeout_s is not None:
            more["max_inactive_connection_lifetime"] = pool.idle_timeout_s
        if settings.idiomatic:
            more["command_timeout"] = COMMAND_TIMEOUT_S
        self._pool = await asyncpg.create_pool(
            host=settings.host,
            port=settings.port,
            user=settings.user,
            password=settings.password or None,
            database=settings.database,
            # Without TLS asyncpg would ask for it, at the cost of a round trip.
            ssl=settings.ssl_context() or False,
            timeout=pool.connect_timeout_s,
            min_size=min(pool.min_idle, pool.capacity),
            max_size=pool.capacity,
            **more,
        )

    async def call(self, call: Call) -> Reply:
        """One transaction, for as long as the caller waits."""
        if hasattr(asyncio, "timeout"):
            async with asyncio.timeout(call.timeout_s):
                return await self._transaction(call)
        return await asyncio.wait_for(self._transaction(call), call.timeout_s)

    async def _transaction(self, call: Call) -> Reply:
        if call.abandon == "reference":
            await self._pool.acquire(timeout=self._acquire_timeout_s)
            raise Abandoned("the caller lost the connection it had acquired")
        acquiring = self._pool.acquire(timeout=self._acquire_timeout_s)
        async with acquiring as connection, connection.transaction():
            body: str = await connection.fetchval(call.sql("numeric"), *call.sql_arguments.values())
            if call.abandon == "exception":
                raise Abandoned("the caller's own code raised before it committed")
        return Reply(body.encode())

    async def close(self) -> None:
        """Close when all is given back; what isn't within ``grace`` is cut off."""
        try:
            await asyncio.wait_for(self._pool.close(), self._grace_s)
        except asyncio.TimeoutError:  # noqa: UP041 - another one before Python 3.11
            self._pool.terminate()
