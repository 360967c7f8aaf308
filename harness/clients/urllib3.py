"""urllib3: a PoolManager shared by all threads."""

from __future__ import annotations

import gc
from typing import Any, ClassVar

import urllib3
from urllib3.exceptions import ResponseError

from harness.clients import Abandoned, Call, Reply, Settings
from harness.clients._urllib3 import close_pools

RETRIES = 3
BACKOFF_S = 0.1
BUSY_STATUSES = (502, 503, 504)


class Urllib3Client:
    """urllib3, a PoolManager with a blocking pool.

    Pool words, and what they become:

    - ``size`` + ``max_overflow`` -> ``PoolManager(maxsize=..., block=True)``; all of them are
      kept, so there is no overflow that is given back.
    - ``timeout`` -> ``pool_timeout`` of each request.
    - ``connect_timeout`` -> ``Timeout(connect=...)``.
    - ``recycle``, ``idle_timeout``, ``pre_ping``, ``min_idle``, ``grace``: no counterpart.

    The caller's patience is ``Timeout(total=...)``: connecting and then each wait for bytes have
    to do with it, but not the whole body, and every retry has it anew.

    Default: urllib3 itself retries three times: any call that failed to connect, idempotent ones
    also after errors while reading. Idiomatic, as its user guide shows under "Retrying Requests":
    ``Retry(total=3, backoff_factor=0.1, status_forcelist=[502, 503, 504])``, and a streamed reply
    is given back with ``release_conn()`` whatever happens.

    ``close()`` closes idle connections itself: ``clear()`` leaves that to the garbage collector.
    """

    NAME: ClassVar[str] = "urllib3"
    RUNS_ON: ClassVar[str] = "threads"
    SERVES: ClassVar[tuple[str, ...]] = ("http",)
    SUPPORTS: ClassVar[tuple[str, ...]] = (
        "size",
        "tls",
        "cancel",
        "abandon",
        "abandon_reference",
        "close_busy",
    )
    REQUIRES: ClassVar[tuple[str, ...]] = ("urllib3",)

    def open(self, settings: Settings) -> None:
        """Make the manager; connections are made when they are needed."""
        self._settings = settings
        options: dict[str, Any] = {}
        if settings.tls:
            options.update(cert_reqs="CERT_REQUIRED", ca_certs=settings.ca_file)
        if settings.idiomatic:
            options["retries"] = urllib3.Retry(
                total=RETRIES, backoff_factor=BACKOFF_S, status_forcelist=BUSY_STATUSES
            )
        self._manager = urllib3.PoolManager(maxsize=settings.pool.capacity, block=True, **options)

    def call(self, call: Call) -> Reply:
        """GET or POST; the whole reply."""
        if call.abandon == "exception":
            self._walk_away(call)
        response = self._send(call, preload_content=call.abandon is None)
        if call.abandon is not None:
            del response  # the only reference
            gc.collect()  # an interpreter without reference counts would get there some day
            raise Abandoned("the caller lost the reply that it was reading")
        if response.status != 200:
            raise ResponseError(f"the origin answered {response.status}")
        return Reply(response.data, response.status)

    def close(self) -> None:
        """Close what is idle; what is in use is closed when it is given back."""
        close_pools(self._manager)

    def _walk_away(self, call: Call) -> None:
        response = self._send(call, preload_content=False)
        try:
            with response:
                response.read(1)
                raise Abandoned("the caller's own code raised while the reply was read")
        finally:
            if self._settings.idiomatic:
                response.release_conn()

    def _send(self, call: Call, *, preload_content: bool) -> Any:
        pool = self._settings.pool
        connect_s, wait_s = pool.connect_timeout_s, pool.timeout_s
        if call.timeout_s is not None:
            wait_s = min(wait_s, call.timeout_s)
        return self._manager.request(
            call.method,
            self._settings.url + call.target,
            body=call.body or None,
            timeout=urllib3.Timeout(total=call.timeout_s, connect=connect_s),
            pool_timeout=wait_s,
            preload_content=preload_content,
        )
