"""How the pool opens, checks and closes HTTP connections."""

from __future__ import annotations

from ipaddress import ip_address
from typing import TYPE_CHECKING

import trio

from harness.pool.http_connection import HttpConnection, HttpLimits, Transport
from harness.pool.translate import is_certificate_failure

if TYPE_CHECKING:
    import ssl

HTTP_PORT = 80
HTTPS_PORT = 443


class HttpConnector:
    """A ``Connector`` for one host and port, with TLS if there is an ``ssl_context``."""

    def __init__(
        self,
        host: str,
        port: int,
        *,
        limits: HttpLimits,
        ssl_context: ssl.SSLContext | None = None,
        server_hostname: str | None = None,
    ) -> None:
        self._host = host
        self._port = port
        self._limits = limits
        self._ssl_context = ssl_context
        self._server_hostname = server_hostname or host

    @property
    def authority(self) -> str:
        """The value of the Host field (RFC 9110 section 7.2)."""
        host = f"[{self._host}]" if ":" in self._host else self._host
        usual = HTTPS_PORT if self._ssl_context else HTTP_PORT
        return host if self._port == usual else f"{host}:{self._port}"

    async def connect(self) -> HttpConnection:
        """Return a connected, and with TLS a verified, connection."""
        stream = await self._open_stream()
        if self._ssl_context is None:
            return HttpConnection(stream, stream.socket, self._limits)
        secured = trio.SSLStream(
            Transport(stream), self._ssl_context, server_hostname=self._server_hostname
        )
        try:
            await secured.do_handshake()
        except BaseException:
            stream.socket.close()
            raise
        return HttpConnection(secured, stream.socket, self._limits)

    async def _open_stream(self) -> trio.SocketStream:
        """Connect straight to a literal address, and by happy eyeballs to a name."""
        try:
            version = ip_address(self._host).version
        except ValueError:
            return await trio.open_tcp_stream(self._host, self._port)
        family = trio.socket.AF_INET if version == 4 else trio.socket.AF_INET6
        socket = trio.socket.socket(family, trio.socket.SOCK_STREAM)
        try:
            await socket.connect((self._host, self._port))
            return trio.SocketStream(socket)
        except BaseException:
            socket.close()
            raise

    async def is_stale(self, connection: HttpConnection) -> bool:
        """Tell whether the server has closed an idle connection or written to it."""
        return await connection.is_stale()

    async def wait_stale(self, connection: HttpConnection) -> None:
        """Return once the server has done so."""
        await connection.wait_stale()

    async def ping(self, connection: HttpConnection) -> bool:
        """Tell whether there is any reply to ``OPTIONS *`` (RFC 9110 section 9.3.7)."""
        headers = [("Host", self.authority)]
        await connection.send(connection.encode("OPTIONS", "*", headers, b""))
        await connection.read_head()
        while await connection.read_chunk():
            pass
        return connection.next_cycle()

    async def close(self, connection: HttpConnection) -> None:
        """Close politely."""
        await connection.aclose()

    def abort(self, connection: HttpConnection) -> None:
        """Close at once."""
        connection.abort()

    def is_permanent(self, error: Exception) -> bool:
        """A certificate that failed its check will fail the next one too."""
        return is_certificate_failure(error)
