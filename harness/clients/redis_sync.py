"""redis-py for threads, on its blocking pool."""

from __future__ import annotations

import threading
from typing import Any, ClassVar

import redis

from harness.clients import Abandoned, Call, Reply, Settings

try:
    from redis.backoff import ExponentialBackoff
    from redis.retry import Retry
except ImportError:  # before 4.1
    Retry = None  # type: ignore[assignment,misc]

PRE_PING_S, HEALTH_CHECK_S = 0.001, 1
"""Idle for so long, a connection is asked whether it lives; if it is asked for, and if advised."""
RETRIES = 3


class RedisClient:
    """redis-py: commands of one client in many threads, on a BlockingConnectionPool.

    Pool words, and what they become:

    - ``size`` + ``max_overflow`` -> ``max_connections``
    - ``timeout`` -> ``timeout``
    - ``pre_ping`` -> ``health_check_interval=0.001``: a PING before each use but the most rapid
    - ``connect_timeout`` -> ``socket_connect_timeout``
    - ``recycle``, ``idle_timeout``, ``min_idle``, ``grace``: no counterpart.

    It closes no connection for being old or idle, and keeps none ready. close() is no end: a later
    call connects anew, so ``close_busy`` is not claimed. The caller's patience is
    socket_timeout, for each send and receive. redis-py has one for a whole pool, and callers here
    differ, so the pool gives it to a connection as it hands it out.

    Default: a pool that is made by hand, as a blocking one must be, retries nothing.

    Idiomatic ("Production usage" in its documentation): three retries with exponential backoff on
    lost connections and timeouts, whatever the command is; health_check_interval=1,
    socket_keepalive, and ssl_check_hostname, which is off by default before redis-py 6.
    """

    NAME: ClassVar[str] = "redis"
    RUNS_ON: ClassVar[str] = "threads"
    SERVES: ClassVar[tuple[str, ...]] = ("redis",)
    SUPPORTS: ClassVar[tuple[str, ...]] = (
        "size",
        "pre_ping",
        "tls",
        "cancel",
        "abandon",
        "abandon_reference",
    )
    REQUIRES: ClassVar[tuple[str, ...]] = ("redis",)

    def open(self, settings: Settings) -> None:
        """Make the client and its pool; it connects when it is used."""
        pool = settings.pool
        self._pool = PatientPool(
            connection_class=redis.SSLConnection if settings.tls else redis.Connection,
            host=settings.host,
            port=settings.port,
            password=settings.password or None,
            db=int(settings.database or 0),
            max_connections=pool.capacity,
            timeout=pool.timeout_s,
            socket_connect_timeout=pool.connect_timeout_s,
            **_more(settings),
        )
        self._client = redis.Redis(connection_pool=self._pool)

    def call(self, call: Call) -> Reply:
        """One command, or a pipeline of several."""
        self._pool.patience.s = call.timeout_s
        if call.abandon is not None:
            self._abandon(call)
        commands = call.redis_commands
        if len(commands) == 1:
            return Reply(self._client.execute_command(*commands[0]))
        with self._client.pipeline(transaction=False) as pipeline:
            for command in commands:
                pipeline.execute_command(*command)
            replies: list[Any] = pipeline.execute()
        return Reply(replies[-1])

    def _abandon(self, call: Call) -> None:
        if call.abandon == "reference":
            self._client.pipeline().watch(f"watched:{call.nonce}")  # which needs a connection
            raise Abandoned("the caller lost the pipeline that has a connection")
        with self._client.pipeline() as pipeline:
            pipeline.watch(f"watched:{call.nonce}")
            for command in call.redis_commands:
                pipeline.execute_command(*command)
            raise Abandoned("the caller's own code raised between WATCH and EXEC")

    def close(self) -> None:
        """Close all connections, those in use as well."""
        if hasattr(self._client, "close"):  # since 3.5
            self._client.close()
        self._pool.disconnect()


class PatientPool(redis.BlockingConnectionPool):
    """Connections that wait for a reply as long as the caller in this thread does."""

    def __init__(self, **options: Any) -> None:
        self.patience = threading.local()
        super().__init__(**options)

    def make_connection(self) -> Any:
        """A connection that waits so long while it is set up."""
        connection: Any = super().make_connection()
        connection.socket_timeout = getattr(self.patience, "s", None)
        return connection

    def get_connection(self, *command: Any, **options: Any) -> Any:
        """A connection that waits so long from now on."""
        connection: Any = super().get_connection(*command, **options)
        connection.socket_timeout = getattr(self.patience, "s", None)
        if connection._sock is not None:  # noqa: SLF001 - there is no other way to reach it
            connection._sock.settimeout(connection.socket_timeout)  # noqa: SLF001
        return connection


def _more(settings: Settings) -> dict[str, Any]:
    more: dict[str, Any] = {}
    if settings.user:  # redis-py knows the word since 3.4
        more["username"] = settings.user
    if settings.tls:
        more["ssl_ca_certs"] = settings.ca_file
    if settings.pool.pre_ping:
        more["health_check_interval"] = PRE_PING_S
    if settings.idiomatic:
        more.setdefault("health_check_interval", HEALTH_CHECK_S)
        more["socket_keepalive"] = True
        if settings.tls:
            more["ssl_check_hostname"] = True
        if Retry is not None:
            more["retry"] = Retry(ExponentialBackoff(), RETRIES)
            more["retry_on_error"] = [redis.ConnectionError, redis.TimeoutError]
    return more
