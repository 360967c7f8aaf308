"""How the pool connects to a database: TLS as its protocol has it, then a login.

What a dead connection looks like while it is idle is the same for every protocol in which the
client speaks first, so HTTP's eyes are borrowed for that.
"""

from __future__ import annotations

from abc import ABC, abstractmethod
from typing import TypeAlias, TypeVar

import trio

from harness.pool.http_connection import HttpConnection, HttpLimits, Transport
from harness.pool.http_connector import HttpConnector
from harness.worker.contract import Settings

Stream: TypeAlias = "trio.SocketStream | trio.SSLStream[Transport]"


class SessionConnection(HttpConnection, ABC):
    """A connection with a session on it; whatever arrives while it is idle makes it unusable."""

    def __init__(self, stream: Stream, socket: trio.socket.SocketType) -> None:
        super().__init__(stream, socket, HttpLimits())

    @property
    @abstractmethod
    def is_clean(self) -> bool:
        """Whether another caller may have it: nothing is owed, and nothing left behind."""

    @abstractmethod
    async def log_in(self, settings: Settings) -> None:
        """Begin the session."""


C = TypeVar("C", bound=SessionConnection)


class SessionConnector(HttpConnector):
    """Opens sessions, with TLS if the settings have it."""

    def __init__(self, settings: Settings) -> None:
        super().__init__(
            settings.host,
            settings.port,
            limits=HttpLimits(),
            ssl_context=settings.ssl_context(),
            server_hostname=settings.server_hostname,
        )
        self._settings = settings

    async def open_session(self, connection_class: type[C]) -> C:
        """Return a session that is ready for use; leaves nothing open if that fails."""
        stream = await self._open_stream()
        try:
            connection = connection_class(await self._secured(stream), stream.socket)
            await connection.log_in(self._settings)
        except BaseException:
            stream.socket.close()
            raise
        return connection

    async def _secured(self, stream: trio.SocketStream) -> Stream:
        if self._ssl_context is None:
            return stream
        await self.ask_for_tls(stream)
        secured = trio.SSLStream(
            Transport(stream), self._ssl_context, server_hostname=self._server_hostname
        )
        await secured.do_handshake()
        return secured

    async def ask_for_tls(self, stream: trio.SocketStream) -> None:
        """Say what a protocol wants to hear before the handshake; most want nothing."""
