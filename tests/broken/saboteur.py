"""Puts broken parts into the reference client and leaves all others as they are.

Every class beside this file is the reference client with one defect, usable as
``harness run --client tests/broken/health.py:NoIdleCheck``. Its docstring says the defect as it
occurs in real libraries; ``catalogue`` says which scenario finds it, and by which check.
"""

from dataclasses import replace

from harness.clients._postgres import (
    PostgresCalls,
    PostgresConnection,
    PostgresConnector,
    PostgresExchange,
)
from harness.clients._redis import RedisCalls, RedisConnection, RedisConnector, RedisExchange
from harness.pool import Exchange, HttpClient, Pool, PoolCore
from harness.pool.http_connector import HttpConnector
from harness.pool.work import Work


def broken(
    *,
    client=HttpClient,
    pool=Pool,
    core=PoolCore,
    work=Work,
    connector=HttpConnector,
    connection=None,
    exchange=Exchange,
    **bounds,
):
    """The reference HTTP client with these parts in place of its own.

    ``bounds`` replace settings: ``grace_s`` is short where a slot is lost on purpose, because
    closing waits that long for it.
    """

    class BrokenConnector(connector):
        async def connect(self):
            made = await super().connect()
            if connection is not None:
                made.__class__ = connection
            return made

    class BrokenPool(pool):
        core_class = core
        work_class = work

        def __init__(self, connector, settings, **rest):
            super().__init__(connector, replace(settings, **bounds), **rest)

    class BrokenHttpClient(client):
        pool_class = BrokenPool
        connector_class = BrokenConnector
        exchange_class = exchange

    return BrokenHttpClient


def broken_postgres(
    *,
    core=PoolCore,
    connector=PostgresConnector,
    connection=PostgresConnection,
    exchange=PostgresExchange,
    **bounds,
):
    """The reference's calls to PostgreSQL with these parts in place of its own.

    ``recycle_s`` is short where a connection would never be right again: one run needn't show
    that for as long as recovery is waited for.
    """
    return _broken_calls(PostgresCalls, core, connector, connection, exchange, bounds)


def broken_redis(
    *,
    core=PoolCore,
    connector=RedisConnector,
    connection=RedisConnection,
    exchange=RedisExchange,
    **bounds,
):
    """The reference's calls to Redis with these parts in place of its own."""
    return _broken_calls(RedisCalls, core, connector, connection, exchange, bounds)


def _broken_calls(calls, core, connector, connection, exchange, bounds):
    class BrokenPool(Pool):
        core_class = core

        def __init__(self, connector, settings, **rest):
            super().__init__(connector, replace(settings, **bounds), **rest)

    class BrokenConnector(connector):
        connection_class = connection

    class BrokenCalls(calls):
        pool_class = BrokenPool
        connector_class = BrokenConnector
        exchange_class = exchange

    return BrokenCalls
