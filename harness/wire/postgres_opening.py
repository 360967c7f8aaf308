"""How a conversation with PostgreSQL begins, as its server hears it, and what the server may say.

PostgreSQL's manual, "Frontend/Backend Protocol": "SSL Session Encryption" and "Message Formats".
Before its StartupMessage a client may ask for TLS or GSSAPI, and is answered by one bare byte; or
it says TLS's own first bytes at once. A CancelRequest comes alone, on a connection of its own.
"""

from __future__ import annotations

import struct
from enum import Enum, auto

REQUEST_BYTES = 8
"""A request for encryption, and what tells apart anything that isn't TLS itself."""
YES, NO = b"S", b"N"
CANCEL_BYTES = 16
"""A CancelRequest with the key of protocol 3.0."""
CANCEL_CODE, TLS_CODE, GSS_CODE = 80877102, 80877103, 80877104
_HANDSHAKE_RECORD = 0x16


class Opening(Enum):
    """What a client begins with."""

    TLS_REQUEST = auto()
    GSS_REQUEST = auto()
    DIRECT_TLS = auto()
    CANCEL = auto()
    STARTUP = auto()


def opening_of(head: bytes) -> Opening | None:
    """What the first bytes of a client are; None as long as they don't tell."""
    if head[:1] == bytes([_HANDSHAKE_RECORD]):  # as a length this would be one of 369 MB
        return Opening.DIRECT_TLS
    if len(head) < REQUEST_BYTES:
        return None
    length_bytes, code = struct.unpack_from("!ii", head)
    requests = {TLS_CODE: Opening.TLS_REQUEST, GSS_CODE: Opening.GSS_REQUEST}
    if code == CANCEL_CODE:
        return Opening.CANCEL
    return requests.get(code, Opening.STARTUP) if length_bytes == REQUEST_BYTES else Opening.STARTUP


def fatal(code: str, message: str) -> bytes:
    """The ErrorResponse after which a server closes: its severity, SQLSTATE and text."""
    fields = {"S": "FATAL", "V": "FATAL", "C": code, "M": message}
    body = b"".join(f"{letter}{text}".encode() + b"\0" for letter, text in fields.items()) + b"\0"
    return b"E" + struct.pack("!i", len(body) + 4) + body
