"""httpx on asyncio: an AsyncClient shared by all tasks."""

from __future__ import annotations

import asyncio
import gc
from typing import ClassVar

import httpx  # noqa: ASYNC127 - the library under test, as it is used

from harness.clients import Abandoned, Call, Reply, Settings
from harness.clients._httpx import options_of, timeout_of


class HttpxAsyncioClient:
    """httpx on asyncio, its AsyncClient over httpcore's pool.

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

    Default: no retries. Idiomatic: ``AsyncHTTPTransport(retries=1)``, which tries once more to
    connect, as its documentation shows under "Transports"; and ``asyncio.wait_for`` around
    the whole call, which is what its maintainers answer to who asks for a total timeout
    (encode/httpx issue 776).
    """

    NAME: ClassVar[str] = "httpx-asyncio"
    RUNS_ON: ClassVar[str] = "asyncio"
    SERVES: ClassVar[tuple[str, ...]] = ("http",)
    SUPPORTS: ClassVar[tuple[str, ...]] = (
        "size",
        "max_overflow",
        "idle_timeout",
        "tls",
        "cancel",
        "cancel_step",
        "abandon",
        "abandon_reference",
        "close_busy",
    )
    REQUIRES: ClassVar[tuple[str, ...]] = ("httpx", "httpcore")

    async def open(self, settings: Settings) -> None:
        """Make the client; connections are made when they are needed."""
        self._settings = settings
        self._client = httpx.AsyncClient(**options_of(settings, httpx.AsyncHTTPTransport))

    async def call(self, call: Call) -> Reply:
        """GET or POST; the whole reply."""
        if call.timeout_s is None or not self._settings.idiomatic:
            return await self._call(call)
        return await asyncio.wait_for(self._call(call), call.timeout_s)

    async def close(self) -> None:
        """Close the client."""
        await self._client.aclose()

    async def _call(self, call: Call) -> Reply:
        url = self._settings.url + call.target
        body = call.body or None
        if call.abandon == "reference":
            request = self._client.build_request(call.method, url, content=body)
            response = await self._client.send(request, stream=True)
            del response, request  # the only references
            gc.collect()  # an interpreter without reference counts would get there some day
            raise Abandoned("the caller lost the reply that it was reading")
        timeout = timeout_of(self._settings.pool, call.timeout_s)
        if call.abandon == "exception":
            streamed = self._client.stream(call.method, url, content=body, timeout=timeout)
            async with streamed as response:
                async for _ in response.aiter_bytes():
                    break
                raise Abandoned("the caller's own code raised while the reply was read")
        response = await self._client.request(call.method, url, content=body, timeout=timeout)
        response.raise_for_status()
        return Reply(response.content, response.status_code)
