"""Whose a process or a temporary file is, so that what a killed harness left can be found.

Children get the mark of their harness in their environment, temporary files in their names: its
process id, and when it started, because ids are used again (proc_pid_stat(5), ``starttime``).
"""

from __future__ import annotations

import os
import re
from functools import cache
from pathlib import Path

MARK = "CHAOS_HARNESS_RUN"
"""The variable in the environment of children."""
KINDS = ("chaos-postgres", "chaos-redis", "chaos-harness", "chaos-ca", "harness-bench")
"""What names of temporary files and folders begin with."""
_NAME = re.compile(rf"(?:{'|'.join(KINDS)})-(\d+)-(\d+)-.+")
_PROC = Path("/proc")
_START_FIELD = 21
_GONE = "ZX"


def own_mark() -> str:
    """The mark of this process, such as ``4242:123456``; the start is 0 where there is no /proc."""
    return _mark_of(os.getpid())


@cache
def _mark_of(pid: int) -> str:
    return f"{pid}:{started(pid) or 0}"


def marked() -> dict[str, str]:
    """The environment for a child of ours."""
    return {**os.environ, MARK: own_mark()}


def file_prefix(kind: str) -> str:
    """What the name of a temporary file of this kind begins with."""
    assert kind in KINDS, kind
    return f"{kind}-{own_mark().replace(':', '-')}-"


def mark_in(name: str) -> str:
    """The mark in the name of a temporary file; empty if it is none of ours."""
    found = _NAME.fullmatch(name)
    return f"{found[1]}:{found[2]}" if found else ""


def started(pid: int) -> int | None:
    """When a process that lives started, in the system's ticks; None if it doesn't, or who knows.

    One that has ended, and for which its parent hasn't asked yet, doesn't live.
    """
    try:
        fields = (_PROC / str(pid) / "stat").read_text(encoding="utf-8", errors="replace")
    except OSError:
        return None
    state, *rest = fields.rpartition(")")[2].split()
    return None if state in _GONE else int(rest[_START_FIELD - 3])


def is_dead(mark: str) -> bool:
    """Whether the harness of a mark is certainly gone. False for what is no mark."""
    pid, _, start = mark.partition(":")
    if not (pid.isdecimal() and start.isdecimal()) or os.name != "posix":
        return False
    try:
        os.kill(int(pid), 0)
    except (ProcessLookupError, OverflowError):
        return True
    except PermissionError:
        pass
    if not (_PROC / pid / "stat").exists():  # it may be hidden from us, or there is no /proc
        return False
    now = started(int(pid))
    return now is None or str(now) != start
