"""Whatever a scenario puts behind the proxy: built-in, real and thrown away, or the user's own."""

from __future__ import annotations

import getpass
import os
import secrets
import ssl
from collections.abc import AsyncIterator, Callable
from contextlib import (
    AbstractAsyncContextManager,
    AsyncExitStack,
    asynccontextmanager,
    nullcontext,
    suppress,
)
from dataclasses import replace
from itertools import count
from socket import SOCK_STREAM
from types import MappingProxyType

import trio

from harness.errors import SetupError
from harness.fabric import Fabric
from harness.history import Event
from harness.origin.kept import Identity
from harness.origin.origin import Origin, open_origin
from harness.origin.postgres import open_database, open_own_database, start_clusters
from harness.origin.redis import open_own_redis, open_redis
from harness.origin.sessions import Place
from harness.scenario import Origin as Wanted
from harness.scenario import OwnServer

RESOLVE_LIMIT_S = 5.0
PASSWORD = secrets.token_urlsafe(18)
"""This process's own, for every server that it throws away."""
_RUNS = count(1)
Tell = Callable[[Event], None]
Zero = Callable[[], float]
"""The instant that event times count from, on trio's clock; known once the run begins."""


@asynccontextmanager
async def open_servers(
    wanted: Wanted,
    *,
    tls: ssl.SSLContext | None = None,
    identity: Identity | None = None,
    on_event: Tell = lambda _: None,
    zero: Zero,
    fabric: Fabric | None = None,
) -> AsyncIterator[Origin]:
    """What a scenario's ``origin`` asks for, inside the block; on the fabric if it is built in.

    ``tls`` is the context of a built-in server that does TLS, ``identity`` the certificate of a
    real one. Real servers tell what they executed when the block ends. Raises SetupError if one
    can't be had or reached.
    """
    if wanted.own is not None:
        async with _own(wanted, wanted.own, on_event, zero) as place:
            address = await _resolved(wanted.own)
            yield _as_origin({wanted.backends[0]: place}, {wanted.backends[0]: address})
    elif wanted.is_built_in:
        async with open_origin(
            wanted.backends,
            serve=wanted.protocol,
            tls=tls,
            keep_alive_s=wanted.keep_alive_s,
            on_event=on_event,
            zero=zero,
            fabric=fabric,
        ) as origin:
            yield origin
    else:
        async with _thrown_away(wanted, identity, on_event, zero) as places:
            yield _as_origin(places, {name: (p.host, p.port) for name, p in places.items()})


def _as_origin(places: dict[str, Place], addresses: dict[str, tuple[str, int]]) -> Origin:
    """Where each backend is; who we are there is the same on all of them."""
    first = next(iter(places.values()))
    return Origin(MappingProxyType(addresses), first.user, first.password, first.database)


@asynccontextmanager
async def _thrown_away(
    wanted: Wanted, identity: Identity | None, tell: Tell, zero: Zero
) -> AsyncIterator[dict[str, Place]]:
    """A real server for each backend, with the same database and password on all of them."""
    run = next(_RUNS)
    async with AsyncExitStack() as stack:
        if wanted.protocol == "postgres" and identity is None:
            await start_clusters(wanted.backends, PASSWORD)
        places = {}
        for name in wanted.backends:
            if wanted.protocol == "postgres":
                opened = open_database(name, f"run_{run}", PASSWORD, tell, zero, identity)
            else:
                opened = open_redis(name, PASSWORD, tell, zero, identity)
            places[name] = await stack.enter_async_context(opened)
        yield places


# --- the user's own -------------------------------------------------------------------------


def _own(
    wanted: Wanted, server: OwnServer, tell: Tell, zero: Zero
) -> AbstractAsyncContextManager[Place]:
    """The user's own server: credentials are the environment's, as the servers' own tools do."""
    backend, ask = wanted.backends[0], os.environ.get
    tls = ssl.create_default_context() if wanted.tls else None
    place = Place(server.host, server.port, tls=tls)
    if server.protocol == "postgres":
        user = ask("PGUSER", getpass.getuser())
        place = replace(
            place, user=user, password=ask("PGPASSWORD", ""), database=ask("PGDATABASE", user)
        )
        return open_own_database(backend, place, tell, zero)
    if server.protocol == "redis":
        place = replace(place, password=ask("REDIS_PASSWORD", ""))
        return open_own_redis(backend, place, tell, zero)
    return nullcontext(place)


async def _resolved(server: OwnServer) -> tuple[str, int]:
    """The address as numbers, which is what the proxy dials."""
    with trio.move_on_after(RESOLVE_LIMIT_S), suppress(OSError):
        found = await trio.socket.getaddrinfo(server.host, server.port, type=SOCK_STREAM)
        return str(found[0][4][0]), server.port
    raise SetupError(f"nobody knows where {server.host} is; write its number, such as 10.9.0.2")
