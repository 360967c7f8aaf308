"""The netns fabric: clients, routers, proxy and backends in network namespaces of their own."""

from __future__ import annotations

import socket
from collections.abc import AsyncIterator, Mapping, Sequence
from contextlib import AbstractContextManager, AsyncExitStack, asynccontextmanager
from pathlib import Path

import trio

from harness.errors import SetupError
from harness.fabric._base import Capabilities, OnClosed, OnDialed, OnLost
from harness.fabric.loopback import LoopbackFabric, SocketWire, connected, family_of
from harness.fabric.netns import plan
from harness.fabric.netns.access import Access
from harness.fabric.netns.capture import capturing
from harness.fabric.netns.counters import SNMP, counted
from harness.fabric.netns.diag import destroy
from harness.fabric.netns.layout import PROXY, layout
from harness.fabric.netns.links import wait_carrying
from harness.fabric.netns.namespaces import Namespaces
from harness.fabric.netns.netlink import Netlink
from harness.fabric.netns.operations import Operation
from harness.fabric.netns.router import PacketRouter
from harness.fabric.netns.shaping import Shaper
from harness.fabric.netns.sockets import HostPort, HostSockets, OutsideNames, on_host
from harness.fabric.witness import watch_clients
from harness.packet import PacketFilter
from harness.scenario.model import Topology
from harness.shape import UNTOUCHED_HOST, HostState, Means, Shaping
from harness.timeline import Side

_TCP = Path("/proc/thread-self/net/tcp")
_INODE = 9
NO_TUN = (
    "faults on single packets need a TUN device, and /dev/net/tun can't be used here; "
    "`harness doctor` says what to do"
)


def means_of(access: Access) -> frozenset[Means]:
    """What performs faults here, besides the proxy."""
    means: set[Means] = {"host", "port"}
    if access.tun:
        means.add("router")
    if access.netem:
        means.add("netem")
    if access.tbf:
        means.add("tbf")
    if access.htb:
        means.add("htb")
    return frozenset(means)


class NetnsFabric(LoopbackFabric):
    """Hosts with a kernel's network each, in real time.

    With ``reaches_out`` the proxy dials a server of the user's in the machine's own network.
    Packets are captured into files in the folder ``capture`` if there is one.
    Raises SetupError when it runs, if this machine lets us make no namespaces.
    """

    name = "netns"

    def __init__(
        self,
        topology: Topology,
        backends: Sequence[str],
        access: Access,
        *,
        reaches_out: bool = False,
        capture: Path | None = None,
    ) -> None:
        super().__init__()
        self._reaches_out = reaches_out
        self._capture = capture
        self.layout = layout(topology, backends)
        self.capabilities = Capabilities(
            packets=True,
            means=means_of(access),
            unlinked=frozenset({Side.CLIENT} if self.layout.is_sidecar else ()),
        )
        self._operations = plan.plan(topology, backends)
        self._access = access
        self._clients = tuple(host for host, _, _ in self.layout.client_ports)
        self._servers = tuple(map("backend-{}".format, backends))
        self._spaces: Namespaces | None = None
        self._netlink: Netlink | None = None
        self._router: PacketRouter | None = None
        self._shaper: Shaper | None = None
        self._diverts = False
        self._moves = 0
        self._has_former = False
        self._held = UNTOUCHED_HOST

    @property
    def spaces(self) -> Namespaces:
        """The namespaces by the names of hosts and routers; only while ``running``."""
        assert self._spaces is not None, "the fabric is not running"
        return self._spaces

    @asynccontextmanager
    async def running(self) -> AsyncIterator[None]:
        """Namespaces and wires, timers, the packet router."""
        if not self._access.way:
            raise SetupError(f"{self._access.reason}; {self._access.advice}")
        async with AsyncExitStack() as stack:
            places = (*self.layout.hosts, *self.layout.routers)
            self._spaces = stack.enter_context(Namespaces(places))
            self._netlink = Netlink(self._spaces)
            self._netlink.perform(self._operations)
            await wait_carrying(self._spaces, self.layout)
            if self._capture is not None:
                await stack.enter_async_context(capturing(self._spaces, self.layout, self._capture))
            await stack.enter_async_context(super().running())
            if self._access.tun:
                self._router = PacketRouter(self._spaces, self.layout, self.call_at)
                await stack.enter_async_context(self._router.running())
            self._shaper = Shaper(self._spaces, self.layout)
            self._sockets = HostSockets(self._spaces, reaches_out=self._reaches_out)
            stack.callback(
                trio.socket.set_custom_socket_factory,
                trio.socket.set_custom_socket_factory(self._sockets),
            )
            if self._reaches_out:
                names = trio.socket.set_custom_hostname_resolver(OutsideNames())
                stack.callback(trio.socket.set_custom_hostname_resolver, names)
            yield

    # --- hosts ------------------------------------------------------------------------------

    def address_of(self, host: str) -> str:
        """The literal address of a host; of one that is not in the layout, this machine's."""
        known = host == PROXY or host in self.layout.hosts
        return self.layout.address_of(host) if known else super().address_of(host)

    def at(self, host: str) -> AbstractContextManager[None]:
        """What the block opens through trio's API is on this host."""
        return on_host(host)

    def inside(self, host: str) -> AbstractContextManager[None]:
        """What the block starts is on this host."""
        return self.spaces.inside(host)

    def listen(self, host: str, port: int) -> HostPort:
        """A listening port of the proxy's host."""
        return HostPort(self.spaces, self.layout.proxy_host, host, port)

    async def dial(self, host: str, port: int, limit_s: float) -> SocketWire:
        """A connection from the proxy's host, or from this machine to a server outside."""
        if self.layout.host_at(host) is None:
            sock = self._sockets.plain(family_of(host), socket.SOCK_STREAM, 0)
            return await connected(sock, host, port, limit_s)
        sock = self.spaces.socket(self.layout.proxy_host, family_of(host), socket.SOCK_STREAM, 0)
        try:
            sock.bind((self.layout.dial_from, 0))
        except BaseException:
            sock.close()
            raise
        return await connected(sock, host, port, limit_s)

    def watch_clients(
        self, on_dialed: OnDialed, on_closed: OnClosed, on_lost: OnLost
    ) -> AbstractContextManager[None]:
        """Tells of every socket made through trio's API, on whatever host."""
        return watch_clients(on_dialed, on_closed, on_lost, self._sockets.plain)

    # --- packets ----------------------------------------------------------------------------

    def filter_packets(self, ask: PacketFilter | None) -> None:
        """Ask this for the fate of every packet that a host sends from now on."""
        if self._router is None:
            if ask is not None:
                raise SetupError(NO_TUN)
            return
        self._router.filter = ask
        diverts = ask is not None
        if diverts != self._diverts:
            self._diverts = diverts
            self._perform((plan.divert if diverts else plan.undivert)(self.layout))

    def shape(self, shapings: tuple[Shaping, ...]) -> None:
        """Let links do this from now on, and nothing else."""
        assert self._shaper is not None, "the fabric is not running"
        self._shaper.shape(shapings)

    def shaped(self) -> Mapping[int, int]:
        """How many packets each shaping has struck so far."""
        return {} if self._shaper is None else self._shaper.shaped()

    # --- the client's host ------------------------------------------------------------------

    def change_address(self) -> None:
        """Every client's host has another address, and the one before no more."""
        for host in self._clients:
            if self._has_former:
                self._perform(plan.forget(self.layout, host, self._moves))
            self._perform(plan.roam(self.layout, host, self._moves + 1))
        self._moves, self._has_former = self._moves + 1, False

    def restore_address(self) -> None:
        """Every client's host has its former addresses, too; it dials from the latest."""
        for host in self._clients:
            self._perform(plan.recall(self.layout, host, self._moves))
        self._has_former = True

    def hold_host(self, state: HostState) -> None:
        """Hold the clients' hosts so from now on."""
        before, self._held = self._held, state
        for host in self._clients:
            if state.ports != before.ports:
                self._perform(plan.ports(self.layout, host, state.ports))
            if state.link_up != before.link_up:
                self._perform(plan.link(self.layout, host, up=state.link_up))

    def unrouted(self) -> int:
        """Packets that clients' hosts had no way for: OutNoRoutes of RFC 4293, counted by IP."""
        return sum(map(self._unrouted_on, self._clients))

    def destroy(self, port: int) -> bool:
        """Destroy the client's socket that dialed from this port."""
        for host, first, last in self.layout.client_ports:
            if first <= port <= last:
                return destroy(self.spaces, host, port)
        return False

    def open_descriptors(self) -> int:
        """Open descriptors of this process, without the servers' sockets.

        A server is never told of the end of a connection whose packets are taken away.
        """
        every = super().open_descriptors()
        return max(0, every - sum(map(self._sockets_on, self._servers))) if every else 0

    def _sockets_on(self, host: str) -> int:
        """TCP sockets of a host that somebody holds: others have no inode (proc_net_tcp)."""
        with self.spaces.inside(host):
            rows = _TCP.read_text(encoding="ascii").splitlines()[1:]
        return sum(row.split()[_INODE] != "0" for row in rows)

    def _unrouted_on(self, host: str) -> int:
        with self.spaces.inside(host):
            return counted(SNMP)["Ip OutNoRoutes"]

    def _perform(self, operations: Sequence[Operation]) -> None:
        assert self._netlink is not None, "the fabric is not running"
        self._netlink.perform(operations)
