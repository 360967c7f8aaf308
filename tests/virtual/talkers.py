"""Client libraries as they are, each under one small interface: open, ask, close."""

from __future__ import annotations

from collections.abc import Awaitable, Callable
from typing import Any

import aiohttp
import asyncpg
import httpx
import redis.asyncio
import trio
from kit import HOST
from mini_postgres import MiniPostgres
from mini_redis import MiniRedis

from harness.origin.http import HttpServer, Meeting
from harness.worker.contract import Asked

Serve = Callable[[trio.abc.Stream], Awaitable[None]]


def http_server(told: Callable[[str], None], tls: Any, idle_s: float | None) -> tuple[Serve, Any]:
    return HttpServer(lambda nonce, _: told(nonce), Meeting(), idle_s).serve, tls


def redis_server(told: Callable[[str], None], tls: Any, idle_s: float | None) -> tuple[Serve, Any]:
    return MiniRedis(told=told, idle_s=idle_s or float("inf")).serve, tls


def postgres_server(
    told: Callable[[str], None], tls: Any, idle_s: float | None
) -> tuple[Serve, Any]:
    return MiniPostgres(told=told, tls=tls, idle_s=idle_s or float("inf")).serve, None


def target(number: int, slow_s: float) -> str:
    return Asked(nonce=f"n{number}", size_bytes=64, slow_s=slow_s).target()


class Aiohttp:
    """A session with one connection."""

    runs_on = "asyncio"
    server = staticmethod(http_server)

    async def open(self, port, context, timeout_s=None):
        connector = aiohttp.TCPConnector(limit=1, keepalive_timeout=50, ssl=context or True)
        self.url = f"{'https' if context else 'http'}://{HOST}:{port}"
        self.session = aiohttp.ClientSession(
            connector=connector, timeout=aiohttp.ClientTimeout(total=timeout_s)
        )

    async def ask(self, number, slow_s=0.0):
        async with self.session.get(self.url + target(number, slow_s)) as reply:
            assert (await reply.read()).startswith(f"n{number}\n".encode())

    async def close(self):
        await self.session.close()


class Httpx:
    """An AsyncClient with one connection."""

    server = staticmethod(http_server)

    async def open(self, port, context, timeout_s=None):
        limits = httpx.Limits(max_connections=1, keepalive_expiry=50)
        self.client = httpx.AsyncClient(
            base_url=f"{'https' if context else 'http'}://{HOST}:{port}",
            limits=limits,
            verify=context or False,
            timeout=timeout_s,
            trust_env=False,
        )

    async def ask(self, number, slow_s=0.0):
        reply = await self.client.get(target(number, slow_s))
        assert reply.content.startswith(f"n{number}\n".encode())

    async def close(self):
        await self.client.aclose()


class HttpxOnAsyncio(Httpx):
    runs_on = "asyncio"


class HttpxOnTrio(Httpx):
    runs_on = "trio"


class Redis:
    """A client with a blocking pool of one connection."""

    runs_on = "asyncio"
    server = staticmethod(redis_server)

    async def open(self, port, context, timeout_s=None):
        words = {"host": HOST, "port": port, "max_connections": 1, "timeout": timeout_s}
        if context is not None:
            words |= {
                "connection_class": redis.asyncio.SSLConnection,
                "ssl_ca_data": trusted(context),
                "ssl_check_hostname": True,
            }
        # With RESP3, redis 8 doesn't look whether an idle connection was closed.
        pool = redis.asyncio.BlockingConnectionPool(**words, socket_timeout=timeout_s, protocol=2)
        self.client = redis.asyncio.Redis(connection_pool=pool)
        self.pool = pool

    async def ask(self, number, slow_s=0.0):
        if slow_s:
            await self.client.blpop(["k"], timeout=slow_s)
            return
        assert await self.client.echo(f"n{number}") == f"n{number}".encode()

    async def close(self):
        await self.client.aclose()
        await self.pool.disconnect()


class Asyncpg:
    """A pool of one connection."""

    runs_on = "asyncio"
    server = staticmethod(postgres_server)

    async def open(self, port, context, timeout_s=None):
        self.pool = await asyncpg.create_pool(
            host=HOST,
            port=port,
            user="u",
            database="d",
            password="p",
            ssl=context or False,
            min_size=0,
            max_size=1,
            max_inactive_connection_lifetime=50,
            command_timeout=timeout_s,
        )

    async def ask(self, number, slow_s=0.0):
        if slow_s:
            await self.pool.fetchval(f"select pg_sleep({slow_s})")
            return
        assert await self.pool.fetchval("select $1::int", number) == number

    async def close(self):
        await self.pool.close()


def trusted(context) -> str:
    import ssl

    return "".join(ssl.DER_cert_to_PEM_cert(der) for der in context.get_ca_certs(binary_form=True))


ON_ASYNCIO = (Aiohttp, HttpxOnAsyncio, Redis, Asyncpg)
ALL = (*ON_ASYNCIO, HttpxOnTrio)


class Talk:
    """A talker in a world, run on whichever library it needs."""

    def __init__(self, world, talker) -> None:
        self.world = world
        self.talker = talker

    async def do(self, name, *args, **words):
        method = getattr(self.talker, name)
        if self.talker.runs_on == "trio":
            return await method(*args)
        return await self.world.bridge.run(method, *args, **words)
