"""Foreign exceptions, translated at the edge into the words of ``ErrorKind``.

An exception of trio, ssl or h11 says what happened only together with those it came from, so the
whole chain of causes, contexts and group members is searched, and the first entry of the table
that fits any of them wins.
"""

from __future__ import annotations

import ssl

import h11
import trio

from harness.causes import KIND_BY_ERRNO, chain
from harness.errors import ErrorKind

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


def kind_of(error: BaseException) -> ErrorKind:
    """Return what ended a call or a connect, in one word; "other" if the table has none."""
    links = list(chain(error))
    for link in links:
        if isinstance(link, OSError) and not isinstance(link, ssl.SSLError):
            kind = KIND_BY_ERRNO.get(link.errno or 0)
            if kind is not None:
                return kind
    for wanted, kind in _BY_TYPE:
        if any(isinstance(link, wanted) for link in links):
            return kind
    return "other"


def is_certificate_failure(error: BaseException) -> bool:
    """Tell whether the peer's certificate was checked and found wanting."""
    return any(isinstance(link, ssl.SSLCertVerificationError) for link in chain(error))
