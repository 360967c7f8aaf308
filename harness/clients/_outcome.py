"""What an exception means to a caller: certainly not done, or perhaps done, and why."""

from __future__ import annotations

import re
from collections.abc import Iterator
from dataclasses import dataclass
from typing import Literal

import trio

from harness.clients._base import Abandoned
from harness.errors import ErrorKind, PoolError
from harness.pool.translate import chain, kind_of, reason_of

NEVER_SENT: frozenset[ErrorKind] = frozenset({"refused", "pool_timeout"})
"""A call that ended so has certainly not reached the server, whatever the library."""
MESSAGE_LIMIT = 300
CHAIN_LIMIT = 50
_SAYS_CLOSED = re.compile(
    r"disconnected|(?:peer|server|connection) closed|closed (?:the )?connection", re.IGNORECASE
)
"""How HTTP libraries word an early end of file, which they raise as a breach of the protocol."""


@dataclass(frozen=True, slots=True)
class Outcome:
    """How a call ended that got no reply."""

    certainty: Literal["failed", "unknown"]
    kind: ErrorKind
    message: str


def outcome_of(error: BaseException) -> Outcome:
    """The outcome that an exception of a client stands for.

    Our own pool says whether bytes may have left; of other libraries only what can't have
    reached the server counts as failed.
    """
    message = _message(error)
    if isinstance(error, Abandoned):
        return Outcome("unknown", "abandoned", message)
    if isinstance(error, trio.Cancelled):
        return Outcome("unknown", "cancelled", "the caller was cancelled")
    if isinstance(error, PoolError):
        return Outcome("unknown" if error.sent else "failed", error.kind, message)
    kinds = [kind_of(link) for link in _told(error)]
    kind: ErrorKind = next((known for known in kinds if known != "other"), "other")
    if kind in {"protocol", "other"} and _SAYS_CLOSED.search(message):
        kind = "closed"
    return Outcome("failed" if kind in NEVER_SENT else "unknown", kind, message)


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
    text = str(error) or reason_of(error)
    name = type(error).__name__
    return f"{name}: {text}"[:MESSAGE_LIMIT] if text != name else name
