"""What the benchmark's own processes share: they tell who they are, and end with their parent."""

from __future__ import annotations

import json
import os
import sys
import threading

DESCRIPTORS_WANTED = 16_384


def raise_file_limit() -> int:
    """Let this process open as many files as it may, and say how many that is."""
    if sys.platform == "win32":
        return DESCRIPTORS_WANTED  # sockets have no such limit there
    import resource  # noqa: PLC0415 - not on Windows

    soft, hard = resource.getrlimit(resource.RLIMIT_NOFILE)
    wanted = DESCRIPTORS_WANTED if hard == resource.RLIM_INFINITY else min(DESCRIPTORS_WANTED, hard)
    if soft < wanted:
        resource.setrlimit(resource.RLIMIT_NOFILE, (wanted, hard))
    return max(soft, wanted)


def say_hello(**facts: object) -> None:
    """Tell the parent, in one line of JSON, that we serve."""
    sys.stdout.write(json.dumps({"pid": os.getpid()} | facts) + "\n")
    sys.stdout.flush()


def end_with_parent() -> None:
    """End this process as soon as nobody holds its stdin: however the parent ended."""
    threading.Thread(target=_exit_at_end_of_stdin, daemon=True).start()


def _exit_at_end_of_stdin() -> None:
    while os.read(0, 1024):
        pass
    os._exit(0)
