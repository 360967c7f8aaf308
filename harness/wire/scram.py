"""SCRAM-SHA-256 as a client: proves that it knows a password without sending it.

RFC 5802 is the conversation, RFC 7677 the hash. Passwords are taken as they are: those that
SASLprep (RFC 4013) would change are refused, and channel binding isn't offered.
"""

from __future__ import annotations

import binascii
import hmac
from base64 import b64decode, b64encode
from hashlib import pbkdf2_hmac, sha256

from harness.wire.errors import WireError

MECHANISM = "SCRAM-SHA-256"
ITERATIONS_LIMIT = 1_000_000
"""More than this a server can't make us compute."""
_GS2 = "n,,"
"""No channel binding, and no identity but the one that logs in (RFC 5802 section 7)."""


class Scram:
    """One login: ``first``, then ``final`` on the server's first, then ``verify`` on its last.

    ``nonce`` is random and printable, without commas, and never used twice.
    """

    def __init__(self, user: str, password: str, nonce: str) -> None:
        name = user.replace("=", "=3D").replace(",", "=2C")
        self._password = password.encode()
        self._nonce = nonce
        self._bare = f"n={name},r={nonce}"
        self._expected = b""

    @property
    def first(self) -> bytes:
        """The client's first message."""
        return (_GS2 + self._bare).encode()

    def final(self, server_first: bytes) -> bytes:
        """The client's proof; raises WireError if the server's message can't be trusted."""
        if not self._password.isascii():
            raise WireError("this password needs SASLprep; use one of ASCII characters")
        words = _attributes(server_first)
        nonce, iterations = words.get("r", ""), words.get("i", "")
        if not nonce.startswith(self._nonce) or len(nonce) == len(self._nonce):
            raise WireError("the server's nonce doesn't go on from ours")
        if not iterations.isdigit() or not 1 <= int(iterations) <= ITERATIONS_LIMIT:
            raise WireError(f"{iterations!r} is no number of iterations")
        channel = b64encode(_GS2.encode()).decode()
        without_proof = f"c={channel},r={nonce}"
        said = f"{self._bare},{server_first.decode()},{without_proof}".encode()
        salted = pbkdf2_hmac(
            "sha256", self._password, _decoded(words.get("s", "")), int(iterations)
        )
        client_key = _mac(salted, b"Client Key")
        signature = _mac(sha256(client_key).digest(), said)
        proof = bytes(a ^ b for a, b in zip(client_key, signature, strict=True))
        self._expected = _mac(_mac(salted, b"Server Key"), said)
        return f"{without_proof},p={b64encode(proof).decode()}".encode()

    def verify(self, server_final: bytes) -> None:
        """Check that the server knows the password as well; raises WireError if it doesn't."""
        given = _decoded(_attributes(server_final).get("v", ""))
        if not self._expected or not hmac.compare_digest(given, self._expected):
            raise WireError("the server doesn't know the password")


def _attributes(message: bytes) -> dict[str, str]:
    try:
        parts = message.decode().split(",")
    except UnicodeDecodeError as error:
        raise WireError("a SCRAM message is no text") from error
    return {part[:1]: part[2:] for part in parts if part[1:2] == "="}


def _decoded(text: str) -> bytes:
    try:
        return b64decode(text, validate=True)
    except (binascii.Error, ValueError) as error:
        raise WireError("a SCRAM message has bad base64") from error


def _mac(key: bytes, message: bytes) -> bytes:
    return hmac.digest(key, message, "sha256")
