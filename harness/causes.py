"""What an exception came from: its chain, the errno in our words, the text that tells most.

Both the reference pool and the client's own process need it, so it keeps to the standard library
and to the syntax of Python 3.8.
"""

from __future__ import annotations

import errno
import ssl
from collections.abc import Iterator

from harness.errors import ErrorKind

KIND_BY_ERRNO: dict[int, ErrorKind] = {
    errno.ECONNREFUSED: "refused",
    errno.ECONNRESET: "reset",
    errno.ECONNABORTED: "reset",
    errno.EPIPE: "reset",
    errno.ETIMEDOUT: "timeout",
    errno.EHOSTUNREACH: "unreachable",
    errno.ENETUNREACH: "unreachable",
    errno.EADDRNOTAVAIL: "no_port",
}
"""What the system said, in those words."""

CHAIN_LIMIT = 100
"""Exceptions looked at before giving up; a chain may be a circle."""


def chain(error: BaseException) -> Iterator[BaseException]:
    """Yield an exception and all it came from, nearest first."""
    todo: list[BaseException | None] = [error]
    seen: set[int] = set()
    while todo and len(seen) < CHAIN_LIMIT:
        current = todo.pop(0)
        if current is None or id(current) in seen:
            continue
        seen.add(id(current))
        yield current
        todo += [current.__cause__, None if current.__suppress_context__ else current.__context__]
        todo += getattr(current, "exceptions", ())  # of a group


def reason_of(error: BaseException) -> str:
    """Return a sentence on what happened: the innermost exception of the chain that has a text.

    For a certificate it is OpenSSL's reason of the failed verification.
    """
    links = list(chain(error))
    for link in links:
        if isinstance(link, ssl.SSLCertVerificationError):
            return f"certificate verification failed: {link.verify_message or link}"
    texts = [str(link) for link in links if str(link) and not hasattr(link, "exceptions")]
    return texts[-1] if texts else type(links[-1]).__name__
