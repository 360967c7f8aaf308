"""What a client's process has open, counted from outside: /proc/PID/fd and /proc/PID/net/tcp.

Of a Python worker everything counts that was not open before it opened the client. Of a program
nothing is known but what it is there for: its TCP connections to the proxy, in any process of its
group. Elsewhere than on Linux nothing is counted: proc(5).
"""

from __future__ import annotations

from collections.abc import Iterator
from contextlib import suppress
from dataclasses import dataclass
from pathlib import Path

PROC = Path("/proc")
_ESTABLISHED_ONWARD = frozenset({"01", "04", "05", "08", "09", "0B"})
"""States of a connection that a process may hold (include/net/tcp_states.h): from ESTABLISHED to
CLOSING, without those in which no descriptor is left."""


@dataclass(frozen=True, slots=True)
class OpenFiles:
    """How many descriptors a process holds."""

    sockets: int = 0
    others: int = 0


def open_files(pid: int) -> OpenFiles:
    """What a process has open; nothing if it is gone or the system doesn't tell."""
    targets = list(_targets(pid))
    sockets = sum(target.startswith("socket:") for target in targets)
    return OpenFiles(sockets, len(targets) - sockets)


def connections_to(group: int, port: int) -> OpenFiles:
    """The TCP connections to a port that the processes of a group hold."""
    found: set[str] = set()
    for pid in _members(group):
        inodes = set(_inodes_to(pid, port))
        found |= {target for target in _targets(pid) if target in inodes}
    return OpenFiles(len(found))


def _targets(pid: int) -> Iterator[str]:
    try:
        links = list((PROC / str(pid) / "fd").iterdir())
    except OSError:
        return
    for link in links:
        with suppress(OSError):  # closed meanwhile
            yield str(link.readlink())


def _members(group: int) -> Iterator[int]:
    for place in PROC.iterdir() if PROC.is_dir() else ():
        if place.name.isdigit() and _group_of(int(place.name)) == group:
            yield int(place.name)


def _group_of(pid: int) -> int:
    try:
        stat = (PROC / str(pid) / "stat").read_text()
    except OSError:
        return 0
    return int(stat.rpartition(")")[2].split()[2])  # behind a name that may hold anything


def _inodes_to(pid: int, port: int) -> Iterator[str]:
    for table in ("tcp", "tcp6"):
        with suppress(OSError):
            for line in (PROC / str(pid) / "net" / table).read_text().splitlines()[1:]:
                words = line.split()
                if int(words[2].rpartition(":")[2], 16) == port and words[3] in _ESTABLISHED_ONWARD:
                    yield f"socket:[{words[9]}]"
