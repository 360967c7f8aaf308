"""What an exception means to a caller: certainly not done, or perhaps done, and why.

Classes of libraries are known by their names, for none of them is imported here.
"""

from __future__ import annotations

import re
import ssl
from dataclasses import dataclass
from typing import TYPE_CHECKING

from harness.causes import KIND_BY_ERRNO, chain, reason_of
from harness.errors import ERROR_KINDS, ErrorKind
from harness.worker.contract import Abandoned

if TYPE_CHECKING:
    from collections.abc import Iterator
    from typing import Literal

NEVER_SENT: frozenset[ErrorKind] = frozenset({"refused", "no_port", "pool_timeout"})
"""A call that ended so has certainly not reached the server, whatever the library."""
MESSAGE_LIMIT = 300
_ADDRESS = re.compile(r" at 0x[0-9a-fA-F]+")
CHAIN_LIMIT = 50
_SAYS_CLOSED = re.compile(
    r"disconnected|(?:peer|server|connection) (?:was |is |has been )?closed|"
    r"closed (?:the )?connection|connection is lost|terminating connection|EOF detected|"
    r"connection lost|closing transport|not enough data|incompleteread\(|got length b''|"
    r"ended prematurely",
    re.IGNORECASE,
)
"""How libraries word an early end of file, which they raise as a breach of the protocol."""
_SAYS_POOL_CLOSED = re.compile(
    r"(?:session|connector|pool|client) (?:is |has been )?clos(?:ed|ing)", re.IGNORECASE
)
"""How libraries word a call that comes after their ``close()``."""
_SAYS_NO_SLOT = re.compile(r"ConnectionError: (?:No connection available|Too many connections)")
"""How redis says that its pool has none to give; as the cause it names the timeout of its queue."""
_WORDED_BY_LIBPQ: tuple[tuple[ErrorKind, re.Pattern[str]], ...] = (
    ("refused", re.compile("connection refused", re.IGNORECASE)),
    ("no_port", re.compile("cannot assign requested address", re.IGNORECASE)),
    ("reset", re.compile("connection reset by peer|broken pipe", re.IGNORECASE)),
    ("timeout", re.compile("timeout expired|connection timed out", re.IGNORECASE)),
    ("tls", re.compile("certificate verify failed|does not match host name|not support SSL")),
    ("closed", re.compile("EOF detected|unexpected eof", re.IGNORECASE)),
    ("tls", re.compile("SSL error:")),
    ("protocol", re.compile("lost synchronization|message contents do not agree|invalid response")),
)
"""libpq tells what happened in its text alone, whatever it stands behind; the first that fits."""
_BY_NAME: dict[str, ErrorKind] = {
    "PoolTimeout": "pool_timeout",
    "EmptyPoolError": "pool_timeout",
    "MaxConnectionsError": "pool_timeout",
    "CancelledError": "cancelled",
    "EndedCancelled": "cancelled",
    "TimeoutError": "timeout",
    "TimeoutException": "timeout",
    "TooSlowError": "timeout",
    "ClosedResourceError": "pool_closed",
    "SSLEOFError": "closed",
    "EOFError": "closed",
    "ConnectionDoesNotExistError": "closed",
    "EndOfStream": "closed",
    "ServerDisconnectedError": "closed",
    "BadHttpMessage": "protocol",
    "ClientResponseError": "protocol",
    "HTTPStatusError": "protocol",
    "ProtocolError": "protocol",
    "sqlalchemy.TimeoutError": "pool_timeout",
    "TooManyRequests": "pool_timeout",
    "PoolClosed": "pool_closed",
    "AdminShutdown": "closed",
    "AdminShutdownError": "closed",
    "CrashShutdown": "closed",
    "CrashShutdownError": "closed",
    "IdleSessionTimeout": "closed",
    "IdleSessionTimeoutError": "closed",
    "IdleInTransactionSessionTimeout": "closed",
    "IdleInTransactionSessionTimeoutError": "closed",
    "ConnectionTimeout": "timeout",
    "QueryCanceled": "timeout",
    "QueryCanceledError": "timeout",
    "InternalClientError": "protocol",
    "InvalidResponse": "protocol",
    "urllib3.NewConnectionError": "other",
    "urllib3.ClosedPoolError": "pool_closed",
    "urllib3.ResponseError": "protocol",
    "urllib3.DecodeError": "protocol",
    "urllib3.InvalidHeader": "protocol",
    "urllib3.SSLError": "tls",
    "requests.Timeout": "timeout",
    "requests.HTTPError": "protocol",
    "requests.RetryError": "protocol",
    "requests.ChunkedEncodingError": "protocol",
    "requests.ContentDecodingError": "protocol",
    "httpx.DecodingError": "protocol",
}
"""Classes of httpx, httpcore, urllib3, redis, asyncio, anyio, trio, asyncpg, aiohttp, requests. The
nearest base that stands here counts. A name that means different things to different libraries
stands behind its package's; ``other`` says that what lies below tells more: urllib3 derives its
refused connections from its timeouts."""
_SAYS_ERRNO = re.compile(r"\[Errno (\d+)\]")
"""asyncio puts several failed attempts to connect into the text of one OSError."""


@dataclass(frozen=True)
class Outcome:
    """How a call ended that got no reply."""

    certainty: Literal["failed", "unknown"]
    kind: ErrorKind
    message: str


def outcome_of(error: BaseException) -> Outcome:
    """The outcome that an exception of a client stands for.

    An exception may say itself whether bytes may have left (``sent``) and what happened (``kind``),
    as those of our own pool do; of others only what can't have reached the server counts as failed.
    """
    told = getattr(error, "outcome", None)
    if isinstance(told, Outcome):
        return told  # by the client's own process
    message = _message(error)
    if isinstance(error, Abandoned):
        return Outcome("unknown", "abandoned", message)
    if type(error).__name__ == "Cancelled":  # trio's, which nobody makes but trio
        return Outcome("unknown", "cancelled", "the caller was cancelled")
    sent, kind = getattr(error, "sent", None), getattr(error, "kind", None)
    if isinstance(sent, bool) and kind in ERROR_KINDS:
        return Outcome("unknown" if sent else "failed", kind, message)
    kind = "pool_timeout" if _SAYS_NO_SLOT.match(message) else _kind_told(error)
    if kind in {"protocol", "other"}:
        kind = _kind_worded(message, kind)
    return Outcome("failed" if kind in NEVER_SENT else "unknown", kind, message)


def _kind_told(error: BaseException) -> ErrorKind:
    """What the class says that a caller sees; else what the system said below; else any class."""
    seen = _kind_named(error)
    if seen not in {"protocol", "other"}:
        return seen
    links = list(_told(error))
    known: ErrorKind = "other"
    for kind in (*map(_kind_of_system, links), *map(_kind_named, links)):
        if kind not in {"protocol", "other"}:
            return kind
        known = kind if known == "other" else known
    return known


def _kind_of_system(link: BaseException) -> ErrorKind:
    """What the system or OpenSSL said."""
    if isinstance(link, ssl.SSLError):
        return "closed" if isinstance(link, ssl.SSLEOFError) else "tls"
    return KIND_BY_ERRNO.get(link.errno or 0, "other") if isinstance(link, OSError) else "other"


def _kind_named(link: BaseException) -> ErrorKind:
    if isinstance(link, OSError) and link.errno is not None:
        return "other"  # then that says more
    for base in type(link).__mro__:
        package = base.__module__.partition(".")[0]
        for name in (f"{package}.{base.__name__}", base.__name__):
            if name in _BY_NAME:
                return _BY_NAME[name]
    if isinstance(link, ConnectionError):
        return "closed"  # raised by asyncio for a transport that is closing, not by a system call
    if isinstance(link, OSError) and (said := _SAYS_ERRNO.search(str(link))):
        return KIND_BY_ERRNO.get(int(said[1]), "other")
    return "other"


def _kind_worded(message: str, kind: ErrorKind) -> ErrorKind:
    for told, says in _WORDED_BY_LIBPQ if kind == "other" else ():
        if says.search(message):
            return told
    if _SAYS_CLOSED.search(message):
        return "closed"
    return "pool_closed" if _SAYS_POOL_CLOSED.search(message) else kind


def _told(error: BaseException) -> Iterator[BaseException]:
    """The exception and those it carries as arguments: httpcore hands its causes on like that.

    What ``from None`` hides stays hidden: a caller doesn't learn of it either.
    """
    todo = list(chain(error))
    for _ in range(CHAIN_LIMIT):
        if not todo:
            return
        link = todo.pop(0)
        yield link
        todo += [
            cause for part in link.args if isinstance(part, BaseException) for cause in chain(part)
        ]


def _message(error: BaseException) -> str:
    # Where an object lies in memory means nothing to anybody, and differs from run to run.
    text = _ADDRESS.sub("", str(error) or reason_of(error))
    name = type(error).__name__
    return f"{name}: {text}"[:MESSAGE_LIMIT] if text != name else name
