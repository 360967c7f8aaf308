"""What a fabric is: what lies beneath trio while a scenario runs, and what it can do.

Proxy, origin, pool and runner use trio's own API and ``trio.current_time()``. For the hot path of
the proxy, which can't afford a checkpoint at every read, a fabric also hands out *wires*: TCP
sockets with non-blocking calls. Precise alarms come from it, too, because trio's own timers are
only as fine as epoll's milliseconds.
"""

from __future__ import annotations

import errno
from collections.abc import Awaitable, Callable, Mapping
from contextlib import AbstractAsyncContextManager, AbstractContextManager
from dataclasses import dataclass
from typing import Protocol, TypeAlias, TypeVar

from harness.packet import PacketFilter
from harness.shape import HostState, Means, Shaping
from harness.timeline import Side

T = TypeVar("T")

OnDialed: TypeAlias = Callable[[int, str, float], None]
"""Told after each attempt: the local port, the outcome, and when it began (trio's clock)."""
OnClosed: TypeAlias = Callable[[int], None]
"""Told when a socket that was connected is closed: its local port."""
OnLost: TypeAlias = Callable[[int], None]
"""Told when such a socket is not closed by anybody but the garbage collector: its local port."""

_OUTCOMES = {
    0: "ok",
    errno.ECONNREFUSED: "refused",
    errno.ECONNRESET: "reset",
    errno.ETIMEDOUT: "timeout",
    errno.EHOSTUNREACH: "unreachable",
    errno.ENETUNREACH: "unreachable",
    errno.EADDRNOTAVAIL: "no_port",
    errno.ECANCELED: "cancelled",
}


def dial_outcome(failure: int) -> str:
    """How an attempt to connect ended, in a word, by its errno (0: well)."""
    return _OUTCOMES.get(failure, "other")


@dataclass(frozen=True, slots=True)
class Capabilities:
    """What a fabric can do; a scenario that needs more is refused with the name of one that can.

    ``means`` are what it has to perform faults with, besides the proxy; ``unlinked`` are the sides
    of the proxy on which packets pass no link.
    """

    packets: bool = False
    real_time: bool = True
    processes: bool = True
    means: frozenset[Means] = frozenset()
    unlinked: frozenset[Side] = frozenset()


class Wire(Protocol):
    """One TCP socket, non-blocking. Its calls raise what a socket raises: ``OSError``."""

    peer_port: int

    @property
    def local_port(self) -> int:
        """The port on our side."""

    def recv_into(self, buffer: memoryview) -> int:
        """How many bytes were read; 0 is FIN; BlockingIOError if nothing is there."""

    def recv(self, limit_bytes: int) -> bytes:
        """Bytes that were read; empty is FIN; BlockingIOError if nothing is there."""

    def send(self, data: memoryview | bytes) -> int:
        """How many bytes the kernel took; BlockingIOError if none."""

    async def wait_readable(self) -> None:
        """Wait for bytes, an end or an error; ClosedResourceError if closed meanwhile."""

    async def wait_writable(self) -> None:
        """Wait until bytes can be sent; ClosedResourceError if closed meanwhile."""

    def interrupt(self) -> None:
        """Let who waits on it have ClosedResourceError, and stay open."""

    def shutdown_write(self) -> None:
        """Send FIN; reading goes on."""

    def unsent_bytes(self) -> int:
        """Bytes that the kernel has not sent yet; 0 where it can't tell."""

    def reset(self) -> None:
        """Send RST and close."""

    def close(self) -> None:
        """Close; that sends FIN unless bytes are unread, then RST. Harmless if closed already."""


class Port(Protocol):
    """A listening port."""

    host: str
    number: int

    def accept(self) -> Wire:
        """The next connection; BlockingIOError if none waits."""

    async def wait_acceptable(self) -> None:
        """Wait for a connection; ClosedResourceError if the port stops listening meanwhile."""

    def refuse(self) -> None:
        """Stop listening but keep the port: connects are refused."""

    def listen(self) -> None:
        """Listen (again), with room for whoever comes."""

    def crowd(self) -> None:
        """Let the queue of those who wait to be accepted be full: nobody more gets in.

        Raises SetupError if the fabric has no such queue.
        """

    def turned_away(self) -> int:
        """How many packets of connects were dropped so far because that queue was full."""

    def close(self) -> None:
        """Give the port back."""


class Alarm(Protocol):
    """A call that is due; it can be taken back."""

    def cancel(self) -> None:
        """Don't make the call. Harmless afterwards."""


class Guard(Protocol):
    """Who watches over a run from outside."""

    def stuck(self, why: str) -> None:
        """The run can't come to an end by itself: cancel it."""

    def turned(self) -> None:
        """The event loop lives; told often, and only by fabrics whose time isn't real."""


class Fabric(Protocol):
    """Where a scenario runs."""

    name: str
    capabilities: Capabilities

    def run(self, main: Callable[[], Awaitable[T]], guard: Guard) -> T:
        """What ``main`` returns, run by trio on this fabric's clock."""

    def running(self) -> AbstractAsyncContextManager[None]:
        """Holds what the fabric needs while it is used: timers, a socket factory."""

    def listen(self, host: str, port: int) -> Port:
        """A port that listens (0: any free one); raises SetupError if it is taken."""

    async def dial(self, host: str, port: int, limit_s: float) -> Wire:
        """A connection to a literal address; raises OSError if it can't be had within the limit."""

    def address_of(self, host: str) -> str:
        """The literal address of a host: ``proxy``, ``client-1``, ``backend-blue``."""

    def at(self, host: str) -> AbstractContextManager[None]:
        """What the block opens through trio's API, or tasks begun there do, is on this host."""

    def inside(self, host: str) -> AbstractContextManager[None]:
        """What the block starts, without ever waiting, is on this host: processes too."""

    def call_at(self, when: float, call: Callable[[], None]) -> Alarm:
        """Make a call at an instant of trio's clock, as precisely as the fabric can."""

    def watch_clients(
        self, on_dialed: OnDialed, on_closed: OnClosed, on_lost: OnLost
    ) -> AbstractContextManager[None]:
        """Tells of every socket a client connects, while the block runs."""

    def open_descriptors(self) -> int:
        """How many files or sockets are open; 0 where the system doesn't list them."""

    def filter_packets(self, ask: PacketFilter | None) -> None:
        """Ask this for the fate of every packet from now on; raises SetupError if it has none."""

    def change_address(self) -> None:
        """Give the client's host another address; raises SetupError if it has no packets."""

    def restore_address(self) -> None:
        """Give the client's host its former addresses back, beside the present one."""

    def shape(self, shapings: tuple[Shaping, ...]) -> None:
        """Let links do this from now on, and nothing else; raises SetupError if they can't."""

    def shaped(self) -> Mapping[int, int]:
        """How many packets each shaping has struck so far, by the index of its fault."""

    def hold_host(self, state: HostState) -> None:
        """Hold the client's host so from now on; raises SetupError if it can't."""

    def unrouted(self) -> int:
        """How many packets the client's host could not send so far, for want of a way."""

    def destroy(self, port: int) -> bool:
        """Destroy the client's socket that dialed from this port; False if there is none."""
