"""asyncio's own event loop in virtual time, one iteration at a time.

Transports, ``SSLProtocol``, happy eyeballs, servers: all of it is asyncio's. Only what touches the
operating system is exchanged: the selector, the clock, the self-pipe, name resolution, threads,
and what ``socket.socket(...)`` makes while an iteration runs. The last is how asyncio and
libraries that dial themselves (aiohttp's happy eyeballs) come to simulated sockets without
knowing; code outside an iteration, and every other thread, gets the real class.

One iteration is the documented idiom of ``stop()`` then ``run_forever()``: poll once, run what is
ready, return. ``stop`` is called from within the poll, so that the poll is told how long it may
wait; that is how one learns, without a private name, whether there is anything to do.
"""

from __future__ import annotations

import asyncio
import errno
import ipaddress
import os
import socket
from asyncio.selector_events import BaseSelectorEventLoop
from collections.abc import Iterator
from contextlib import contextmanager
from typing import Any

from harness.errors import SetupError
from harness.fabric.virtual.aio_selector import ReadySelector
from harness.fabric.virtual.aio_socket import LOCAL_NAMES, REAL, AioSocket
from harness.fabric.virtual.network import Network

try:
    import sniffio
except ImportError:  # pragma: no cover - a trio that no longer needs it
    sniffio = None  # type: ignore[assignment]

_PRIVATE = ("_make_self_pipe", "_close_self_pipe", "_write_to_self", "_transports")
"""What is used of asyncio that has no public name; checked when a loop is made."""
NO_THREADS = (
    "the virtual network has no threads: real work would take no virtual time, and its end "
    "would come at another instant in every run"
)


class VirtualLoop(BaseSelectorEventLoop):
    """An event loop whose time and sockets are those of a virtual network.

    ``steps`` counts its iterations that had something to do. Raises SetupError if this Python's
    asyncio isn't the one this was made for.
    """

    def __init__(self, network: Network) -> None:
        self._network = network
        self._ready_sockets = ReadySelector()
        self.steps = 0
        super().__init__(self._ready_sockets)
        missing = [name for name in _PRIVATE if not hasattr(self, name)]
        if missing:
            self.close()
            raise SetupError(
                f"asyncio of this Python has no {', '.join(missing)}: asyncio clients can't run on "
                "the virtual fabric; use a release of Python it was tested with"
            )
        self._ready_sockets.on_select = self.stop

    def on_wake(self, wake: Any) -> None:
        """Call this whenever a socket may have become ready."""
        self._ready_sockets.on_wake = wake

    def step(self) -> float | None:
        """Run one iteration; None if there may be more to do, else how long there is nothing.

        The rest is in seconds, infinite if no timer is due ever. What a callback raises and
        asyncio doesn't keep (SystemExit, KeyboardInterrupt) is raised.
        """
        selector = self._ready_sockets
        try:
            with _asyncio_world():
                self.run_forever()
        finally:
            if not selector.idle:
                self.steps += 1
        if not selector.idle:
            return None
        return float("inf") if selector.rest_s is None else selector.rest_s

    def make_socket(self, family: int, kind: int) -> AioSocket:
        """What ``socket.socket(...)`` makes in an iteration; OSError if that can't be simulated."""
        if family not in {socket.AF_INET, socket.AF_INET6, -1}:
            raise _os_error(errno.EAFNOSUPPORT)
        if kind not in {socket.SOCK_STREAM, -1}:
            raise _os_error(errno.EPROTONOSUPPORT)
        chosen = socket.AF_INET if family == -1 else family
        return AioSocket(self._network, self._ready_sockets, chosen)

    def transports(self) -> list[asyncio.BaseTransport]:
        """Transports that are still open, by the order in which their ports were given out."""
        return list(vars(self)["_transports"].values())

    # --- what asyncio asks of the operating system ------------------------------------------------

    def time(self) -> float:
        """The network's instant, in seconds."""
        return self._network.now

    async def getaddrinfo(
        self,
        host: bytes | str | None,
        port: bytes | str | int | None,
        *,
        family: int = 0,
        type: int = 0,  # noqa: A002 - asyncio's name
        proto: int = 0,
        flags: int = 0,
    ) -> list[Any]:
        """Addresses of a literal or of localhost; gaierror for any other name."""
        del proto, flags
        return resolved(host, port, family, type)

    async def getnameinfo(self, sockaddr: Any, flags: int = 0) -> tuple[str, str]:
        """An address as text: nothing has a name here."""
        del flags
        return str(sockaddr[0]), str(sockaddr[1])

    def run_in_executor(  # type: ignore[override]  # nothing is run, whatever it is
        self, executor: Any, func: Any, *args: Any
    ) -> asyncio.Future[Any]:
        """Refused."""
        del executor, func, args
        raise RuntimeError(NO_THREADS)

    def _make_self_pipe(self) -> None:
        """Nobody calls from a thread or a signal, and no poll has to be interrupted."""

    def _close_self_pipe(self) -> None:
        """See above."""

    def _write_to_self(self) -> None:
        """How ``call_soon_threadsafe`` wakes the loop."""
        self._ready_sockets.on_wake()


def resolved(host: bytes | str | None, port: Any, family: int = 0, kind: int = 0) -> list[Any]:
    """What ``getaddrinfo`` says of a literal address or of localhost; gaierror otherwise."""
    name = host.decode() if isinstance(host, bytes) else host
    if name in {None, "", *LOCAL_NAMES}:
        wanted = socket.AF_INET if family == 0 else family
        empty = ("::1", "127.0.0.1") if name else ("::", "0.0.0.0")  # noqa: S104 - no real host
        name = empty[0] if wanted == socket.AF_INET6 else empty[1]
    try:
        address = ipaddress.ip_address(name or "")
    except ValueError:
        raise socket.gaierror(
            socket.EAI_NONAME, f"no host is called {name!r} on the virtual network"
        ) from None
    found = socket.AF_INET6 if address.version == 6 else socket.AF_INET
    if family not in {0, found}:
        raise socket.gaierror(socket.EAI_NONAME, f"{name} is no address of that family")
    if kind not in {0, socket.SOCK_STREAM}:
        raise socket.gaierror(socket.EAI_NONAME, "the virtual network has TCP alone")
    number = int(port or 0)
    full: tuple[Any, ...] = (str(address), number)
    if found == socket.AF_INET6:
        full = (*full, 0, 0)
    return [(found, socket.SOCK_STREAM, socket.IPPROTO_TCP, "", full)]


class _Choosing(type):
    """Lets the stand-in pass for the real class in every question."""

    def __call__(cls, *args: Any, **kwargs: Any) -> Any:
        if cls is not _StandIn:
            return super().__call__(*args, **kwargs)
        return _make(*args, **kwargs)

    def __instancecheck__(cls, instance: object) -> bool:
        return (
            isinstance(instance, REAL) if cls is _StandIn else super().__instancecheck__(instance)
        )

    def __subclasscheck__(cls, subclass: type) -> bool:
        return (
            issubclass(subclass, REAL) if cls is _StandIn else super().__subclasscheck__(subclass)
        )


class _StandIn(REAL, metaclass=_Choosing):
    """Stands at ``socket.socket`` while an iteration runs."""


def _make(family: int = -1, type: int = -1, proto: int = -1, fileno: int | None = None) -> Any:  # noqa: A002
    """A simulated socket for code of a virtual loop, a real one for everybody else."""
    try:
        loop = asyncio.get_running_loop()
    except RuntimeError:
        loop = None
    if isinstance(loop, VirtualLoop) and fileno is None:
        return loop.make_socket(family, type)
    return REAL(family, type, proto, fileno)


@contextmanager
def _asyncio_world() -> Iterator[None]:
    """The block runs as asyncio code: what asks which library is running hears asyncio."""
    before = socket.socket
    socket.socket = _StandIn  # type: ignore[misc]
    if sniffio is not None:
        library, sniffio.thread_local.name = sniffio.thread_local.name, "asyncio"
    try:
        yield
    finally:
        socket.socket = before  # type: ignore[misc]
        if sniffio is not None:
            sniffio.thread_local.name = library


def _os_error(number: int) -> OSError:
    return OSError(number, os.strerror(number))
