"""Becoming able to make network namespaces: as root at once, else in a user namespace of our own.

In a user namespace a process has every capability, over what belongs to that namespace alone
(user_namespaces(7)): it can make networks there and do as it likes with them, and the host's own
it can't touch. Users and groups stay who they are. There is no way back out.

Nor is there one into the host's network for a thread that has left it: setns(2) asks for
capabilities over the network's owner. A thread that goes into namespaces and comes back needs a
*home* of the same owner. So the process moves into a network namespace of its own, where nothing is
but a loopback, and one thread stays behind in the host's network: ``outside`` has it make what
belongs there, such as a socket to a server of the user's. Sockets stay where they were made.
"""

from __future__ import annotations

import ctypes
import os
import sys
import threading
import time
from collections.abc import Callable
from concurrent.futures import Future
from dataclasses import dataclass, field
from pathlib import Path
from queue import SimpleQueue
from typing import Any, TypeVar

from harness.errors import SetupError
from harness.fabric.netns.namespaces import unshare_network

T = TypeVar("T")

CLONE_NEWUSER = 0x10000000
CAP_NET_ADMIN, CAP_SYS_ADMIN = 12, 21
WANTED = 1 << CAP_SYS_ADMIN | 1 << CAP_NET_ADMIN
NS_GET_USERNS = 0xB701
OUTSIDE_LIMIT_S = 30.0
ALONE_LIMIT_S = 1.0
"""How long threads that have ended may take to be gone."""
POLL_S = 0.002
_PROC = Path("/proc/self")
_INITIAL_MAP = ["0", "0", "4294967295"]


def can_make() -> bool:
    """Whether this process may make network namespaces as it is, and come back from them."""
    return _capable() and _owns_its_network()


def in_user_namespace() -> bool:
    """Whether this process is in a user namespace other than the system's first."""
    try:
        return (_PROC / "uid_map").read_text(encoding="ascii").split() != _INITIAL_MAP
    except OSError:
        return False


def enter_user_namespace() -> None:
    """Enter a user namespace in which this process is who it was, and may make networks.

    Raises SetupError if it can't, or if more than one thread runs: unshare(2) refuses then.
    """
    if sys.platform != "linux":
        raise SetupError("user namespaces are of Linux: run there, or in a virtual machine")
    _be_alone()
    uid, gid = os.geteuid(), os.getegid()
    libc = ctypes.CDLL(None, use_errno=True)
    if libc.unshare(CLONE_NEWUSER) != 0:
        raise SetupError(f"unshare --user: {os.strerror(ctypes.get_errno())}")
    try:
        (_PROC / "setgroups").write_text("deny", encoding="ascii")
        (_PROC / "uid_map").write_text(f"{uid} {uid} 1", encoding="ascii")
        (_PROC / "gid_map").write_text(f"{gid} {gid} 1", encoding="ascii")
    except OSError as error:
        raise SetupError(f"unshare --user: {error.filename}: {error.strerror}") from error
    if not _capable():
        raise SetupError("unshare --user: the user namespace gives no capabilities")
    _stay_behind()
    try:
        unshare_network()
    except OSError as error:
        raise SetupError(f"unshare --user --net: {error.strerror}") from error


def outside(call: Callable[[], T]) -> T:
    """What a call returns or raises that is made in the host's own network, and must not wait.

    It is made in another thread if this process has moved into a user namespace.
    """
    if _behind is None:
        return call()
    if _behind.pid != os.getpid():
        raise SetupError("the host's network is reached from the process alone that left it")
    future: Future[T] = Future()
    _behind.calls.put((call, future))
    return future.result(OUTSIDE_LIMIT_S)


@dataclass(frozen=True, slots=True)
class _Behind:
    """Calls for the thread that stayed in the host's network."""

    pid: int
    calls: SimpleQueue[tuple[Callable[[], Any], Future[Any]]] = field(default_factory=SimpleQueue)

    def work(self) -> None:
        while True:
            call, future = self.calls.get()
            try:
                future.set_result(call())
            except BaseException as error:  # noqa: ASYNC103, BLE001 - raised where it is waited for
                future.set_exception(error)
            del call, future  # what came of it is no longer ours to keep open


_behind: _Behind | None = None


def _stay_behind() -> None:
    global _behind  # noqa: PLW0603 - a process leaves the host's network once
    if _behind is None:
        _behind = _Behind(os.getpid())
        threading.Thread(target=_behind.work, name="outside", daemon=True).start()


def _be_alone() -> None:
    """Wait for threads that have ended; raises SetupError if others live."""
    give_up = time.monotonic() + ALONE_LIMIT_S
    while (threads := len(list((_PROC / "task").iterdir()))) > 1:
        if threading.active_count() > 1 or time.monotonic() > give_up:
            raise SetupError(
                f"unshare --user: {threads} threads run; a process can enter a user namespace "
                "only while it has but one"
            )
        time.sleep(POLL_S)


def _capable() -> bool:
    try:
        status = (_PROC / "status").read_text(encoding="utf-8", errors="replace")
    except OSError:
        return False
    sets = dict(line.split(":", 1) for line in status.splitlines() if ":" in line)
    return int(sets.get("CapEff", "0").strip(), 16) & WANTED == WANTED


def _owns_its_network() -> bool:
    """Whether this network belongs to our user namespace or one below it: ioctl_ns(2)."""
    import fcntl  # noqa: PLC0415 - not on Windows

    try:
        network = os.open(_PROC / "ns" / "net", os.O_RDONLY | os.O_CLOEXEC)
    except OSError:
        return False
    try:
        os.close(fcntl.ioctl(network, NS_GET_USERNS))
    except OSError:
        return False
    finally:
        os.close(network)
    return True
