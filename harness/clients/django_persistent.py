"""Django's ORM with persistent connections: one connection for each thread."""

from __future__ import annotations

from threading import Lock
from typing import Any, ClassVar
from weakref import WeakSet

import django
from django import conf
from django.db import close_old_connections, connections, transaction

from harness.clients import Abandoned, Call, Reply, Settings


class DjangoClient:
    """Django: ``transaction.atomic()`` in threads, as views do, each with its own connection.

    Pool words, and what they become:

    - ``recycle`` -> ``CONN_MAX_AGE`` (None, if never)
    - ``pre_ping`` -> ``CONN_HEALTH_CHECKS``
    - ``connect_timeout`` -> libpq's ``connect_timeout``, whole seconds and at least 2
    - the others: no counterpart.

    Nothing limits the connections but the number of threads, so there is no ``size``. Around each
    call runs what Django does when a request starts and when it is finished. The caller's patience
    is PostgreSQL's statement_timeout, set in each transaction.

    Idiomatic: CONN_HEALTH_CHECKS ("Persistent connections" in Django's documentation).
    """

    NAME: ClassVar[str] = "django"
    RUNS_ON: ClassVar[str] = "threads"
    SERVES: ClassVar[tuple[str, ...]] = ("postgres",)
    SUPPORTS: ClassVar[tuple[str, ...]] = (
        "recycle",
        "pre_ping",
        "tls",
        "cancel",
        "abandon",
        "session",
    )
    REQUIRES: ClassVar[tuple[str, ...]] = ("django", "psycopg")

    def open(self, settings: Settings) -> None:
        """Configure Django, which a process does once; it connects when it is used."""
        parameters = settings.libpq
        database = {
            "ENGINE": "django.db.backends.postgresql",
            "NAME": parameters.pop("dbname"),
            "USER": parameters.pop("user"),
            "OPTIONS": parameters,
            "CONN_MAX_AGE": settings.pool.recycle_s,
            "CONN_HEALTH_CHECKS": settings.pool.pre_ping or settings.idiomatic,
        }
        conf.settings.configure(DATABASES={"default": database}, USE_TZ=True)
        django.setup()
        self._opened: WeakSet[Any] = WeakSet()
        self._lock = Lock()

    def call(self, call: Call) -> Reply:
        """One request with one transaction."""
        close_old_connections()
        try:
            return self._view(call)
        finally:
            close_old_connections()

    def _view(self, call: Call) -> Reply:
        with self._lock:
            self._opened.add(connections["default"])
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
        """Close the connections of all threads, as the end of the process would."""
        for connection in list(self._opened):
            connection.inc_thread_sharing()
            connection.close()
