"""Puts broken parts into the reference client and leaves all others as they are.

Every class beside this file is the reference client with one defect, usable as
``harness run --client tests/broken/health.py:NoIdleCheck``. Its docstring says the defect as it
occurs in real libraries; ``catalogue`` says which scenario finds it, and by which check.
"""

from dataclasses import replace

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
