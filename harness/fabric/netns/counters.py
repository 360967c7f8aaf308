"""What the kernel has counted in a namespace, as proc(5) shows it to the thread that is there."""

from __future__ import annotations

from pathlib import Path

SNMP = Path("/proc/thread-self/net/snmp")
"""What the standards ask every host to count (RFC 4293, RFC 4022)."""
NETSTAT = Path("/proc/thread-self/net/netstat")
"""What Linux counts besides."""


def counted(*files: Path) -> dict[str, int]:
    """The counters of these files by group and name, such as ``Ip OutNoRoutes``.

    Both files have pairs of lines: a group's names, then the same group's values.
    """
    found: dict[str, int] = {}
    for file in files:
        lines = file.read_text(encoding="ascii").splitlines()
        for names, values in zip(lines[::2], lines[1::2], strict=True):
            group, *words = names.split()
            pairs = zip(words, values.split()[1:], strict=True)
            found |= {f"{group.rstrip(':')} {word}": int(value) for word, value in pairs}
    return found
