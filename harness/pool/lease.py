"""A connection in a caller's hands, and what happens if the caller drops it."""

from __future__ import annotations

import inspect
import warnings
from typing import TYPE_CHECKING, Generic, TypeVar

if TYPE_CHECKING:
    from collections.abc import Callable
    from types import FrameType, TracebackType

C = TypeVar("C")

_OWN_MODULES = ("harness.pool", "contextlib")


class Lease(Generic[C]):
    """One connection for one caller, from its hand-out until ``release()``.

    ``with lease:`` releases it at the end, and keeps it from being reused if the body raised or
    was cancelled. A lease that is garbage-collected without having been released is a leak: the
    pool closes the connection, takes its slot back and says where it was acquired.
    """

    __slots__ = ("_on_lost", "_on_release", "_released", "_reusable", "conn", "connection",
                 "reused", "where")  # fmt: skip

    def __init__(
        self,
        connection: C,
        conn: int,
        *,
        reused: bool,
        where: str,
        on_release: Callable[[int, bool, bool], None],
        on_lost: Callable[[int, str], None],
    ) -> None:
        self.connection = connection
        self.conn = conn
        self.reused = reused
        self.where = where
        self._on_release = on_release
        self._on_lost = on_lost
        self._reusable = True
        self._released = False

    def discard(self) -> None:
        """Have the connection closed at its release, instead of reused."""
        self._reusable = False

    def release(self, *, suspicious: bool = False) -> None:
        """Give the connection back; a second release does nothing.

        ``suspicious`` says that the connection was found dead or silent in a way that others may
        share: those that are idle now must answer a ping before their next use.
        """
        if not self._released:
            self._released = True
            self._on_release(self.conn, self._reusable, suspicious)

    def __enter__(self) -> Lease[C]:
        return self

    def __exit__(
        self,
        exc_type: type[BaseException] | None,
        exc: BaseException | None,
        traceback: TracebackType | None,
    ) -> None:
        if exc is not None:
            self.discard()
        self.release()

    def __del__(self) -> None:
        if not getattr(self, "_released", True):
            self._on_lost(self.conn, self.where)
            warnings.warn(
                f"connection {self.conn} acquired at {self.where} was never released",
                ResourceWarning,
                stacklevel=2,
            )


def caller_place() -> str:
    """Return ``file:line`` of the innermost caller outside the pool."""
    frame = inspect.currentframe()
    while frame is not None and _is_own(frame):
        frame = frame.f_back
    return "unknown" if frame is None else f"{frame.f_code.co_filename}:{frame.f_lineno}"


def _is_own(frame: FrameType) -> bool:
    return str(frame.f_globals.get("__name__", "")).startswith(_OWN_MODULES)
