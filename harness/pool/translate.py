"""Foreign exceptions, translated at the edge into the words of ``ErrorKind``.

An exception of trio, ssl or h11 says what happened only together with those it came from, so the
whole chain of causes, contexts and group members is searched, and the first entry of the table
that fits any of them wins.
"""

from __future__ import annotations

import errno
import ssl
from typing import TYPE_CHECKING

import h11
import trio

if TYPE_CHECKING:
    from collections.abc import Iterator

    from harness.errors import ErrorKind

_BY_ERRNO: dict[int, ErrorKind] = {
    errno.ECONNREFUSED: "refused",
    errno.ECONNRESET: "reset",
    errno.ECONNABORTED: "reset",
    errno.EPIPE: "reset",
    errno.ETIMEDOUT: "timeout",
    errno.EHOSTUNREACH: "unreachable",
    errno.ENETUNREACH: "unreachable",
}

_BY_TYPE: tuple[tuple[type[BaseException], ErrorKind], ...] = (
    (ssl.SSLEOFError, "closed"),
    (ssl.SSLError, "tls"),
    (trio.TooSlowError, "timeout"),
    (EOFError, "closed"),
    (h11.RemoteProtocolError, "protocol"),
    (trio.ClosedResourceError, "pool_closed"),
)
"""From the most telling to the least: SSLEOFError is an SSLError too, and an EOFError of ours is
what h11 complains of when the connection ends within a reply."""

MAX_CHAIN = 100
"""Exceptions looked at before giving up; a chain may be a circle."""


def chain(error: BaseException) -> Iterator[BaseException]:
    """Yield an exception and all it came from, nearest first."""
    todo: list[BaseException | None] = [error]
    seen: set[int] = set()
    while todo and len(seen) < MAX_CHAIN:
        current = todo.pop(0)
        if current is None or id(current) in seen:
            continue
        seen.add(id(current))
        yield current
        todo += [current.__cause__, None if current.__suppress_context__ else current.__context__]
        if isinstance(current, BaseExceptionGroup):
            todo += current.exceptions


def kind_of(error: BaseException) -> ErrorKind:
    """Return what ended a call or a connect, in one word; "other" if the table has none."""
    links = list(chain(error))
    for link in links:
        if isinstance(link, OSError) and not isinstance(link, ssl.SSLError):
            kind = _BY_ERRNO.get(link.errno or 0)
            if kind is not None:
                return kind
    for wanted, kind in _BY_TYPE:
        if any(isinstance(link, wanted) for link in links):
            return kind
    return "other"


def is_certificate_failure(error: BaseException) -> bool:
    """Tell whether the peer's certificate was checked and found wanting."""
    return any(isinstance(link, ssl.SSLCertVerificationError) for link in chain(error))


def reason_of(error: BaseException) -> str:
    """Return a sentence on what happened: the innermost exception of the chain that has a text.

    For a certificate it is OpenSSL's reason of the failed verification.
    """
    links = list(chain(error))
    for link in links:
        if isinstance(link, ssl.SSLCertVerificationError):
            return f"certificate verification failed: {link.verify_message or link}"
    texts = [str(link) for link in links if str(link) and not isinstance(link, BaseExceptionGroup)]
    return texts[-1] if texts else type(links[-1]).__name__
