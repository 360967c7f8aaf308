"""Django's ORM on psycopg's pool, which Django has since 5.1."""

from __future__ import annotations

from typing import Any, ClassVar

import django
from django import conf
from django.db import close_old_connections, connections, transaction

from harness.clients import Abandoned, Call, Reply, Settings


class DjangoPoolClient:
    """Django: ``transaction.atomic()`` in threads that share a pool (OPTIONS["pool"]).

    Pool words, and what they become:

    - ``size`` + ``max_overflow`` -> ``max_size``
    - ``min_idle`` -> ``min_size``
    - ``timeout`` -> ``timeout``
    - ``recycle`` -> ``max_lifetime``
    - ``idle_timeout`` -> ``max_idle``
    - ``pre_ping`` -> ``CONN_HEALTH_CHECKS``
    - ``connect_timeout`` -> libpq's ``connect_timeout``, whole seconds and at least 2
    - ``grace``: no counterpart.

    All but CONN_HEALTH_CHECKS and connect_timeout stand in OPTIONS["pool"]. Around each call runs
    what Django does when a request starts and when it is finished, which gives the connection back.
    The caller's patience is PostgreSQL's statement_timeout, set in each transaction. close_pool()
    is no end: a later call makes another pool, so ``close_busy`` is not claimed.

    Idiomatic: CONN_HEALTH_CHECKS ("Connection pool" in Django's notes on PostgreSQL).
    """

    NAME: ClassVar[str] = "django-pool"
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
        "session",
    )
    REQUIRES: ClassVar[tuple[str, ...]] = ("django", "psycopg-pool", "psycopg")

    def open(self, settings: Settings) -> None:
        """Configure Django, which a process does once; it connects when it is used.

        Raises ValueError if this Django has no pool.
        """
        if django.VERSION < (5, 1):
            raise ValueError('Django has OPTIONS["pool"] only since 5.1')
        pool = settings.pool
        options: dict[str, Any] = {
            "min_size": min(pool.min_idle, pool.capacity),
            "max_size": pool.capacity,
            "timeout": pool.timeout_s,
            "max_lifetime": pool.recycle_s,
            "max_idle": pool.idle_timeout_s,
        }
        parameters: dict[str, Any] = settings.libpq
        database = {
            "ENGINE": "django.db.backends.postgresql",
            "NAME": parameters.pop("dbname"),
            "USER": parameters.pop("user"),
            "OPTIONS": {
                **parameters,
                "pool": {name: value for name, value in options.items() if value is not None},
            },
            "CONN_HEALTH_CHECKS": pool.pre_ping or settings.idiomatic,
        }
        conf.settings.configure(DATABASES={"default": database}, USE_TZ=True)
        django.setup()

    def call(self, call: Call) -> Reply:
        """One request with one transaction."""
        close_old_connections()
        try:
            return self._view(call)
        finally:
            close_old_connections()

    def _view(self, call: Call) -> Reply:
        with transaction.atomic(), connections["default"].cursor() as cursor:
            if call.timeout_s is not None:
                patience = f"{max(1, round(call.timeout_s * 1000))}ms"
                cursor.execute("SET LOCAL statement_timeout = %s", [patience])
            cursor.execute(call.sql("format"), list(call.sql_arguments.values()))
            (body,) = cursor.fetchone()
            if call.abandon == "exception":
                raise Abandoned("the caller's own code raised before it committed")
        return Reply(body.encode())

    def close(self) -> None:
        """Close the pool; what is in use is closed when it is given back."""
        connections["default"].close_pool()
