"""SQLAlchemy's own pool, over asyncpg: what most asyncio programs with an ORM run on."""

from __future__ import annotations

import asyncio
from typing import Any, ClassVar

import sqlalchemy
from sqlalchemy.engine import URL
from sqlalchemy.ext.asyncio import create_async_engine

from harness.clients import Abandoned, Call, Reply, Settings


class SqlalchemyAsyncpgClient:
    """SQLAlchemy: ``async with engine.begin()`` over asyncpg, on an AsyncAdaptedQueuePool.

    Pool words, and what they become:

    - ``size`` -> ``pool_size``
    - ``max_overflow`` -> ``max_overflow``
    - ``timeout`` -> ``pool_timeout``
    - ``recycle`` -> ``pool_recycle``
    - ``pre_ping`` -> ``pool_pre_ping``
    - ``connect_timeout`` -> asyncpg's ``timeout``
    - ``idle_timeout``, ``min_idle``, ``grace``: no counterpart.

    It closes no connection for being idle, and keeps none ready. dispose() is no end: what is in
    use stays open, and a later call connects anew, so ``close_busy`` is not claimed. The caller's
    patience is asyncio.timeout around the whole transaction (asyncio.wait_for before Python 3.11).

    Idiomatic: pool_pre_ping ("Disconnect Handling - Pessimistic" in SQLAlchemy's documentation).
    """

    NAME: ClassVar[str] = "sqlalchemy-asyncpg"
    RUNS_ON: ClassVar[str] = "asyncio"
    SERVES: ClassVar[tuple[str, ...]] = ("postgres",)
    SUPPORTS: ClassVar[tuple[str, ...]] = (
        "size",
        "max_overflow",
        "recycle",
        "pre_ping",
        "tls",
        "cancel",
        "cancel_step",
        "abandon",
        "abandon_reference",
        "session",
    )
    REQUIRES: ClassVar[tuple[str, ...]] = ("sqlalchemy", "asyncpg")

    async def open(self, settings: Settings) -> None:
        """Make the engine; it connects when it is used."""
        pool = settings.pool
        url = URL.create(
            "postgresql+asyncpg",
            username=settings.user,
            password=settings.password or None,
            host=settings.host,
            port=settings.port,
            database=settings.database,
        )
        self._engine = create_async_engine(
            url,
            # Without TLS asyncpg would ask for it, at the cost of a round trip.
            connect_args={
                "timeout": pool.connect_timeout_s,
                "ssl": settings.ssl_context() or False,
            },
            pool_size=pool.size,
            max_overflow=pool.max_overflow,
            pool_timeout=pool.timeout_s,
            pool_recycle=-1 if pool.recycle_s is None else pool.recycle_s,
            pool_pre_ping=pool.pre_ping or settings.idiomatic,
        )

    async def call(self, call: Call) -> Reply:
        """One transaction, for as long as the caller waits."""
        if hasattr(asyncio, "timeout"):
            async with asyncio.timeout(call.timeout_s):
                return await self._transaction(call)
        return await asyncio.wait_for(self._transaction(call), call.timeout_s)

    async def _transaction(self, call: Call) -> Reply:
        if call.abandon == "reference":
            await self._engine.connect()
            raise Abandoned("the caller lost the connection it had acquired")
        async with self._engine.begin() as connection:
            statement = sqlalchemy.text(call.sql("named"))
            result = await connection.execute(statement, call.sql_arguments)
            body: Any = result.scalar_one()
            if call.abandon == "exception":
                raise Abandoned("the caller's own code raised before it committed")
        return Reply(body.encode())

    async def close(self) -> None:
        """Close what is idle; what is in use is closed when it is given back."""
        await self._engine.dispose()
