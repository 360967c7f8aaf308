"""Lines over pooled connections: how the reference pool talks to an echo origin."""

from __future__ import annotations

import ssl
from dataclasses import dataclass

import trio

from harness.causes import reason_of
from harness.errors import CallFailed
from harness.pool import Pool
from harness.pool.http_connection import HttpConnection, HttpLimits
from harness.pool.http_connector import HttpConnector
from harness.pool.translate import kind_of

READ_BYTES = 64 * 1024
PING = b"ping\n"


@dataclass(slots=True)
class EchoCall:
    """One line out, the same line back, within the caller's patience."""

    pool: Pool[HttpConnection]
    line: bytes
    deadline: float

    async def make(self) -> bytes:
        """The line that came back; raises CallFailed if none did."""
        budget_s = min(self.pool.settings.timeout_s, self.deadline - trio.current_time())
        async with self.pool.acquire(timeout_s=budget_s) as connection:
            try:
                with trio.fail_at(self.deadline):
                    return await exchange(connection, self.line)
            except (OSError, EOFError, ssl.SSLError, trio.BrokenResourceError) as error:
                raise CallFailed(reason_of(error), kind=kind_of(error), sent=True) from error
            except trio.TooSlowError as error:
                raise CallFailed("no echo in time", kind="timeout", sent=True) from error


async def exchange(connection: HttpConnection, line: bytes) -> bytes:
    """Send a line and read one; raises EOFError if the connection ends before."""
    await connection.stream.send_all(line)
    echoed = b""
    while not echoed.endswith(b"\n"):
        chunk = await connection.stream.receive_some(READ_BYTES)
        if not chunk:
            raise EOFError("the connection ended within the echo")
        echoed += chunk
    return echoed


class EchoConnector(HttpConnector):
    """Connects and checks as for HTTP, but pings with a line."""

    def __init__(self, host: str, port: int, context: ssl.SSLContext | None, name: str) -> None:
        super().__init__(host, port, limits=HttpLimits(), ssl_context=context, server_hostname=name)

    async def ping(self, connection: HttpConnection) -> bool:
        """Whether a line comes back."""
        return await exchange(connection, PING) == PING
