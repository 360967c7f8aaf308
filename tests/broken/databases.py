"""Pools that hand on what a transaction, a session or a pipeline has left behind."""

import trio
from saboteur import broken_postgres, broken_redis
from slots import _CountsFailedConnect

from harness.clients._exchange import ServerRefused
from harness.clients._postgres import PostgresConnection, PostgresConnector, PostgresExchange
from harness.clients._redis import RedisConnection, RedisConnector
from harness.clients.reference import ReferenceClient
from harness.errors import CallFailed
from harness.wire import postgres as pg


class _NoRollback(PostgresExchange):
    def _cleaning(self):
        return ()

    def _may_be_reused(self):
        return not self._connection.is_owing


class OpenTransactionHandedOn(ReferenceClient):
    """Takes a session back as it is when its caller has left a transaction by an exception."""

    postgres_class = broken_postgres(exchange=_NoRollback)


class _NoRollbackAfterError(PostgresExchange):
    def _cleaning(self):
        return () if self._connection.status == pg.FAILED else super()._cleaning()

    def _may_be_reused(self):
        return not self._connection.is_owing


class FailedTransactionHandedOn(ReferenceClient):
    """Rolls back for exceptions of its own, and not for an error of the server."""

    postgres_class = broken_postgres(exchange=_NoRollbackAfterError, recycle_s=0.3)


class _NoReset(PostgresExchange):
    def _cleaning(self):
        return [sql for sql in super()._cleaning() if sql != "DISCARD ALL"]


class SessionNotReset(ReferenceClient):
    """Leaves the settings that a caller has changed to whoever comes next."""

    postgres_class = broken_postgres(exchange=_NoReset)


class _ReplyDue(PostgresExchange):
    def _may_be_reused(self):
        return self._connection.status == pg.IDLE or super()._may_be_reused()

    async def _query(self, sql):
        await super()._query(sql)
        self._connection.status = pg.IDLE


class SessionOwingAResult(ReferenceClient):
    """Takes a session back from a cancelled caller though its result is still on the way."""

    postgres_class = broken_postgres(exchange=_ReplyDue, recycle_s=0.4)


class _NeverLooks(PostgresConnector):
    async def is_stale(self, connection):
        return False

    async def wait_stale(self, connection):
        await trio.sleep_forever()


class FarewellUnread(ReferenceClient):
    """Leaves FATAL 57P01 in the buffer of an idle session, and reads it as the next result."""

    postgres_class = broken_postgres(connector=_NeverLooks)


class _FatalIsNoEnd(PostgresConnection):
    async def run(self, request):
        try:
            return await super().run(request)
        except (ServerRefused, EOFError, OSError) as error:
            self.is_owing, self.status = False, pg.IDLE
            raise ServerRefused(str(error), kind="protocol") from error


class FatalTakenForAnError(ReferenceClient):
    """Keeps a session after FATAL as after any error, and fails one caller after another."""

    postgres_class = broken_postgres(connector=_NeverLooks, connection=_FatalIsNoEnd)


class SlotLostOnFailedLogin(ReferenceClient):
    """Takes a slot before it logs in, and gives it back only if that succeeds."""

    postgres_class = broken_postgres(core=_CountsFailedConnect)


class _LeakyLogin(PostgresConnector):
    async def open_session(self, connection_class):
        stream = await self._open_stream()
        self._kept = [*getattr(self, "_kept", ()), stream]
        connection = connection_class(await self._secured(stream), stream.socket)
        await connection.log_in(self._settings)
        return connection


class LoginLeaksSocket(ReferenceClient):
    """Forgets the socket of a login that is given up half way."""

    postgres_class = broken_postgres(connector=_LeakyLogin)


class _CommitUnheard(PostgresExchange):
    async def _query(self, sql):
        try:
            await super()._query(sql)
        except (EOFError, OSError):
            if sql != "COMMIT":
                raise


class LostCommitPassesForDone(ReferenceClient):
    """Returns the result of a transaction though nobody has said that it was committed."""

    postgres_class = broken_postgres(exchange=_CommitUnheard)


class _SaysNotSent(PostgresExchange):
    def _failure(self, error):
        failed = super()._failure(error)
        return CallFailed(str(failed), kind=failed.kind, sent=False)


class LostCommitMadeAgain(ReferenceClient):
    """Takes a lost connection for a transaction that was rolled back, and makes it again."""

    postgres_class = broken_postgres(exchange=_SaysNotSent)


class _CountsFromHere(RedisConnection):
    _read = ()

    async def send_commands(self, commands):
        self.owed = 0
        await super().send_commands(commands)

    async def replies(self):
        while len(self._read) < self.owed:
            data = await self.stream.receive_some(65_536)
            if not data:
                raise EOFError("the server closed the connection")
            self._read = [*self._read, *self._reader.feed(bytes(data))]
        got, self._read = self._read[: self.owed], self._read[self.owed :]
        self.owed = 0
        return got


class _Forgetful(_CountsFromHere):
    @property
    def is_clean(self):
        return True


class PipelineOwingReplies(ReferenceClient):
    """Takes a connection back from a cancelled caller though replies are still on their way."""

    redis_class = broken_redis(connection=_Forgetful, recycle_s=0.4)


class _NeverLooksAtRedis(RedisConnector):
    async def is_stale(self, connection):
        return False

    async def wait_stale(self, connection):
        await trio.sleep_forever()


class StrayReplyTaken(ReferenceClient):
    """Doesn't look whether something lies on an idle connection before it sends a command."""

    redis_class = broken_redis(
        connector=_NeverLooksAtRedis, connection=_CountsFromHere, recycle_s=0.6
    )
