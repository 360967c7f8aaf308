"""requests: a Session shared by all threads, as its users share one."""

from __future__ import annotations

import gc
from contextlib import closing
from typing import ClassVar

import requests
from requests.adapters import HTTPAdapter

from harness.clients import Abandoned, Call, Reply, Settings
from harness.clients._urllib3 import close_pools

try:
    from urllib3.util.retry import Retry
except ImportError:  # before 2.16 it has a urllib3 of its own
    from requests.packages.urllib3.util.retry import Retry  # type: ignore[import-not-found,no-redef]

RETRIES = 3
BACKOFF_S = 0.1
BUSY_STATUSES = (502, 503, 504)


class RequestsClient:
    """requests, a Session with one HTTPAdapter over urllib3's pool.

    Pool words, and what they become:

    - ``size`` + ``max_overflow`` -> ``HTTPAdapter(pool_maxsize=..., pool_block=True)``; all of
      them are kept, so there is no overflow that is given back.
    - ``connect_timeout`` -> ``timeout=(connect, ...)``.
    - ``timeout``, ``recycle``, ``idle_timeout``, ``pre_ping``, ``min_idle``, ``grace``: no
      counterpart. A caller waits for a connection as long as it takes: requests hands no
      ``pool_timeout`` to urllib3.

    The caller's patience is ``timeout=(..., read)``: it bounds each wait for bytes, not the whole
    call, and not the wait for a connection. A retry starts it anew.

    Default: ``max_retries=0``. Idiomatic, as its documentation shows under "Automatic Retries":
    ``Retry(total=3, backoff_factor=0.1, status_forcelist=[502, 503, 504])``, with urllib3's own
    ``allowed_methods``, which are the idempotent ones.

    The environment's proxies and certificates are left out (``trust_env``). ``close()`` closes
    idle connections itself: urllib3 leaves that to the garbage collector.
    """

    NAME: ClassVar[str] = "requests"
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
    REQUIRES: ClassVar[tuple[str, ...]] = ("requests", "urllib3")

    def open(self, settings: Settings) -> None:
        """Make the session; connections are made when they are needed."""
        self._url = settings.url
        self._pool = settings.pool
        self._session = requests.Session()
        self._session.trust_env = False
        if settings.tls:
            self._session.verify = settings.ca_file or True  # empty would mean: unverified
        retries = Retry(total=RETRIES, backoff_factor=BACKOFF_S, status_forcelist=BUSY_STATUSES)
        self._adapter = HTTPAdapter(
            pool_maxsize=settings.pool.capacity,
            pool_block=True,
            max_retries=retries if settings.idiomatic else 0,
        )
        self._session.mount("http://", self._adapter)
        self._session.mount("https://", self._adapter)

    def call(self, call: Call) -> Reply:
        """GET or POST; the whole reply."""
        if call.abandon == "exception":
            with closing(self._send(call, stream=True)) as response:  # no context before 2.18
                next(response.iter_content(1), b"")
                raise Abandoned("the caller's own code raised while the reply was read")
        response = self._send(call, stream=call.abandon is not None)
        if call.abandon is not None:
            del response  # the only reference
            gc.collect()  # an interpreter without reference counts would get there some day
            raise Abandoned("the caller lost the reply that it was reading")
        response.raise_for_status()
        return Reply(response.content, response.status_code)

    def close(self) -> None:
        """Close the session, and what is idle in its pool."""
        close_pools(self._adapter.poolmanager)
        self._session.close()

    def _send(self, call: Call, *, stream: bool) -> requests.Response:
        connect_s = self._pool.connect_timeout_s
        if call.timeout_s is not None:
            connect_s = min(connect_s, call.timeout_s)
        return self._session.request(
            call.method,
            self._url + call.target,
            data=call.body or None,
            timeout=(connect_s, call.timeout_s),
            stream=stream,
        )
