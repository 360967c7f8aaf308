"""The process behind a test's proxies: ``python -m harness.serve [PARENT]``.

It ends when its standard input does, so however its parent ends. On Linux it also ends by
prctl(2), PR_SET_PDEATHSIG, in case somebody else inherited the other end of that pipe; that
speaks of the thread which made it, so only a parent's main thread names itself.
"""

from __future__ import annotations

import ctypes
import os
import signal
import sys

import trio

from harness.fabric import LoopbackFabric
from harness.serve.desk import open_desk
from harness.serve.loop import Lines, converse

_PR_SET_PDEATHSIG = 1


def main() -> None:
    """Serve the parent on standard input and output."""
    signal.signal(signal.SIGINT, signal.SIG_IGN)  # Ctrl-C is the parent's, which then hangs up
    if len(sys.argv) > 1 and sys.platform == "linux":
        _die_with(int(sys.argv[1]))
    trio.run(_serve)


def _die_with(parent: int) -> None:
    ctypes.CDLL(None).prctl(_PR_SET_PDEATHSIG, signal.SIGKILL)
    if os.getppid() != parent:  # it is gone already
        sys.exit()


async def _serve() -> None:
    async with open_desk(LoopbackFabric()) as desk:
        await converse(desk, Lines(sys.stdin.fileno(), sys.stdout.fileno()), {})


if __name__ == "__main__":
    main()
