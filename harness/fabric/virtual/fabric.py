"""The virtual fabric: everything a scenario needs on a simulated network in virtual time."""

from __future__ import annotations

import errno
import os
import socket as names
from collections.abc import AsyncIterator, Awaitable, Callable, Iterator, Mapping
from contextlib import AbstractContextManager, asynccontextmanager, contextmanager, nullcontext
from typing import TypeVar

import trio

from harness.errors import SetupError
from harness.fabric._base import (
    Capabilities,
    Guard,
    OnClosed,
    OnDialed,
    OnLost,
    dial_outcome,
)
from harness.fabric.virtual.network import Due, Network
from harness.fabric.virtual.readiness import Readiness
from harness.fabric.virtual.running import run_virtually
from harness.fabric.virtual.socket import Socket
from harness.fabric.virtual.trio_socket import VirtualResolver, VirtualSocketFactory
from harness.packet import Packet, PacketFilter
from harness.shape import UNTOUCHED_HOST, HostState, Shaping
from harness.timeline import Side

T = TypeVar("T")

BACKLOG = 1024
HOST = "127.0.0.1"
MSS_BYTES = 65_483
"""What a packet of Linux's loopback carries: its MTU of 65,536 without headers and options."""
ETHERNET_MSS_BYTES = 1_448
"""What a packet of an Ethernet carries, with timestamps (RFC 7323)."""
DIAL_S = 0.001
"""What a connect costs, as on loopback: who dials without a pause lets time pass, at least."""
ROAMING_HOSTS = 250
_NO_KERNEL = "the virtual fabric simulates a network, not this state of a kernel; say --on netns"


def _socket(network: Network, host: str) -> Socket:
    """A socket of the host's family."""
    return Socket(network, names.AF_INET6 if ":" in host else names.AF_INET)


class VirtualWire:
    """A simulated TCP socket as the proxy uses it."""

    __slots__ = (
        "_readiness",
        "_socket",
        "peer_port",
        "recv",
        "recv_into",
        "send",
        "wait_readable",
        "wait_writable",
    )

    def __init__(self, socket: Socket, peer_port: int) -> None:
        self._socket = socket
        self._readiness = Readiness(socket)
        self.peer_port = peer_port
        self.recv_into = socket.recv_into
        self.recv = socket.recv
        self.send = socket.send
        self.wait_readable = self._readiness.readable
        self.wait_writable = self._readiness.writable

    @property
    def local_port(self) -> int:
        """The port on our side; 0 once it is closed."""
        return 0 if self._socket.closed else self._socket.getsockname()[1]

    def interrupt(self) -> None:
        """Wake whoever waits on it, as closing does, but don't close."""
        self._readiness.interrupt()

    def shutdown_write(self) -> None:
        """Send FIN; a socket that is gone already has no FIN to send."""
        try:
            self._socket.shutdown(names.SHUT_WR)
        except OSError as error:
            if error.errno not in {errno.ENOTCONN, errno.EBADF, errno.ECONNRESET}:
                raise

    def unsent_bytes(self) -> int:
        """Bytes that have not left yet."""
        return 0 if self._socket.closed else self._socket.unsent_bytes

    def reset(self) -> None:
        """Send RST and close."""
        if not self._socket.closed:
            self._socket.abort()

    def close(self) -> None:
        """Close, waking whoever waits on it."""
        self._socket.close()


class VirtualPort:
    """A listening port of the network; what connects to it is on the proxy's client side."""

    def __init__(self, network: Network, host: str, port: int) -> None:
        self.host = host
        self._network = network
        self._bind(port)
        self.number = self._socket.getsockname()[1]
        self.listen()

    def accept(self) -> VirtualWire:
        """The next connection."""
        socket, address = self._socket.accept()
        return VirtualWire(socket, address[1])

    async def wait_acceptable(self) -> None:
        """Wait for a connection."""
        await self._readiness.readable()

    def refuse(self) -> None:
        """Stop listening but keep the port bound."""
        self.close()
        self._bind(self.number)

    def listen(self) -> None:
        """Listen (again)."""
        self._network.expose((self.host, self.number), Side.CLIENT)
        self._socket.listen(BACKLOG)

    def crowd(self) -> None:
        """Raises SetupError: the simulated queue has no such state."""
        raise SetupError(_NO_KERNEL)

    def turned_away(self) -> int:
        """Nobody: the queue is never made full."""
        return 0

    def close(self) -> None:
        """Give the port back."""
        self._socket.close()

    def _bind(self, port: int) -> None:
        self._socket = _socket(self._network, self.host)
        self._readiness = Readiness(self._socket)
        self._socket.setsockopt(names.SOL_SOCKET, names.SO_REUSEADDR, 1)
        try:
            self._socket.bind((self.host, port))
        except OSError as error:
            self._socket.close()
            raise SetupError(
                f"can't listen on {self.host} port {port} of the virtual network: {error.strerror}"
            ) from error


class VirtualFabric:
    """A network of its own, in virtual time.

    ``seed`` chooses the order of tasks; ``delay`` says how late each packet is, in seconds;
    packets carry ``mss_bytes`` at most.
    """

    name = "virtual"
    capabilities = Capabilities(packets=True, real_time=False, processes=False)

    def __init__(
        self,
        *,
        seed: int = 0,
        delay: Callable[[Packet], float] | None = None,
        mss_bytes: int = MSS_BYTES,
    ) -> None:
        self.network = Network(mss_bytes=mss_bytes)
        self.network.delay = delay
        self.network.dial_s = DIAL_S
        self._seed = seed
        self._moves = 0

    def run(self, main: Callable[[], Awaitable[T]], guard: Guard) -> T:
        """What ``main`` returns, run by trio in virtual time."""
        return run_virtually(main, self.network, seed=self._seed, guard=guard)

    @asynccontextmanager
    async def running(self) -> AsyncIterator[None]:
        """Sockets and names of trio are the network's."""
        factory = trio.socket.set_custom_socket_factory(VirtualSocketFactory(self.network))
        resolver = trio.socket.set_custom_hostname_resolver(VirtualResolver())
        try:
            yield
        finally:
            trio.socket.set_custom_socket_factory(factory)
            trio.socket.set_custom_hostname_resolver(resolver)
            self.network.filter = None

    def listen(self, host: str, port: int) -> VirtualPort:
        """A listening port."""
        return VirtualPort(self.network, host, port)

    async def dial(self, host: str, port: int, limit_s: float) -> VirtualWire:
        """A connection to a literal address."""
        socket = _socket(self.network, host)
        readiness = Readiness(socket)
        failure = errno.ETIMEDOUT
        try:
            socket.bind(("::1" if ":" in host else HOST, 0))  # the proxy itself never roams
            try:
                socket.connect((host, port))
                failure = 0
            except BlockingIOError:
                with trio.move_on_after(limit_s):
                    await readiness.writable()
                    failure = int(socket.getsockopt(names.SOL_SOCKET, names.SO_ERROR))
            if not failure:
                return VirtualWire(socket, port)
        except BaseException:
            socket.close()
            raise
        socket.close()
        raise OSError(failure, f"can't reach {host} port {port}: {os.strerror(failure)}")

    def address_of(self, host: str) -> str:  # noqa: ARG002 - all but roaming clients are one
        """The one address there is."""
        return HOST

    def at(self, host: str) -> AbstractContextManager[None]:  # noqa: ARG002 - likewise
        """Nothing to do: every socket is on this machine."""
        return nullcontext()

    def inside(self, host: str) -> AbstractContextManager[None]:  # noqa: ARG002 - likewise
        """Nothing to do, likewise."""
        return nullcontext()

    def call_at(self, when: float, call: Callable[[], None]) -> Due:
        """An alarm, exact to the instant."""
        return self.network.call_at(when, call)

    def filter_packets(self, ask: PacketFilter | None) -> None:
        """Ask this for the fate of every packet from now on."""
        self.network.filter = ask

    def change_address(self) -> None:
        """The client's host has a new address: what dials from now on comes from there."""
        self._moves += 1
        self.network.source_host = f"127.0.1.{self._moves % ROAMING_HOSTS + 1}"

    def restore_address(self) -> None:
        """Nothing to do: who sent from a former address only met with a packet fault."""

    def shape(self, shapings: tuple[Shaping, ...]) -> None:
        """Only none: packets are asked for one by one. Raises SetupError for any."""
        if shapings:
            raise SetupError(_NO_KERNEL)

    def shaped(self) -> Mapping[int, int]:
        """None: nothing but packet faults strikes packets."""
        return {}

    def hold_host(self, state: HostState) -> None:
        """Only as it is. Raises SetupError for anything else."""
        if state != UNTOUCHED_HOST:
            raise SetupError(_NO_KERNEL)

    def unrouted(self) -> int:
        """None: packet faults see them all."""
        return 0

    def destroy(self, port: int) -> bool:  # noqa: ARG002 - the contract's argument
        """Raises SetupError: simulated sockets have no such end."""
        raise SetupError(_NO_KERNEL)

    def open_descriptors(self) -> int:
        """None: there are no descriptors, and the client's sockets are watched."""
        return 0

    @contextmanager
    def watch_clients(
        self, on_dialed: OnDialed, on_closed: OnClosed, on_lost: OnLost
    ) -> Iterator[None]:
        """Be told of every socket that dials the proxy while the block runs."""
        watcher = _Watcher(on_dialed, on_closed, on_lost)
        self.network.watcher = watcher
        try:
            yield
        finally:
            self.network.watcher = None


class _Watcher:
    """Turns what the network tells into what the runner writes down."""

    def __init__(self, on_dialed: OnDialed, on_closed: OnClosed, on_lost: OnLost) -> None:
        self._on_dialed = on_dialed
        self.closed = on_closed
        self.lost = on_lost

    def dialed(self, port: int, failure: int, began: float) -> None:
        """An attempt to connect is over."""
        self._on_dialed(0 if failure else port, dial_outcome(failure), began)
