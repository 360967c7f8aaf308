"""The authority's certificate as a file, for libraries that want a path."""

from __future__ import annotations

import os
import tempfile
from collections.abc import Iterator
from contextlib import contextmanager
from pathlib import Path

from harness.marking import file_prefix


@contextmanager
def certificate_file(pem: bytes) -> Iterator[str]:
    """The path of a file with these bytes, as long as the block runs; empty if there are none.

    Where the system has files without a name (memfd_create(2)), it is one of those, seen through
    /proc: nothing is left of it even if this process is killed.
    """
    if not pem:
        yield ""
        return
    if hasattr(os, "memfd_create") and Path("/proc/self/fd").is_dir():
        descriptor, path = os.memfd_create("authority.pem"), ""
        place = f"/proc/{os.getpid()}/fd/{descriptor}"
    else:
        descriptor, path = tempfile.mkstemp(prefix=file_prefix("chaos-harness"), suffix=".pem")
        place = path
    try:
        with os.fdopen(descriptor, "wb") as file:
            file.write(pem)
            file.flush()
            yield place
    finally:
        if path:
            Path(path).unlink()
