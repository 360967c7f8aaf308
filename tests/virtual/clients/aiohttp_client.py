"""aiohttp as a client under test."""

from __future__ import annotations

import aiohttp

from harness.clients import Abandoned, Reply


class AiohttpClient:
    """One session with a pool of connections, as its documentation advises."""

    RUNS_ON = "asyncio"

    async def open(self, settings):
        pool = settings.pool
        connector = aiohttp.TCPConnector(
            limit=pool.size + pool.max_overflow,
            keepalive_timeout=pool.idle_timeout_s,
            ssl=settings.ssl_context() or True,
        )
        patience = aiohttp.ClientTimeout(
            total=None, connect=pool.timeout_s, sock_connect=pool.connect_timeout_s
        )
        self.url = settings.url
        self.name = settings.server_hostname if settings.tls else None
        self.session = aiohttp.ClientSession(connector=connector, timeout=patience)

    async def call(self, call):
        patience = aiohttp.ClientTimeout(total=call.timeout_s, connect=self.session.timeout.connect)
        request = self.session.request(
            call.method,
            self.url + call.target,
            data=call.body if call.unsafe else None,
            timeout=patience,
            server_hostname=self.name,
        )
        if call.abandon == "reference":
            await request
            raise Abandoned("the caller lost the reply")
        async with request as reply:
            if call.abandon:
                raise Abandoned("the caller's own code raised while the reply was read")
            reply.raise_for_status()
            return Reply(await reply.read(), reply.status)

    async def close(self):
        await self.session.close()
