"""SQLAlchemy's own pool, over psycopg: what most programs that say SQLAlchemy run on."""

from __future__ import annotations

from typing import Any, ClassVar

import sqlalchemy
from sqlalchemy.engine import URL

from harness.clients import Abandoned, Call, Reply, Settings

try:
    from sqlalchemy.dialects.postgresql import psycopg as _  # noqa: F401 - is it there?
except ImportError:
    DRIVER = "psycopg2"  # before SQLAlchemy 2.0
else:
    DRIVER = "psycopg"


class SqlalchemyPsycopgClient:
    """SQLAlchemy: ``with engine.begin()`` in threads, on a QueuePool.

    Pool words, and what they become:

    - ``size`` -> ``pool_size``
    - ``max_overflow`` -> ``max_overflow``
    - ``timeout`` -> ``pool_timeout``
    - ``recycle`` -> ``pool_recycle``
    - ``pre_ping`` -> ``pool_pre_ping``
    - ``connect_timeout`` -> libpq's ``connect_timeout``, whole seconds and at least 2
    - ``idle_timeout``, ``min_idle``, ``grace``: no counterpart.

    It closes no connection for being idle, and keeps none ready. dispose() is no end: what is in
    use stays open, and a later call connects anew, so ``close_busy`` is not claimed. The caller's
    patience is PostgreSQL's statement_timeout, set in each transaction: a blocking libpq has none
    of its own, so a silent server is waited for as long as the kernel does.

    Idiomatic: pool_pre_ping ("Disconnect Handling - Pessimistic" in SQLAlchemy's documentation).
    """

    NAME: ClassVar[str] = "sqlalchemy-psycopg"
    RUNS_ON: ClassVar[str] = "threads"
    SERVES: ClassVar[tuple[str, ...]] = ("postgres",)
    SUPPORTS: ClassVar[tuple[str, ...]] = (
        "size",
        "max_overflow",
        "recycle",
        "pre_ping",
        "tls",
        "cancel",
        "abandon",
        "abandon_reference",
        "session",
    )
    REQUIRES: ClassVar[tuple[str, ...]] = ("sqlalchemy", "psycopg")

    def open(self, settings: Settings) -> None:
        """Make the engine; it connects when it is used."""
        pool = settings.pool
        self._engine = sqlalchemy.create_engine(
            URL.create(f"postgresql+{DRIVER}"),
            connect_args=settings.libpq,
            pool_size=pool.size,
            max_overflow=pool.max_overflow,
            pool_timeout=pool.timeout_s,
            pool_recycle=-1 if pool.recycle_s is None else pool.recycle_s,
            pool_pre_ping=pool.pre_ping or settings.idiomatic,
        )

    def call(self, call: Call) -> Reply:
        """One transaction."""
        if call.abandon == "reference":
            self._engine.connect()
            raise Abandoned("the caller lost the connection it had acquired")
        with self._engine.begin() as connection:
            if call.timeout_s is not None:
                patience = {"patience": f"{max(1, round(call.timeout_s * 1000))}ms"}
                connection.execute(sqlalchemy.text(LIMIT), patience)
            statement = sqlalchemy.text(call.sql("named"))
            body: Any = connection.execute(statement, call.sql_arguments).scalar_one()
            if call.abandon == "exception":
                raise Abandoned("the caller's own code raised before it committed")
        return Reply(body.encode())

    def close(self) -> None:
        """Close what is idle; what is in use is closed when it is given back."""
        self._engine.dispose()


LIMIT = "SELECT set_config('statement_timeout', :patience, true)"
