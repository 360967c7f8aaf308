"""The exceptions of the project, sorted by whose fault they are.

``InputError``  the user's: a scenario, an option or a client file is wrong. Exit code 3.
``SetupError``  the machine's: a port is taken, a privilege or a server is missing. Exit code 4.
``PoolError``   the network's, told by the reference pool and its client: callers handle these.

Anything else that escapes is a bug of ours and shows its traceback. This module is needed in the
client's own process as well, so it keeps to the syntax of Python 3.8.
"""

from __future__ import annotations

from dataclasses import dataclass
from typing import Literal, get_args

ErrorKind = Literal[
    "refused",
    "reset",
    "closed",
    "timeout",
    "unreachable",
    "no_port",
    "pool_timeout",
    "pool_closed",
    "tls",
    "protocol",
    "cancelled",
    "abandoned",
    "other",
]
"""What ended a call, in the words a report uses; refused, reset, closed and timeout all differ."""

ERROR_KINDS: tuple[str, ...] = get_args(ErrorKind)

SIGNALLED = 128
"""Added to a signal's number, it is the exit code of a process that the signal ended."""


class HarnessError(Exception):
    """Everything this project raises on purpose."""


@dataclass(frozen=True)
class Problem:
    """One mistake in an input: where it stands, what is wrong and what would be right.

    ``line`` and ``column`` count from 1; 0 means the mistake has no place in the text.
    """

    message: str
    hint: str = ""
    path: str = ""
    file: str = ""
    line: int = 0
    column: int = 0

    def __str__(self) -> str:
        place = f"{self.file}:{self.line}:{self.column}" if self.line else self.file
        where = ": ".join(part for part in (place, self.path) if part)
        text = f"{self.message}; {self.hint}" if self.hint else self.message
        return f"{where}: {text}" if where else text


class InputError(HarnessError):
    """A scenario, an option or a client file is wrong; carries every mistake found at once."""

    def __init__(self, *problems: Problem | str) -> None:
        self.problems = tuple(Problem(p) if isinstance(p, str) else p for p in problems)
        super().__init__("\n".join(str(problem) for problem in self.problems))


class SetupError(HarnessError):
    """This machine can't do what was asked: a port, a privilege or a server is missing."""


class PoolError(HarnessError):
    """A call or a checkout failed; ``sent`` tells whether its bytes may have left this process.

    ``kind`` is the cause in one word of ``ErrorKind``. The exception that led here, where there
    is one, is the ``__cause__``.
    """

    kind: ErrorKind = "other"

    def __init__(self, message: str, *, kind: ErrorKind | None = None, sent: bool = False) -> None:
        super().__init__(message)
        self.sent = sent
        if kind is not None:
            self.kind = kind


class PoolTimeout(PoolError):  # noqa: N818 - SQLAlchemy and HikariCP call it a timeout, not an error
    """Every connection stayed in use for the whole of ``timeout``."""

    kind: ErrorKind = "pool_timeout"


class PoolClosed(PoolError):  # noqa: N818 - states what is so
    """The pool is closed, or was closed while the caller waited."""

    kind: ErrorKind = "pool_closed"


class ConnectFailed(PoolError):  # noqa: N818 - states what happened
    """No connection could be opened within ``timeout``; the last attempt's error is the cause."""


class CallFailed(PoolError):  # noqa: N818 - states what happened
    """A request got no whole reply; ``sent`` is False only if no byte of it can have left."""
