"""A connection pool for trio, and an HTTP/1.1 client on it, that survive what networks do.

    import trio
    from harness.pool import HttpClient, PoolSettings

    async def main(host: str, port: int) -> bytes:
        settings = PoolSettings(size=4, timeout_s=2.0, idle_timeout_s=30.0, pre_ping=True)
        async with HttpClient(host, port, settings=settings) as client:
            response = await client.request("GET", "/")
            return response.body

``Pool`` itself takes any ``Connector``; it shares nothing with HTTP. ``PoolCore`` is the whole
behaviour of the pool as a pure state machine.
"""

from harness.errors import CallFailed, ConnectFailed, PoolClosed, PoolError, PoolTimeout
from harness.pool.connector import Connector
from harness.pool.core import PoolCore
from harness.pool.events import (
    Acquired,
    AttemptFailed,
    Closed,
    LeakDetected,
    News,
    Opened,
    Refused,
    Released,
)
from harness.pool.exchange import Exchange, Response
from harness.pool.http import HttpClient
from harness.pool.http_connection import HttpLimits
from harness.pool.lease import Lease
from harness.pool.pool import Pool
from harness.pool.records import PoolStats
from harness.pool.settings import PoolSettings

__all__ = [
    "Acquired",
    "AttemptFailed",
    "CallFailed",
    "Closed",
    "ConnectFailed",
    "Connector",
    "Exchange",
    "HttpClient",
    "HttpLimits",
    "LeakDetected",
    "Lease",
    "News",
    "Opened",
    "Pool",
    "PoolClosed",
    "PoolCore",
    "PoolError",
    "PoolSettings",
    "PoolStats",
    "PoolTimeout",
    "Refused",
    "Released",
    "Response",
]
