"""PostgreSQL behind the proxy: a cluster for each backend, a fresh database for each run.

Making a cluster takes a second, so each is kept for the runs of this process and ends with it. One
that does TLS has the certificate of one run and ends with that run. What calls did is asked of the
database itself, behind the proxy's back, before it is dropped.
"""

from __future__ import annotations

import re
import secrets
from collections.abc import AsyncIterator, Awaitable, Callable, Sequence
from contextlib import asynccontextmanager
from dataclasses import dataclass, replace
from pathlib import Path

import trio

from harness.errors import SetupError
from harness.history import DirtyCheckout, Event, Executed
from harness.origin.kept import Identity, KeptServer, keep
from harness.origin.programs import find_programs
from harness.origin.sessions import Place, PostgresSession, Row, ServerError, postgres_session

SCHEMA = Path(__file__).with_name("schema.sql")
OWNER, CALLER = "chaos", "caller"
"""Who owns a cluster of ours, and as whom clients come."""
TEMPLATE = "chaos"
CLUSTERS_LIMIT = 4
"""So many are kept between runs; what more backends need ends with the run."""
QUIET_LIMIT_S = 2.0
"""How long statements that lost their client may take before the ledger is read."""
QUIET_POLL_S = 0.01
CLOCK_ROUNDS = 5
TELL_LIMIT_S = 30.0
"""How long reading the ledger and dropping the database may take when a run is cut short."""
_NO_PERMISSION = "42501"
_EXISTS = frozenset({"42P07", "42723"})
"""duplicate_table, which stands for sequences as well, and duplicate_function."""
_LEFT = re.compile(r"^(\S+) LOG: +chaos_left (\S+) (\S+) (\S+) (\S+)$", re.MULTILINE)
"""A line of the log that the schema's chaos_left() writes, behind the database's name."""

Tell = Callable[[Event], None]
Zero = Callable[[], float]
"""The instant that event times count from, on trio's clock; known once the run begins."""


@dataclass(frozen=True, slots=True)
class Cluster:
    """A cluster of ours."""

    server: KeptServer

    @property
    def place(self) -> Place:
        """Where its owner finds it."""
        return Place("127.0.0.1", self.server.port, OWNER, self.server.password, "postgres")

    def left_behind(self, database: str) -> list[Row]:
        """What its log tells of a database: what was left, by whom, to whom, and when."""
        log = (self.server.folder / "log").read_text(encoding="utf-8", errors="replace")
        return [tuple(row) for name, *row in _LEFT.findall(log) if name == database]


_kept: dict[str, Cluster] = {}
"""The clusters of this process, by the backend they serve."""


@asynccontextmanager
async def open_cluster(
    backend: str, password: str, identity: Identity | None = None
) -> AsyncIterator[Cluster]:
    """A cluster for a backend; afterwards it is kept, or closed if it can't be.

    Raises SetupError if there is no PostgreSQL here, or none with TLS where that is asked for.
    """
    cluster = None if identity else _kept.pop(backend, None)
    if cluster is None or not cluster.server.is_alive:
        cluster = await _new_cluster(password, identity)
    try:
        yield cluster
    finally:
        if identity or not cluster.server.is_alive or len(_kept) >= CLUSTERS_LIMIT:
            await cluster.server.aclose()  # noqa: ASYNC102 - it shields itself
        else:
            _kept[backend] = cluster


async def start_clusters(backends: Sequence[str], password: str) -> None:
    """Have a cluster ready for each backend; those that are missing start at the same time."""
    missing = [name for name in backends if name not in _kept][: CLUSTERS_LIMIT - len(_kept)]

    async def start(name: str) -> None:
        _kept[name] = await _new_cluster(password, None)

    failures: list[SetupError] = []
    async with trio.open_nursery() as nursery:
        for name in missing:
            nursery.start_soon(_unless_failed, start, name, failures)
    for failure in failures:
        raise failure


async def _unless_failed(
    start: Callable[[str], Awaitable[None]], name: str, failures: list[SetupError]
) -> None:
    """Keep a failure as it is: a nursery would wrap it into a group."""
    try:
        await start(name)
    except SetupError as error:
        failures.append(error)


async def _new_cluster(password: str, identity: Identity | None) -> Cluster:
    programs = find_programs("postgres", tls=identity is not None)
    server = await keep("postgres", programs.paths, password, identity)
    cluster = Cluster(server)
    try:
        async with postgres_session(cluster.place) as session:
            await session.ask(f"CREATE ROLE {CALLER} LOGIN PASSWORD '{password}'")
            await session.ask(f"CREATE DATABASE {TEMPLATE}")
        async with postgres_session(replace(cluster.place, database=TEMPLATE)) as session:
            await set_up(session)
            await session.ask(
                f"GRANT SELECT, INSERT ON chaos_ledger TO {CALLER}; "
                f"GRANT SELECT, USAGE ON ALL SEQUENCES IN SCHEMA public TO {CALLER}"
            )
    except BaseException:
        await server.aclose()  # noqa: ASYNC102 - it shields itself
        raise
    return cluster


async def set_up(session: PostgresSession) -> None:
    """Make what a call needs, in the schema where a session makes things."""
    await session.ask(SCHEMA.read_text(encoding="utf-8"))


@dataclass(frozen=True, slots=True)
class Database:
    """The database of one run on one backend: where clients go, and what to ask it in the end."""

    backend: str
    place: Place
    """As its owner finds it."""
    zero: Zero
    ahead_s: float
    """The server's clock minus trio's."""

    async def tell(self, tell: Tell, logged: Callable[[], Sequence[Row]] = lambda: ()) -> None:
        """Tell what was executed here and what callers found left behind."""
        async with postgres_session(self.place) as session:
            await self._quiet(session)
            rows = await session.ask(
                "SELECT nonce, is_unsafe, extract(epoch FROM at), transaction_of, session_of "
                "FROM chaos_ledger ORDER BY at"
            )
        left: dict[Row, Event] = {}
        for nonce, unsafe, at, *left_by in rows:
            at_s = float(at or 0) - self.ahead_s - self.zero()
            tell(Executed(at_s=at_s, nonce=nonce or "", backend=self.backend, unsafe=unsafe == "t"))
            for what, by in zip(("transaction", "session"), left_by, strict=True):
                if by is not None:
                    left[what, by, nonce] = self._dirty(what, by, nonce, at)
        for found in logged():
            left.setdefault(found[:3], self._dirty(*found))
        for event in left.values():
            tell(event)

    def _dirty(self, what: str | None, by: str | None, nonce: str | None, at: str | None) -> Event:
        return DirtyCheckout(
            at_s=float(at or 0) - self.ahead_s - self.zero(),
            nonce=nonce or "",
            backend=self.backend,
            what=what or "",
            left_by=by or "",
        )

    async def _quiet(self, session: PostgresSession) -> None:
        """Wait until all clients are gone; the server notices it when it wants to answer them."""
        give_up = trio.current_time() + QUIET_LIMIT_S
        others = (
            "SELECT count(*) FROM pg_stat_activity WHERE datname = current_database() "
            "AND backend_type = 'client backend' AND pid <> pg_backend_pid()"
        )
        while (  # noqa: ASYNC110 - what is waited for is in another process
            await session.ask(others) != [("0",)] and trio.current_time() < give_up
        ):
            await trio.sleep(QUIET_POLL_S)


async def clock_ahead_s(session: PostgresSession) -> float:
    """How far the server's clock is ahead of trio's: of some rounds the fastest tells."""
    best = (float("inf"), 0.0)
    for _ in range(CLOCK_ROUNDS):
        asked = trio.current_time()
        ((epoch,),) = await session.ask("SELECT extract(epoch FROM clock_timestamp())")
        answered = trio.current_time()
        middle = (asked + answered) / 2
        best = min(best, (answered - asked, float(epoch or 0) - middle))
    return best[1]


@asynccontextmanager
async def open_database(
    backend: str,
    name: str,
    password: str,
    tell: Tell,
    zero: Zero,
    identity: Identity | None = None,
) -> AsyncIterator[Place]:
    """Where clients find a fresh database of ours; what happened in it is told after the block."""
    async with open_cluster(backend, password, identity) as cluster:
        async with postgres_session(cluster.place) as session:
            await session.ask(f"CREATE DATABASE {name} TEMPLATE {TEMPLATE}")
            ahead_s = await clock_ahead_s(session)
        place = replace(cluster.place, database=name)
        database = Database(backend, place, zero, ahead_s)
        try:
            yield replace(place, user=CALLER)
        finally:
            await _tell_and_drop(cluster, database, tell)  # noqa: ASYNC102 - it shields itself


async def _tell_and_drop(cluster: Cluster, database: Database, tell: Tell) -> None:
    """The end of a run on a cluster of ours; one that doesn't answer any more is not kept."""
    name = database.place.database
    with trio.CancelScope(shield=True, deadline=trio.current_time() + TELL_LIMIT_S) as limit:
        try:
            await database.tell(tell, lambda: cluster.left_behind(name))
            async with postgres_session(cluster.place) as session:
                await session.ask(f"DROP DATABASE {name} WITH (FORCE)")
        except BaseException:
            await cluster.server.aclose()
            raise
    if limit.cancelled_caught:
        await cluster.server.aclose()
        raise SetupError(f"PostgreSQL doesn't tell what it executed: {TELL_LIMIT_S:g} s are over")


@asynccontextmanager
async def open_own_database(
    backend: str, place: Place, tell: Tell, zero: Zero
) -> AsyncIterator[Place]:
    """Where clients find what we made on a server of the user's own; removed after the block.

    It is a database of our own where that is permitted, else it stands in the user's database.
    Raises SetupError if neither may be.
    """
    name = f"chaos_{secrets.token_hex(4)}"
    async with postgres_session(place) as session:
        ahead_s = await clock_ahead_s(session)
        try:
            await session.ask(f"CREATE DATABASE {name}")
        except ServerError as error:
            if error.code != _NO_PERMISSION:
                raise
            name = ""
    within = replace(place, database=name or place.database)
    async with _set_up_and_removed(place, within, name):
        try:
            yield within
        finally:
            with trio.CancelScope(shield=True, deadline=trio.current_time() + TELL_LIMIT_S):
                await Database(backend, within, zero, ahead_s).tell(tell)


@asynccontextmanager
async def _set_up_and_removed(place: Place, within: Place, name: str) -> AsyncIterator[None]:
    """What a call needs, there inside the block; nothing is removed that was there before."""
    removal = f"DROP DATABASE {name} WITH (FORCE)" if name else ""
    try:
        async with postgres_session(within) as session:
            await set_up(session)
        removal = removal or _REMOVAL
        yield
    except ServerError as error:
        if error.code not in _EXISTS:
            raise
        why = "another run is under way there, or one was killed: then remove what is named chaos_"
        raise SetupError(f"{error}; {why}") from error
    finally:
        with trio.CancelScope(shield=True, deadline=trio.current_time() + TELL_LIMIT_S):
            if removal:
                async with postgres_session(place) as session:
                    await session.ask(removal)


_REMOVAL = """
DROP FUNCTION IF EXISTS chaos_call(text, int, float8, boolean, boolean, int, text, text);
DROP FUNCTION IF EXISTS chaos_left(text, text);
DROP FUNCTION IF EXISTS chaos_meet(text, int);
DROP TABLE IF EXISTS chaos_ledger;
DO $$ BEGIN
    FOR number IN 0..63 LOOP
        EXECUTE format('DROP SEQUENCE IF EXISTS %I', 'chaos_meeting_' || number);
    END LOOP;
END $$
"""
