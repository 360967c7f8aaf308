"""aiohttp: a ClientSession shared by all tasks."""

from __future__ import annotations

import asyncio
import gc
from typing import Any, ClassVar

import aiohttp

from harness.clients import Abandoned, Call, Reply, Settings

TLS_CLOSE_S = 0.25


class AiohttpClient:
    """aiohttp, a ClientSession over a TCPConnector.

    Pool words, and what they become:

    - ``size`` + ``max_overflow`` -> ``TCPConnector(limit=...)``; all of them are kept, so there is
      no overflow that is given back.
    - ``idle_timeout`` -> ``TCPConnector(keepalive_timeout=...)``, 15 s unless the scenario says.
    - ``timeout`` -> ``ClientTimeout(connect=...)``: waiting for a connection and making one.
    - ``connect_timeout`` -> ``ClientTimeout(sock_connect=...)``.
    - ``recycle``, ``pre_ping``, ``min_idle``, ``grace``: no counterpart.

    The caller's patience is ``ClientTimeout(total=...)``: the whole call.

    Default: recent releases make an idempotent call once more, on a new connection, if
    the one it reused was closed. Idiomatic, as its documentation shows under "Graceful Shutdown":
    ``close()`` is followed by a sleep, of 250 ms with TLS, in which transports are closed.
    """

    NAME: ClassVar[str] = "aiohttp"
    RUNS_ON: ClassVar[str] = "asyncio"
    SERVES: ClassVar[tuple[str, ...]] = ("http",)
    SUPPORTS: ClassVar[tuple[str, ...]] = (
        "size",
        "idle_timeout",
        "tls",
        "cancel",
        "cancel_step",
        "abandon",
        "abandon_reference",
        "close_busy",
    )
    REQUIRES: ClassVar[tuple[str, ...]] = ("aiohttp",)

    async def open(self, settings: Settings) -> None:
        """Make the session; connections are made when they are needed."""
        self._settings = settings
        options: dict[str, Any] = {"limit": settings.pool.capacity}
        if settings.tls:
            options["ssl"] = settings.ssl_context()
        if settings.pool.idle_timeout_s is not None:
            options["keepalive_timeout"] = settings.pool.idle_timeout_s
        self._session = aiohttp.ClientSession(connector=aiohttp.TCPConnector(**options))

    async def call(self, call: Call) -> Reply:
        """GET or POST; the whole reply."""
        if call.abandon == "reference":
            response = await self._send(call)
            del response  # the only reference
            gc.collect()  # an interpreter without reference counts would get there some day
            raise Abandoned("the caller lost the reply that it was reading")
        async with self._send(call) as response:
            if call.abandon is not None:
                await response.content.read(1)
                raise Abandoned("the caller's own code raised while the reply was read")
            response.raise_for_status()
            return Reply(await response.read(), response.status)

    async def close(self) -> None:
        """Close the session."""
        await self._session.close()
        if self._settings.idiomatic:
            await asyncio.sleep(TLS_CLOSE_S if self._settings.tls else 0)

    def _send(self, call: Call) -> Any:
        """The request, to be awaited or entered."""
        pool = self._settings.pool
        return self._session.request(
            call.method,
            self._settings.url + call.target,
            data=call.body or None,
            timeout=aiohttp.ClientTimeout(
                total=call.timeout_s,
                connect=pool.timeout_s,
                sock_connect=pool.connect_timeout_s,
            ),
        )
