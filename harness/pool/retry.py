"""Which failed calls may be made again: the one place where that is decided."""

from __future__ import annotations

from typing import TYPE_CHECKING

if TYPE_CHECKING:
    from harness.errors import ErrorKind

SAFE_METHODS = frozenset({"GET", "HEAD", "OPTIONS", "TRACE"})
"""RFC 9110 section 9.2.1: the client asks for no change of state, so asking twice does no harm.

PUT and DELETE are idempotent (section 9.2.2), but repeating one late can undo what another client
did in between, so they are left to the caller.
"""

CONNECTION_FAILURES: frozenset[ErrorKind] = frozenset({"reset", "closed"})
"""The ends of a connection that say nothing about the server. A timeout does: it isn't retried."""

SUSPICIOUS: frozenset[ErrorKind] = CONNECTION_FAILURES | {"timeout"}
"""What makes other connections suspect: a silence may be the server's, or the network's."""

REQUEST_TIMEOUT = 408


def is_safe(method: str) -> bool:
    """Tell whether a call with this method may be made twice; methods are case-sensitive."""
    return method in SAFE_METHODS


def may_retry(method: str, kind: ErrorKind, *, sent: bool, retries_left: int) -> bool:
    """Tell whether a call that got no whole reply may be made again on another connection.

    RFC 9110 section 9.2.2 and RFC 9112 section 9.3.1: a call that isn't safe is repeated only if
    it is certain that no byte of it has left.
    """
    if retries_left <= 0 or kind not in CONNECTION_FAILURES:
        return False
    return not sent or is_safe(method)


def is_stray_timeout(method: str, status: int, *, reused: bool, retries_left: int) -> bool:
    """Tell whether a 408 was meant for the idle connection rather than for this call.

    RFC 9110 section 15.5.9: a server may announce with it that it closes an idle connection, and
    a client may then repeat its call on another one.
    """
    return status == REQUEST_TIMEOUT and reused and retries_left > 0 and is_safe(method)
