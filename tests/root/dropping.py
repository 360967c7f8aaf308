"""Runs a command with fewer privileges than this process has: as nobody, or as in a container."""

from __future__ import annotations

import ctypes
import functools
import os
import platform
import shutil
import struct
import subprocess
import sys
from pathlib import Path

import harness

ROOT = Path(harness.__file__).parents[1]
NOBODY = 65534
LIMIT_S = 120
_PR_SET_SECCOMP, _PR_SET_NO_NEW_PRIVS, _FILTER = 22, 38, 2
_UNSHARE = {"x86_64": 272, "aarch64": 97}
_ALLOW, _REFUSE_EPERM = 0x7FFF0000, 0x00050001
_SELF = str(Path(__file__))
_AGAIN = (
    "import subprocess, sys; "
    "sys.exit(subprocess.call([sys.executable, '-c', 'import harness.cli']))"
)
"""As the harness does it: the first start may still profit from the one who gave up privileges."""


@functools.cache
def python_of_all() -> str:
    """An interpreter that every user may run and that finds our libraries; empty if none is."""
    for candidate in (sys.executable, shutil.which("python3", path="/usr/bin:/usr/local/bin")):
        if candidate and not _run(as_user(candidate, "-c", _AGAIN)).returncode:
            return candidate
    return ""


def as_user(*command: str) -> list[str]:
    """The command as a normal user runs it: as nobody, if this process is root's."""
    if os.geteuid() != 0:
        return list(command)
    who = [f"--reuid={NOBODY}", f"--regid={NOBODY}", "--clear-groups"]
    return ["setpriv", *who, "--bounding-set=-all", "--inh-caps=-all", *command]


def without_user_namespaces(*command: str) -> list[str]:
    """The command where no user namespace can be made, and with no privilege left."""
    limit = "echo 0 > /proc/sys/user/max_user_namespaces"
    drop = 'exec setpriv --bounding-set=-all --inh-caps=-all --no-new-privs -- "$@"'
    return [
        "unshare",
        "--user",
        "--map-root-user",
        "sh",
        "-c",
        f"{limit} && {drop}",
        "sh",
        *command,
    ]


def as_in_a_container(*command: str) -> list[str]:
    """The command with no privilege left and unshare(2) refused, as container engines do."""
    keep = [sys.executable, _SELF, *command]
    if os.geteuid() != 0:
        return keep
    return ["setpriv", "--bounding-set=-all", "--inh-caps=-all", *keep]


def run(command: list[str], folder: Path) -> subprocess.CompletedProcess[str]:
    """What came of a command in a folder that anybody may write to."""
    folder.chmod(0o777)
    return _run(command, folder)


def _run(command: list[str], folder: Path | None = None) -> subprocess.CompletedProcess[str]:
    paths = [str(ROOT), *(path for path in sys.path if path.endswith("site-packages"))]
    home = str(folder or "/nonexistent")
    return subprocess.run(
        command,
        cwd=folder or "/",
        env={
            "PATH": os.environ["PATH"] + ":/usr/bin:/usr/sbin:/bin",
            "HOME": home,
            "TMPDIR": str(folder or "/tmp"),
            "PYTHONPATH": os.pathsep.join(paths),
            "PYTHONDONTWRITEBYTECODE": "1",
        },
        capture_output=True,
        text=True,
        check=False,
        timeout=LIMIT_S,
    )


def _refuse_unshare() -> None:
    """Install a filter (seccomp(2)) that answers unshare(2) with EPERM, for good."""
    number = _UNSHARE[platform.machine()]
    program = b"".join(
        struct.pack("HBBI", *step)
        for step in ((0x20, 0, 0, 0), (0x15, 0, 1, number), (0x06, 0, 0, _REFUSE_EPERM),
                     (0x06, 0, 0, _ALLOW))  # A = number of the call; if it is that one; or not
    )  # fmt: skip
    kept = ctypes.create_string_buffer(program)
    filters = ctypes.create_string_buffer(struct.pack("HP", 4, ctypes.addressof(kept)))
    libc = ctypes.CDLL(None, use_errno=True)
    assert libc.prctl(_PR_SET_NO_NEW_PRIVS, 1, 0, 0, 0) == 0
    assert libc.prctl(_PR_SET_SECCOMP, _FILTER, filters, 0, 0) == 0


if __name__ == "__main__":
    _refuse_unshare()
    os.execvp(sys.argv[1], sys.argv[1:])
