"""Redis behind the proxy: a fresh server for each backend and run."""

from __future__ import annotations

from collections.abc import AsyncIterator, Callable
from contextlib import asynccontextmanager
from dataclasses import dataclass

import trio

from harness.errors import SetupError
from harness.history import Event, Executed
from harness.origin.kept import Identity, keep
from harness.origin.programs import find_programs
from harness.origin.sessions import Place, RedisSession, redis_session

LEDGER = "chaos:ledger"
"""What CALL_SCRIPT of the client's contract writes: nonce, 1 if unsafe, seconds, microseconds."""
OURS = "chaos:*"
KEYS_AT_ONCE = "1000"
CLOCK_ROUNDS = 5
TELL_LIMIT_S = 30.0
"""How long reading the ledger may take when a run is cut short."""

Tell = Callable[[Event], None]
Zero = Callable[[], float]
"""The instant that event times count from, on trio's clock; known once the run begins."""


@dataclass(frozen=True, slots=True)
class Ledger:
    """What to ask a server of in the end."""

    backend: str
    place: Place
    zero: Zero
    ahead_s: float
    """The server's clock minus trio's."""

    async def tell(self, tell: Tell) -> None:
        """Tell what was executed there."""
        async with redis_session(self.place) as session:
            lines = await session.ask("LRANGE", LEDGER, "0", "-1")
        for line in lines if isinstance(lines, list) else []:
            assert isinstance(line, bytes)
            nonce, unsafe, seconds, microseconds = line.decode().split(" ")
            at_s = int(seconds) + int(microseconds) / 1e6 - self.ahead_s - self.zero()
            tell(Executed(at_s=at_s, nonce=nonce, backend=self.backend, unsafe=unsafe == "1"))


async def clock_ahead_s(session: RedisSession) -> float:
    """How far the server's clock is ahead of trio's: of some rounds the fastest tells."""
    best = (float("inf"), 0.0)
    for _ in range(CLOCK_ROUNDS):
        asked = trio.current_time()
        reply = await session.ask("TIME")
        answered = trio.current_time()
        if not isinstance(reply, list):
            raise SetupError(f"Redis says that the time is {reply!r}")
        seconds, microseconds = (int(part) for part in reply if isinstance(part, bytes))
        middle = (asked + answered) / 2
        best = min(best, (answered - asked, seconds + microseconds / 1e6 - middle))
    return best[1]


@asynccontextmanager
async def open_redis(
    backend: str, password: str, tell: Tell, zero: Zero, identity: Identity | None = None
) -> AsyncIterator[Place]:
    """Where clients find a fresh server of ours; what it executed is told after the block.

    Raises SetupError if there is no Redis here, or none with TLS where that is asked for.
    """
    programs = find_programs("redis", tls=identity is not None)
    server = await keep("redis", programs.paths, password, identity)
    try:
        trust = None if identity is None else identity.trust
        place = Place("127.0.0.1", server.port, password=server.password, tls=trust)
        async with _told(backend, place, tell, zero):
            yield place
    finally:
        await server.aclose()  # noqa: ASYNC102 - it shields itself


@asynccontextmanager
async def open_own_redis(
    backend: str, place: Place, tell: Tell, zero: Zero
) -> AsyncIterator[Place]:
    """Where clients find a server of the user's own; what calls wrote is removed after the block.

    All of it begins with ``chaos:``. Raises SetupError if the server can't be asked.
    """
    await _remove_ours(place)
    try:
        async with _told(backend, place, tell, zero):
            yield place
    finally:
        with trio.CancelScope(shield=True, deadline=trio.current_time() + TELL_LIMIT_S):
            await _remove_ours(place)


@asynccontextmanager
async def _told(backend: str, place: Place, tell: Tell, zero: Zero) -> AsyncIterator[None]:
    async with redis_session(place) as session:
        ledger = Ledger(backend, place, zero, await clock_ahead_s(session))
    try:
        yield
    finally:
        with trio.CancelScope(shield=True, deadline=trio.current_time() + TELL_LIMIT_S):
            await ledger.tell(tell)


async def _remove_ours(place: Place) -> None:
    async with redis_session(place) as session:
        cursor = "0"
        while True:
            found = await session.ask("SCAN", cursor, "MATCH", OURS, "COUNT", KEYS_AT_ONCE)
            assert isinstance(found, list)
            at, keys = found
            assert isinstance(at, bytes)
            if isinstance(keys, list) and keys:
                await session.ask("DEL", *(k.decode() for k in keys if isinstance(k, bytes)))
            cursor = at.decode()
            if cursor == "0":
                return
