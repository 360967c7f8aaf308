"""httpx as a client under test, the same on both of its libraries."""

from __future__ import annotations

import httpx

from harness.clients import Abandoned, Reply


class HttpxClient:
    """One AsyncClient; its limits are the scenario's."""

    async def open(self, settings):
        pool = settings.pool
        limits = httpx.Limits(
            max_connections=pool.size + pool.max_overflow,
            max_keepalive_connections=pool.size,
            keepalive_expiry=pool.idle_timeout_s,
        )
        self.pool_s = pool.timeout_s
        self.connect_s = pool.connect_timeout_s
        self.extensions = {"sni_hostname": settings.server_hostname} if settings.tls else {}
        self.client = httpx.AsyncClient(
            base_url=settings.url,
            limits=limits,
            verify=settings.ssl_context() or False,
            trust_env=False,
        )

    async def call(self, call):
        request = self.client.build_request(
            call.method,
            call.target,
            content=call.body if call.unsafe else None,
            timeout=httpx.Timeout(call.timeout_s, connect=self.connect_s, pool=self.pool_s),
            extensions=dict(self.extensions),
        )
        if call.abandon == "reference":
            raise Abandoned("httpx hands out no connection that could be lost")
        reply = await self.client.send(request, stream=call.abandon is not None)
        try:
            if call.abandon:
                raise Abandoned("the caller's own code raised while the reply was read")
            reply.raise_for_status()
            return Reply(reply.content, reply.status_code)
        finally:
            await reply.aclose()

    async def close(self):
        await self.client.aclose()
