"""psycopg_pool's ConnectionPool, for threads."""

from __future__ import annotations

import inspect
from typing import Any, ClassVar

from psycopg_pool import ConnectionPool

from harness.clients import Abandoned, Call, Reply, Settings

KNOWN = inspect.signature(ConnectionPool).parameters


class PsycopgPoolClient:
    """psycopg_pool: ``with pool.connection()`` in threads.

    Pool words, and what they become:

    - ``size`` + ``max_overflow`` -> ``max_size``
    - ``min_idle`` -> ``min_size``
    - ``timeout`` -> ``timeout``
    - ``recycle`` -> ``max_lifetime``
    - ``idle_timeout`` -> ``max_idle``
    - ``pre_ping`` -> ``check=ConnectionPool.check_connection`` (psycopg_pool 3.2)
    - ``connect_timeout`` -> libpq's ``connect_timeout``, whole seconds and at least 2
    - ``grace`` -> ``close(timeout=...)``

    Once it has grown it shrinks by one connection each max_idle, so what ``max_overflow`` means
    elsewhere it hasn't got. The caller's patience is PostgreSQL's statement_timeout, set in each
    transaction: a blocking connection has none of its own.

    Idiomatic: check=ConnectionPool.check_connection ("Connection quality" in its documentation).
    """

    NAME: ClassVar[str] = "psycopg-pool"
    RUNS_ON: ClassVar[str] = "threads"
    SERVES: ClassVar[tuple[str, ...]] = ("postgres",)
    SUPPORTS: ClassVar[tuple[str, ...]] = (
        "size",
        "recycle",
        "idle_timeout",
        "pre_ping",
        "min_idle",
        "tls",
        "cancel",
        "abandon",
        "abandon_reference",
        "close_busy",
        "session",
    )
    REQUIRES: ClassVar[tuple[str, ...]] = ("psycopg-pool", "psycopg")

    def open(self, settings: Settings) -> None:
        """Open the pool; unless ``min_idle`` is asked for it connects when it is used.

        Raises ValueError if a pre-ping is asked of a version that has none.
        """
        pool = settings.pool
        options: dict[str, Any] = {"max_lifetime": pool.recycle_s, "max_idle": pool.idle_timeout_s}
        options = {name: value for name, value in options.items() if value is not None}
        if "check" in KNOWN and (pool.pre_ping or settings.idiomatic):
            options["check"] = ConnectionPool.check_connection
        elif pool.pre_ping:
            raise ValueError("psycopg_pool has check= only since 3.2, so there is no pre-ping")
        if "open" in KNOWN:  # before 3.1 it opened when it was made
            options["open"] = True
        self._grace_s = pool.grace_s
        self._pool = ConnectionPool(
            kwargs=settings.libpq,
            min_size=min(pool.min_idle, pool.capacity),
            max_size=pool.capacity,
            timeout=pool.timeout_s,
            **options,
        )

    def call(self, call: Call) -> Reply:
        """One transaction."""
        if call.abandon == "reference":
            self._pool.getconn()
            raise Abandoned("the caller lost the connection it had acquired")
        with self._pool.connection() as connection:
            if call.timeout_s is not None:
                patience = f"{max(1, round(call.timeout_s * 1000))}ms"
                connection.execute("SELECT set_config('statement_timeout', %s, true)", [patience])
            statement: Any = call.sql("format")
            cursor = connection.execute(statement, tuple(call.sql_arguments.values()))
            (body,) = cursor.fetchone() or ("",)
            if call.abandon == "exception":
                raise Abandoned("the caller's own code raised before it committed")
        return Reply(body.encode())

    def close(self) -> None:
        """Close what is idle; what is in use is closed when it is given back."""
        self._pool.close(timeout=self._grace_s)
