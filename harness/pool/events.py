"""What goes into the core, what comes out, and what an observer of the pool is told.

Connections and callers are plain numbers here, so that the core never holds a live object. A
number is never used twice.
"""

from __future__ import annotations

from dataclasses import dataclass
from typing import Literal, TypeAlias

CloseReason: TypeAlias = Literal[
    "stale",
    "ping_failed",
    "recycle",
    "idle_timeout",
    "overflow",
    "drained",
    "discarded",
    "leaked",
    "shutdown",
]
"""Why the pool closed a connection, in the word of the setting or the call that led to it."""

CheckFailure: TypeAlias = Literal["stale", "ping_failed"]
"""What a connection can fail before its hand-out."""

RefuseReason: TypeAlias = Literal["timeout", "connect", "full", "closed"]
"""Why a caller got no connection."""

# ---------------------------------------------------------------- events: what has happened


@dataclass(frozen=True, slots=True)
class Start:
    """The pool is open: fill it up to ``min_idle``."""


@dataclass(frozen=True, slots=True)
class Acquire:
    """A caller wants a connection before ``deadline``."""

    waiter: int
    deadline: float


@dataclass(frozen=True, slots=True)
class GiveUp:
    """A caller was cancelled before it took what it was waiting for, or what it was granted."""

    waiter: int


@dataclass(frozen=True, slots=True)
class Connected:
    """A connect attempt succeeded."""

    conn: int


@dataclass(frozen=True, slots=True)
class ConnectError:
    """A connect attempt failed; a ``permanent`` failure would only fail again."""

    conn: int
    error: Exception
    permanent: bool


@dataclass(frozen=True, slots=True)
class Checked:
    """A connection was looked at before its hand-out: ``failure`` is None if it is alive."""

    conn: int
    pinged: bool
    failure: CheckFailure | None


@dataclass(frozen=True, slots=True)
class WentStale:
    """An idle connection was closed, reset or written to by its server."""

    conn: int


@dataclass(frozen=True, slots=True)
class Release:
    """A caller is done; ``suspicious`` if others like this connection may be dead too."""

    conn: int
    reusable: bool
    suspicious: bool = False


@dataclass(frozen=True, slots=True)
class Lost:
    """A lease was garbage-collected without a release; ``where`` says who acquired it."""

    conn: int
    where: str


@dataclass(frozen=True, slots=True)
class Gone:
    """A connection was closed by us, and its slot is free."""

    conn: int


@dataclass(frozen=True, slots=True)
class Tick:
    """The deadline the core had named is here."""


@dataclass(frozen=True, slots=True)
class Drain:
    """Let go of every connection opened before now, as soon as nobody uses it."""


@dataclass(frozen=True, slots=True)
class Shutdown:
    """Close everything; what is still open at ``deadline`` is aborted."""

    deadline: float


Event: TypeAlias = (
    Start
    | Acquire
    | GiveUp
    | Connected
    | ConnectError
    | Checked
    | WentStale
    | Release
    | Lost
    | Gone
    | Tick
    | Drain
    | Shutdown
)

# ---------------------------------------------------------------- effects: what is to be done


@dataclass(frozen=True, slots=True)
class Connect:
    """Open a connection; answer with ``Connected`` or ``ConnectError``."""

    conn: int


@dataclass(frozen=True, slots=True)
class Watch:
    """Wait beside an idle connection; answer with ``WentStale`` if it dies."""

    conn: int


@dataclass(frozen=True, slots=True)
class Check:
    """Look whether a connection is alive, with a round trip if ``ping``; answer ``Checked``."""

    conn: int
    ping: bool


@dataclass(frozen=True, slots=True)
class Close:
    """Close a connection politely, within a bound; answer with ``Gone``."""

    conn: int


@dataclass(frozen=True, slots=True)
class Abort:
    """Drop a connection or its attempt at once; answer with ``Gone``."""

    conn: int


@dataclass(frozen=True, slots=True)
class Grant:
    """Give a connection to a caller."""

    waiter: int
    conn: int
    reused: bool


@dataclass(frozen=True, slots=True)
class Refuse:
    """Tell a caller that it gets none, and why; ``error`` is the last failed connect."""

    waiter: int
    reason: RefuseReason
    detail: str
    error: Exception | None = None


@dataclass(frozen=True, slots=True)
class Tell:
    """Pass a piece of news to the observer."""

    news: News


@dataclass(frozen=True, slots=True)
class Finish:
    """The pool is shut down and its last connection is gone."""


Effect: TypeAlias = Connect | Watch | Check | Close | Abort | Grant | Refuse | Tell | Finish

# ---------------------------------------------------------------- news: what an observer is told


@dataclass(frozen=True, slots=True)
class Opened:
    """Connection ``conn`` was opened, ``took_s`` after its attempt began."""

    at: float
    conn: int
    took_s: float


@dataclass(frozen=True, slots=True)
class AttemptFailed:
    """A connect attempt failed; none is made again before ``retry_in_s`` are over."""

    at: float
    conn: int
    error: Exception
    permanent: bool
    retry_in_s: float


@dataclass(frozen=True, slots=True)
class Acquired:
    """A caller got connection ``conn`` after ``waited_s``; ``reused`` if it has served before."""

    at: float
    conn: int
    waited_s: float
    reused: bool


@dataclass(frozen=True, slots=True)
class Released:
    """A caller gave connection ``conn`` back, ``reusable`` or not."""

    at: float
    conn: int
    reusable: bool


@dataclass(frozen=True, slots=True)
class Closed:
    """The pool let go of connection ``conn``, for a ``reason``."""

    at: float
    conn: int
    reason: CloseReason


@dataclass(frozen=True, slots=True)
class Refused:
    """A caller got no connection in ``waited_s``."""

    at: float
    waited_s: float
    reason: RefuseReason


@dataclass(frozen=True, slots=True)
class LeakDetected:
    """Connection ``conn`` was never released by the caller at ``where`` (``file:line``)."""

    at: float
    conn: int
    where: str


News: TypeAlias = Opened | AttemptFailed | Acquired | Released | Closed | Refused | LeakDetected
