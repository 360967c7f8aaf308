"""SQL over pooled connections: how the reference pool talks to PostgreSQL.

A connection goes back to the pool only when the server has said that its session is idle
(``ReadyForQuery``, status I), no byte of a reply is missing, and what a call changed in the
session has been reset. Everything else costs the connection: after a cancellation, a timeout or
an exception of the caller in the middle of a reply nobody can tell what is still on its way.

What makes a call again is what makes an HTTP call again (``harness.pool.retry``): a safe call
whose connection ended, and an unsafe one of which no byte has left.
"""

from __future__ import annotations

import secrets
import ssl
from collections import deque
from collections.abc import Sequence
from typing import ClassVar

import trio

from harness.clients._connector import SessionConnection, SessionConnector, Stream
from harness.clients._exchange import FOREIGN, DatabaseCalls, Exchange, ServerRefused
from harness.errors import CallFailed, ErrorKind
from harness.pool.http_connection import RECEIVE_BYTES, HttpConnection
from harness.pool.translate import is_certificate_failure
from harness.wire import WireError
from harness.wire import postgres as pg
from harness.wire.login import Login, LoginError
from harness.worker.contract import Abandoned, Reply, Settings

FAREWELLS = ("57P01", "57P02", "57P03", "57P05", "25P03")
"""admin_shutdown, crash_shutdown, cannot_connect_now, idle_session_timeout and
idle_in_transaction_session_timeout (the manual's appendix "PostgreSQL Error Codes")."""
HOPELESS = ("28000", "28P01", "3D000")
"""Wrong user, wrong password, no such database: another attempt would end the same."""
ROWS_LIMIT = 10_000


class PostgresConnection(SessionConnection):
    """A session: requests out, messages in, and the state the server says it is in.

    Of what arrives while it is idle the farewell of a server that shuts down matters most (FATAL
    57P01, before its FIN). A mere notice is taken for one, at the price of a reconnect.
    """

    def __init__(self, stream: Stream, socket: trio.socket.SocketType) -> None:
        super().__init__(stream, socket)
        self._reader = pg.Reader()
        self._inbox: deque[pg.Message] = deque()
        self.status = pg.IDLE
        self.is_owing = False
        """Whether a reply is still to come."""

    @property
    def is_clean(self) -> bool:
        """Whether the session is idle and every reply has been read."""
        left = self.is_owing or self._inbox or self._reader.has_rest
        return self.status == pg.IDLE and not left

    async def log_in(self, settings: Settings) -> None:
        """Begin the session; raises LoginError if the server refuses it."""
        nonce = secrets.token_urlsafe(18)
        login = Login(settings.user, settings.password, settings.database, nonce)
        await self.send(login.begin())
        while not login.is_ready:
            if answer := self._answer(login, await self._receive()):
                await self.send(answer)

    @staticmethod
    def _answer(login: Login, message: pg.Message) -> bytes:
        try:
            return login.answer(message)
        except LoginError as error:
            if error.response.code not in FAREWELLS:
                raise
            raise EOFError(str(error)) from error  # it goes, or isn't there yet: try again

    async def _receive(self) -> pg.Message:
        """The next message; raises EOFError if the connection ends before."""
        while not self._inbox:
            data = await self.stream.receive_some(RECEIVE_BYTES)
            if not data:
                raise EOFError("the server closed the connection")
            self._inbox.extend(self._reader.feed(bytes(data)))
        return self._inbox.popleft()

    async def run(self, request: bytes) -> list[pg.DataRow]:
        """The rows of one request.

        Raises ServerRefused for its first error, once the request is over: the session is in
        step again then, unless the error was its end.
        """
        self.is_owing = True
        await self.send(request)
        rows: list[pg.DataRow] = []
        error: pg.ErrorResponse | None = None
        while self.is_owing and not (error and error.is_fatal):
            match await self._receive():
                case pg.DataRow() as row if len(rows) < ROWS_LIMIT:
                    rows.append(row)
                case pg.DataRow():
                    raise WireError(f"more than {ROWS_LIMIT} rows")
                case pg.ErrorResponse() as said:
                    error = error or said
                case pg.ReadyForQuery() as ready:
                    self.status, self.is_owing = ready.status, False
                case _:
                    pass
        if error is not None:
            raise ServerRefused(str(error), kind=kind_of_error(error))
        return rows


def kind_of_error(error: pg.ErrorResponse) -> ErrorKind:
    """What an error of the server means to a caller, in one word."""
    if error.code in FAREWELLS:
        return "closed"
    return "timeout" if error.code == "57014" else "protocol"  # query_canceled


class PostgresConnector(SessionConnector):
    """Connects with TLS if asked to, logs in, and pings with an empty query."""

    connection_class: ClassVar[type[PostgresConnection]] = PostgresConnection

    async def connect(self) -> PostgresConnection:
        """Return a session that is ready for queries."""
        return await self.open_session(self.connection_class)

    async def ask_for_tls(self, stream: trio.SocketStream) -> None:
        """Send SSLRequest and get S for an answer (section "SSL Session Encryption")."""
        await stream.send_all(pg.ssl_request())
        # One byte and no more: what comes behind it in clear text must not pass for encrypted.
        answer = bytes(await stream.receive_some(1))
        if not answer:
            raise EOFError("the server closed the connection instead of beginning TLS")
        if answer != b"S":
            raise ssl.SSLError(f"the server answered {answer!r} to the request for TLS")

    async def ping(self, connection: HttpConnection) -> bool:
        """Tell whether an empty query is answered, and the session idle."""
        assert isinstance(connection, PostgresConnection)
        await connection.run(pg.query(""))
        return connection.is_clean

    async def close(self, connection: HttpConnection) -> None:
        """Say Terminate, then close; the server isn't waited for."""
        await connection.send(pg.terminate())
        await connection.aclose()

    def is_permanent(self, error: Exception) -> bool:
        """A bad certificate, password or database will be as bad the next time."""
        refused = isinstance(error, LoginError) and error.response.code in HOPELESS
        return refused or is_certificate_failure(error)


class PostgresExchange(Exchange[PostgresConnection]):
    """BEGIN, the call, COMMIT: one call in a transaction of its own."""

    async def run(self) -> Reply:
        """The reply, once it is committed; raises CallFailed."""
        reply: Reply | CallFailed | Abandoned
        try:
            reply = await self._transaction()
        except (CallFailed, Abandoned) as error:
            reply = error
        await self._clean_up()
        if isinstance(reply, Exception):
            raise reply
        return reply

    async def _transaction(self) -> Reply:
        with self._translated():
            await self._query("BEGIN")
            rows = await self._connection.run(self._request())
        if self._call.abandon == "exception":
            raise Abandoned("the caller's own code raised in the middle of its transaction")
        with self._translated():
            await self._query("COMMIT")
        return Reply(_only_value(rows))

    def _request(self) -> bytes:
        call = self._call
        values = [_as_text(value) for value in call.sql_arguments.values()]
        return pg.extended_query(call.sql("numeric"), values)

    async def _query(self, sql: str) -> None:
        self._sent = True
        await self._connection.run(pg.query(sql))

    async def _clean_up(self) -> None:
        """Leave the session as it was found, or have the connection closed."""
        for sql in self._cleaning():
            try:
                with trio.fail_at(self._deadline):
                    await self._connection.run(pg.query(sql))
            except FOREIGN:
                self._lease.discard()
                return

    def _cleaning(self) -> Sequence[str]:
        """What must be said before another caller may have the session."""
        if self._connection.is_owing:
            return ()  # nothing helps: it will be closed
        rollback = [] if self._connection.status == pg.IDLE else ["ROLLBACK"]
        return [*rollback, *(["DISCARD ALL"] if self._call.session else [])]


class PostgresCalls(DatabaseCalls[PostgresConnection]):
    """Calls to PostgreSQL over a pool of its own."""

    connector_class = PostgresConnector
    exchange_class = PostgresExchange


def _only_value(rows: list[pg.DataRow]) -> bytes:
    value = rows[0].values[0] if rows and rows[0].values else None
    if value is None:
        raise CallFailed("the call returned no row", kind="protocol", sent=True)
    return value


def _as_text(value: object) -> str:
    """A parameter as PostgreSQL reads it."""
    return str(value).lower() if isinstance(value, bool) else str(value)
