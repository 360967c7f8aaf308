"""``harness doctor --clean``: what killed runs have left, found and removed.

A run that ends in any other way leaves nothing. One that is killed leaves nothing either as a rule,
because the system ends what belongs to it; this is for what escapes even that: programs that a
client under test has started and that let go of it, and files whose process was killed as well.
"""

from __future__ import annotations

import os
import shutil
import signal
import sys
import tempfile
import time
from collections.abc import Iterable, Iterator
from contextlib import suppress
from dataclasses import dataclass
from pathlib import Path

from harness.marking import MARK, is_dead, mark_in, started

PROC = Path("/proc")
END_LIMIT_S = 5.0
"""How long processes may take to end after SIGTERM; then they are killed."""
KILL_LIMIT_S = 2.0
POLL_S = 0.02
COMMAND_LIMIT = 60
NOBODY_UID = 65_534


@dataclass(frozen=True, slots=True)
class Remnant:
    """A process of ours that has outlived its harness; ``network`` is the namespace it is in."""

    pid: int
    start: int
    command: str
    network: str

    def __str__(self) -> str:
        return f"process {self.pid}: {self.command}"

    @property
    def lives(self) -> bool:
        """Whether it is still there."""
        return started(self.pid) == self.start

    def signal(self, number: int) -> None:
        """Send it a signal, and never another process that has its number by now."""
        with suppress(ProcessLookupError):
            if sys.platform != "linux":
                return
            descriptor = os.pidfd_open(self.pid)
            try:
                if self.lives:
                    signal.pidfd_send_signal(descriptor, number)
            finally:
                os.close(descriptor)


def clean(*, only_list: bool) -> list[str]:
    """One line for each thing that was removed, or that would be."""
    remnants, done = processes(), "would end" if only_list else "ended"
    if not only_list:
        _end(remnants)
    lines = [f"{done} {remnant}" for remnant in remnants]
    lines += _networks(remnants, only_list=only_list)
    for path in files():
        if only_list or _removed(path):
            lines.append(f"{'would remove' if only_list else 'removed'} {path}")
    return lines


def _is_ours(uid: int) -> bool:
    """Whether it is this user's, or nobody's where root has servers run as nobody."""
    if sys.platform == "win32":
        return True
    return uid == os.getuid() or (os.getuid() == 0 and uid == NOBODY_UID)


# --- processes ------------------------------------------------------------------------------


def processes() -> list[Remnant]:
    """This user's processes, of this system's, whose harness is certainly dead."""
    return [remnant for pid in _numbers() if (remnant := _remnant(pid)) is not None]


def _numbers() -> Iterator[int]:
    ours = set(_ancestry())
    try:
        names = [path.name for path in PROC.iterdir()]
    except OSError:
        names = []
    yield from (int(name) for name in names if name.isdecimal() and int(name) not in ours)


def _ancestry() -> Iterator[int]:
    """This process and those above it: whoever asks is not to be ended."""
    pid = os.getpid()
    while pid > 0:
        yield pid
        try:
            text = (PROC / str(pid) / "stat").read_text(encoding="utf-8", errors="replace")
        except OSError:
            return
        pid = int(text.rpartition(")")[2].split()[1])


def _remnant(pid: int) -> Remnant | None:
    place = PROC / str(pid)
    try:
        if not _is_ours(place.stat().st_uid):
            return None
        start = started(pid)
        pairs = (place / "environ").read_bytes().split(b"\0")
        marks = [pair for pair in pairs if pair.startswith(MARK.encode() + b"=")]
        same = (place / "ns" / "pid").readlink() == (PROC / "self" / "ns" / "pid").readlink()
        network = str((place / "ns" / "net").readlink())
        command = (place / "cmdline").read_bytes().replace(b"\0", b" ").decode(errors="replace")
    except OSError:  # it is gone, or somebody else's
        return None
    mark = marks[-1].decode(errors="replace").partition("=")[2] if marks else ""
    if start is None or not same or not is_dead(mark):
        return None
    shown = command.strip()
    return Remnant(pid, start, shown[:COMMAND_LIMIT] or "without a name", network)


def _end(remnants: Iterable[Remnant]) -> None:
    """End them: they are asked first, so that they remove what is theirs, and then made to."""
    for number, limit_s in ((signal.SIGTERM, END_LIMIT_S), (_kill(), KILL_LIMIT_S)):
        living = [remnant for remnant in remnants if remnant.lives]
        for remnant in living:
            remnant.signal(number)
        give_up = time.monotonic() + limit_s
        while any(remnant.lives for remnant in living) and time.monotonic() < give_up:
            time.sleep(POLL_S)


def _kill() -> int:
    return getattr(signal, "SIGKILL", signal.SIGTERM)


def _networks(remnants: Iterable[Remnant], *, only_list: bool) -> Iterator[str]:
    """The network namespaces that go with these processes: no other process is in them."""
    held = {remnant.network: remnant for remnant in remnants}
    ending = {remnant.pid for remnant in remnants} if only_list else set()
    for path in PROC.iterdir() if held else ():
        if path.name.isdecimal() and int(path.name) not in ending:
            with suppress(OSError):
                held.pop(str((path / "ns" / "net").readlink()), None)
    for network in held:
        yield f"{'would drop' if only_list else 'dropped'} network namespace {network}"


# --- files ----------------------------------------------------------------------------------


def files() -> list[Path]:
    """Temporary files and folders of this user whose harness is certainly dead."""
    found = []
    for path in sorted(Path(tempfile.gettempdir()).iterdir()):
        with suppress(OSError):
            if is_dead(mark_in(path.name)) and _is_ours(path.lstat().st_uid):
                found.append(path)
    return found


def _removed(path: Path) -> bool:
    """Whether it could be removed."""
    with suppress(OSError):
        if path.is_dir() and not path.is_symlink():
            shutil.rmtree(path)
        else:
            path.unlink()
        return True
    return False
