"""psycopg_pool's AsyncConnectionPool, for asyncio."""

from __future__ import annotations

import asyncio
import inspect
from typing import Any, ClassVar

from psycopg_pool import AsyncConnectionPool

from harness.clients import Abandoned, Call, Reply, Settings

KNOWN = inspect.signature(AsyncConnectionPool).parameters


class PsycopgPoolAsyncClient:
    """psycopg_pool: ``async with pool.connection()`` on asyncio.

    Pool words, and what they become:

    - ``size`` + ``max_overflow`` -> ``max_size``
    - ``min_idle`` -> ``min_size``
    - ``timeout`` -> ``timeout``
    - ``recycle`` -> ``max_lifetime``
    - ``idle_timeout`` -> ``max_idle``
    - ``pre_ping`` -> ``check=AsyncConnectionPool.check_connection`` (psycopg_pool 3.2)
    - ``connect_timeout`` -> libpq's ``connect_timeout``, whole seconds and at least 2
    - ``grace`` -> ``close(timeout=...)``

    Once it has grown it shrinks by one connection each max_idle, so what ``max_overflow`` means
    elsewhere it hasn't got. The caller's patience is asyncio.timeout around the whole transaction
    (asyncio.wait_for before Python 3.11), which makes psycopg cancel the query.

    Idiomatic: check=AsyncConnectionPool.check_connection ("Connection quality" in its
    documentation).
    """

    NAME: ClassVar[str] = "psycopg-pool-async"
    RUNS_ON: ClassVar[str] = "asyncio"
    SERVES: ClassVar[tuple[str, ...]] = ("postgres",)
    SUPPORTS: ClassVar[tuple[str, ...]] = (
        "size",
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
    REQUIRES: ClassVar[tuple[str, ...]] = ("psycopg-pool", "psycopg")

    async def open(self, settings: Settings) -> None:
        """Open the pool; unless ``min_idle`` is asked for it connects when it is used.

        Raises ValueError if a pre-ping is asked of a version that has none.
        """
        pool = settings.pool
        options: dict[str, Any] = {"max_lifetime": pool.recycle_s, "max_idle": pool.idle_timeout_s}
        options = {name: value for name, value in options.items() if value is not None}
        if "check" in KNOWN and (pool.pre_ping or settings.idiomatic):
            options["check"] = AsyncConnectionPool.check_connection
        elif pool.pre_ping:
            raise ValueError("psycopg_pool has check= only since 3.2, so there is no pre-ping")
        if "open" in KNOWN:  # before 3.1 it opened when it was made
            options["open"] = False
        self._grace_s = pool.grace_s
        self._pool = AsyncConnectionPool(
            kwargs=settings.libpq,
            min_size=min(pool.min_idle, pool.capacity),
            max_size=pool.capacity,
            timeout=pool.timeout_s,
            **options,
        )
        if "open" in KNOWN:
            await self._pool.open()

    async def call(self, call: Call) -> Reply:
        """One transaction, for as long as the caller waits."""
        if hasattr(asyncio, "timeout"):
            async with asyncio.timeout(call.timeout_s):
                return await self._transaction(call)
        return await asyncio.wait_for(self._transaction(call), call.timeout_s)

    async def _transaction(self, call: Call) -> Reply:
        if call.abandon == "reference":
            await self._pool.getconn()
            raise Abandoned("the caller lost the connection it had acquired")
        async with self._pool.connection() as connection:
            statement: Any = call.sql("format")
            cursor = await connection.execute(statement, tuple(call.sql_arguments.values()))
            (body,) = await cursor.fetchone() or ("",)
            if call.abandon == "exception":
                raise Abandoned("the caller's own code raised before it committed")
        return Reply(body.encode())

    async def close(self) -> None:
        """Close what is idle; what is in use is closed when it is given back."""
        await self._pool.close(timeout=self._grace_s)
