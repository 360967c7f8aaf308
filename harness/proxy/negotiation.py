"""TLS as PostgreSQL begins it: asked for in plain text, on both sides of the proxy."""

from __future__ import annotations

import errno

from harness.fabric import Fabric
from harness.proxy.ends import PlainEnd
from harness.wire import postgres as pg
from harness.wire.postgres_opening import NO, REQUEST_BYTES, YES, Opening, fatal, opening_of

ALPN = "postgresql"
"""What a client that begins with TLS at once must be offered (manual, "SSL Session Encryption")."""
NO_ENCRYPTION = "28000"
"""invalid_authorization_specification: what a server says that lets nobody in without TLS."""


async def negotiate(plain: PlainEnd, fabric: Fabric) -> tuple[PlainEnd, Opening]:
    """The client's end behind its requests for encryption, and what it begins with.

    A request for TLS is granted, one for GSSAPI is not. Raises ConnectionResetError after RST,
    EOFError after FIN.
    """
    head, opening = await _heard(plain, b"")
    if opening is Opening.GSS_REQUEST:
        await plain.send(NO)
        head, opening = await _heard(plain, head[REQUEST_BYTES:])
    if opening is Opening.TLS_REQUEST:
        await plain.send(YES)
        head = head[REQUEST_BYTES:]
    return PlainEnd(plain.wire, fabric, head), opening


async def _heard(plain: PlainEnd, head: bytes) -> tuple[bytes, Opening]:
    """What the client has sent, once that tells what it begins with."""
    while (opening := opening_of(head)) is None:
        chunk = await plain.receive()
        if not chunk:
            raise EOFError
        head += chunk
    return head, opening


async def refuse_plain_text(plain: PlainEnd) -> None:
    """Say that nobody is let in without TLS, and close."""
    await plain.send(fatal(NO_ENCRYPTION, "this server lets nobody in without encryption"))
    await plain.finish(full=True, notify=False)


async def ask_for_tls(plain: PlainEnd, backend: str) -> None:
    """Have a server agree to TLS; raises ConnectionRefusedError if it doesn't."""
    await plain.send(pg.ssl_request())
    if await plain.receive() != YES:
        raise ConnectionRefusedError(errno.ECONNREFUSED, f"{backend} has no TLS")
