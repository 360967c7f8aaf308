"""Redis commands over pooled connections: how the reference pool talks to Redis.

Replies are told apart by their order alone, so a connection goes back to the pool only when every
command sent on it has had its reply. One on which a caller was cancelled, or lost patience, is
closed: the late reply would be taken for that of whoever comes next.
"""

from __future__ import annotations

from typing import ClassVar

import trio

from harness.clients._connector import SessionConnection, SessionConnector, Stream
from harness.clients._exchange import DatabaseCalls, Exchange, ServerRefused
from harness.errors import CallFailed, ErrorKind
from harness.pool.http_connection import RECEIVE_BYTES, HttpConnection
from harness.pool.translate import is_certificate_failure
from harness.wire import WireError, resp
from harness.worker.contract import Abandoned, Reply, Settings

HOPELESS = ("WRONGPASS", "NOAUTH", "NOPERM")
"""Another attempt to log in would end the same."""


class RedisConnection(SessionConnection):
    """A connection on which commands are pipelined, and every reply is counted."""

    def __init__(self, stream: Stream, socket: trio.socket.SocketType) -> None:
        super().__init__(stream, socket)
        self._reader = resp.Reader()
        self.owed = 0
        """Replies that are still to come."""

    @property
    def is_clean(self) -> bool:
        """Whether another caller may have it."""
        return not self.owed and not self._reader.has_rest

    async def send_commands(self, commands: list[tuple[str, ...]]) -> None:
        """Send commands, all at once."""
        self.owed += len(commands)
        await self.send(resp.pipeline(commands))

    async def replies(self) -> list[resp.ReplyValue]:
        """The replies to all that was sent; raises EOFError if the connection ends before."""
        got: list[resp.ReplyValue] = []
        while self.owed > 0:
            data = await self.stream.receive_some(RECEIVE_BYTES)
            if not data:
                raise EOFError("the server closed the connection")
            for value in self._reader.feed(bytes(data)):
                got.append(value)
                self.owed -= 1
        if self.owed < 0:
            raise WireError("there are more replies than commands")
        return got

    async def log_in(self, settings: Settings) -> None:
        """Send AUTH if there is a password; raises RefusedError if it is the wrong one."""
        if settings.password:
            user = [settings.user] if settings.user else []
            answer = await self.ask("AUTH", *user, settings.password)
            if isinstance(answer, resp.ErrorReply):
                raise RefusedError(answer)

    async def ask(self, *words: str) -> resp.ReplyValue:
        """The reply to one command."""
        await self.send_commands([words])
        (value,) = await self.replies()
        return value


class RedisConnector(SessionConnector):
    """Connects, with TLS if asked to, logs in if there is a password, pings with PING."""

    connection_class: ClassVar[type[RedisConnection]] = RedisConnection

    async def connect(self) -> RedisConnection:
        """Return a connection that is ready for commands."""
        return await self.open_session(self.connection_class)

    async def ping(self, connection: HttpConnection) -> bool:
        """Tell whether PING is answered by PONG."""
        assert isinstance(connection, RedisConnection)
        return await connection.ask("PING") == "PONG" and connection.is_clean

    def is_permanent(self, error: Exception) -> bool:
        """A bad certificate or password will be as bad the next time."""
        refused = isinstance(error, RefusedError) and error.reply.code in HOPELESS
        return refused or is_certificate_failure(error)


class RefusedError(Exception):
    """The server refused the login; ``reply`` says why."""

    def __init__(self, reply: resp.ErrorReply) -> None:
        super().__init__(reply.text)
        self.reply = reply


class RedisExchange(Exchange[RedisConnection]):
    """All commands of a call out at once, the last reply is the call's."""

    async def run(self) -> Reply:
        """The reply; raises CallFailed."""
        connection, call = self._connection, self._call
        with self._translated():
            self._sent = True
            await connection.send_commands(call.redis_commands)
            if call.abandon == "exception":
                raise Abandoned("the caller's own code raised while its reply was on the way")
            replies = await connection.replies()
            for reply in replies:
                if isinstance(reply, resp.ErrorReply):
                    raise ServerRefused(reply.text, kind=kind_of_error(reply))
        body = replies[-1]
        if not isinstance(body, bytes):
            raise CallFailed(f"the reply is {body!r}, no text", kind="protocol", sent=True)
        return Reply(body)


class RedisCalls(DatabaseCalls[RedisConnection]):
    """Calls to Redis over a pool of its own."""

    connector_class = RedisConnector
    exchange_class = RedisExchange


def kind_of_error(error: resp.ErrorReply) -> ErrorKind:
    """What an error of the server means to a caller, in one word."""
    return "closed" if error.code in {"LOADING", "UNBLOCKED"} else "protocol"
