"""Virtual time for libraries that read the clock themselves.

Some libraries don't ask the event loop what time it is but call ``time.monotonic()`` or
``time.time()``: httpcore for its keep-alive limits, SQLAlchemy for ``pool_recycle``. In virtual
time their connections would never grow old. ``install_shim`` replaces the clocks of the ``time``
module by ones that tell virtual time to the thread in which a virtual run is going on, and the
real time to everybody else. Install it before such a library is imported: many take the functions
by name. What C code reads (``datetime.now()``) stays real.
"""

from __future__ import annotations

import threading
import time
from collections.abc import Callable, Iterator
from contextlib import contextmanager

WALL_ZERO_S = 1_893_456_000.0
"""The wall clock at virtual instant 0: 2030-01-01 00:00 UTC, the same in every run."""

real_monotonic = time.monotonic
"""The real clock, whatever is installed."""

_now: Callable[[], float] | None = None
_thread = 0
_installed: list[bool] = []


def install_shim() -> None:
    """Let the ``time`` module's clocks know virtual time; once is enough."""
    if _installed:
        return
    _installed.append(True)
    for name in ("monotonic", "perf_counter"):
        _replace(name, 0.0)
    _replace("time", WALL_ZERO_S)


def _replace(name: str, zero_s: float) -> None:
    in_seconds: Callable[[], float] = getattr(time, name)
    in_nanoseconds: Callable[[], int] = getattr(time, f"{name}_ns")

    def seconds() -> float:
        return in_seconds() if _is_real() else zero_s + _virtual()

    def nanoseconds() -> int:
        return in_nanoseconds() if _is_real() else int((zero_s + _virtual()) * 1e9)

    for function, suffix in ((seconds, ""), (nanoseconds, "_ns")):
        function.__name__ = function.__qualname__ = f"{name}{suffix}"
        setattr(time, f"{name}{suffix}", function)


def _is_real() -> bool:
    return _now is None or threading.get_ident() != _thread


def _virtual() -> float:
    assert _now is not None
    return _now()


@contextmanager
def virtual_time(now: Callable[[], float]) -> Iterator[None]:
    """In this thread the installed clocks tell ``now`` while the block runs."""
    global _now, _thread
    before = (_now, _thread)
    _now, _thread = now, threading.get_ident()
    try:
        yield
    finally:
        _now, _thread = before
