"""Network namespaces without names, held as descriptors: the kernel drops them with this process.

A namespace belongs to a thread. A throw-away thread makes one and leaves its descriptor behind; a
thread that wants to do something inside goes there by setns(2) and comes back. A socket stays in
the namespace in which it was made, and so does a process that was started there. Everything needs
CAP_SYS_ADMIN over the namespaces, as root or in a user namespace (``entering``).
"""

from __future__ import annotations

import ctypes
import os
import socket
import struct
import sys
import threading
from collections.abc import Callable, Iterator, Sequence
from concurrent.futures import Future
from contextlib import ExitStack, contextmanager
from types import TracebackType
from typing import Self, TypeVar

from harness.errors import SetupError

T = TypeVar("T")

CLONE_NEWNET = 0x40000000
SIOCSIFFLAGS = 0x8914
IFF_UP = 0x1
OWN = "/proc/thread-self/ns/net"
MAKING_LIMIT_S = 30.0


class Namespaces:
    """Namespaces by name while the block runs: ``with Namespaces(["client-1"]) as spaces``."""

    def __init__(self, names: Sequence[str]) -> None:
        self._names = tuple(names)
        self._descriptors: dict[str, int] = {}
        self._undo = ExitStack()

    def __enter__(self) -> Self:
        """Make them all, or none: raises SetupError with the system's words."""
        with ExitStack() as undo:
            for name in self._names:
                descriptor = _made(name)
                undo.callback(os.close, descriptor)
                self._descriptors[name] = descriptor
            self._undo = undo.pop_all()
        return self

    def __exit__(
        self,
        kind: type[BaseException] | None,
        error: BaseException | None,
        trace: TracebackType | None,
    ) -> None:
        self._descriptors.clear()
        self._undo.close()

    @property
    def names(self) -> tuple[str, ...]:
        """Their names, in the order in which they were made."""
        return tuple(self._descriptors)

    def descriptor(self, name: str) -> int:
        """The open file that keeps a namespace. Raises KeyError for a name that isn't there."""
        return self._descriptors[name]

    @contextmanager
    def inside(self, name: str) -> Iterator[None]:
        """What the block opens or starts is in the namespace. It must never wait: never ``await``.

        Only the calling thread goes there. What is read below /proc/sys/net is the namespace's,
        too (proc(5)).
        """
        there = self._descriptors[name]
        back = os.open(OWN, os.O_RDONLY | os.O_CLOEXEC)
        try:
            _go(there, name)
            try:
                yield
            finally:
                _go(back, "where it came from")
        finally:
            os.close(back)

    def socket(self, name: str, family: int, kind: int, protocol: int = 0) -> socket.socket:
        """A new socket in a namespace. Raises OSError as ``socket.socket`` does."""
        with self.inside(name):
            return socket.socket(family, kind, protocol)


def unshare_network() -> None:
    """Move this thread into a new network namespace, with a loopback that is up.

    Raises OSError if it can't be made.
    """
    if _libc().unshare(CLONE_NEWNET) != 0:
        failure = ctypes.get_errno()
        raise OSError(failure, f"unshare(2): {os.strerror(failure)}")
    import fcntl  # noqa: PLC0415 - not on Windows

    with socket.socket(socket.AF_INET, socket.SOCK_DGRAM) as asking:
        fcntl.ioctl(asking, SIOCSIFFLAGS, struct.pack("16sH22x", b"lo", IFF_UP))


def _go(descriptor: int, name: str) -> None:
    if _libc().setns(descriptor, CLONE_NEWNET) != 0:
        words = os.strerror(ctypes.get_errno())
        raise SetupError(f"ip netns exec {name}: setns(2): {words}")


def _made(name: str) -> int:
    """The descriptor of a new namespace."""

    def make() -> int:
        unshare_network()
        return os.open(OWN, os.O_RDONLY | os.O_CLOEXEC)

    try:
        return in_a_thread(make)
    except OSError as error:
        raise SetupError(f"ip netns add {name}: {error.strerror}") from error


def in_a_thread(call: Callable[[], T]) -> T:
    """What a call returns, or raises, that is made in a thread of its own, which ends with it."""
    future: Future[T] = Future()

    def work() -> None:
        try:
            future.set_result(call())
        except BaseException as error:  # noqa: ASYNC103, BLE001 - raised where it is waited for
            future.set_exception(error)

    thread = threading.Thread(target=work, name="namespace", daemon=True)
    thread.start()
    try:
        return future.result(MAKING_LIMIT_S)
    finally:
        thread.join(MAKING_LIMIT_S)


def _libc() -> ctypes.CDLL:
    """The C library; Python has setns(2) and unshare(2) itself only from 3.12 on.

    Raises SetupError on anything but Linux.
    """
    if _LIBC is None:
        raise SetupError("network namespaces are of Linux: run there, or in a virtual machine")
    return _LIBC


_LIBC = ctypes.CDLL(None, use_errno=True) if sys.platform == "linux" else None
