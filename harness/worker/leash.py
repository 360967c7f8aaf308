"""Starts a program of the user's that ends when the harness does: ``leash.py PARENT PROGRAM ...``.

A parent that is killed closes nothing by itself but its pipes, and a program may not read them.
On Linux the system kills it then: prctl(2), which survives execve(2).
"""

from __future__ import annotations

import os
import sys

PR_SET_PDEATHSIG = 1
SIGKILL = 9


def main(parent: int, command: list[str]) -> None:
    """Become the program."""
    if sys.platform.startswith("linux"):
        import ctypes  # noqa: PLC0415 - nobody else needs it

        ctypes.CDLL(None).prctl(PR_SET_PDEATHSIG, SIGKILL)
        if os.getppid() != parent:
            return  # it was killed before the system knew
    os.execvp(command[0], command)  # noqa: S606 - it is what the user asked for


if __name__ == "__main__":
    main(int(sys.argv[1]), sys.argv[2:])
