"""httpx, blocking: a Client shared by all threads."""

from __future__ import annotations

import gc
from typing import ClassVar

import httpx  # noqa: ASYNC127 - the library under test, as it is used

from harness.clients import Abandoned, Call, Reply, Settings
from harness.clients._httpx import options_of, timeout_of


class HttpxClient:
    """httpx, its blocking Client over httpcore's pool.

    Pool words, and what they become:

    - ``size`` + ``max_overflow`` -> ``Limits(max_connections=...)``.
    - ``size`` -> ``Limits(max_keepalive_connections=...)``: the ``max_overflow`` above it is
      closed after use.
    - ``idle_timeout`` -> ``Limits(keepalive_expiry=...)``, 5 s unless the scenario says; looked at
      only when the pool is used.
    - ``timeout`` -> ``Timeout(pool=...)``.
    - ``connect_timeout`` -> ``Timeout(connect=...)``.
    - ``recycle``, ``pre_ping``, ``min_idle``, ``grace``: no counterpart.

    The caller's patience is ``Timeout(read=..., write=...)``, and bounds the other two: httpx
    limits each wait of a call, nothing limits their sum.

    Default: no retries. Idiomatic, as its documentation shows under "Transports":
    ``HTTPTransport(retries=1)``, which tries once more to connect.
    """

    NAME: ClassVar[str] = "httpx"
    RUNS_ON: ClassVar[str] = "threads"
    SERVES: ClassVar[tuple[str, ...]] = ("http",)
    SUPPORTS: ClassVar[tuple[str, ...]] = (
        "size",
        "max_overflow",
        "idle_timeout",
        "tls",
        "cancel",
        "abandon",
        "abandon_reference",
        "close_busy",
    )
    REQUIRES: ClassVar[tuple[str, ...]] = ("httpx", "httpcore")

    def open(self, settings: Settings) -> None:
        """Make the client; connections are made when they are needed."""
        self._url = settings.url
        self._pool = settings.pool
        self._client = httpx.Client(**options_of(settings, httpx.HTTPTransport))

    def call(self, call: Call) -> Reply:
        """GET or POST; the whole reply."""
        url = self._url + call.target
        body = call.body or None
        if call.abandon == "reference":
            request = self._client.build_request(call.method, url, content=body)
            response = self._client.send(request, stream=True)
            del response, request  # the only references
            gc.collect()  # an interpreter without reference counts would get there some day
            raise Abandoned("the caller lost the reply that it was reading")
        timeout = timeout_of(self._pool, call.timeout_s)
        if call.abandon == "exception":
            with self._client.stream(call.method, url, content=body, timeout=timeout) as response:
                next(response.iter_bytes(), b"")
                raise Abandoned("the caller's own code raised while the reply was read")
        response = self._client.request(call.method, url, content=body, timeout=timeout)
        response.raise_for_status()
        return Reply(response.content, response.status_code)

    def close(self) -> None:
        """Close the client."""
        self._client.close()
