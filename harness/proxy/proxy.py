"""The man in the middle: accepts, dials, relays, and lets faults strike.

One task accepts and never waits for anything else; each connection has a task that asks the
injector what becomes of it, shakes hands if TLS is terminated, dials, and relays; one task, the
conductor, opens and shuts the port and changes backends when their time comes.
"""

from __future__ import annotations

import errno
from collections.abc import AsyncIterator, Callable
from contextlib import asynccontextmanager
from typing import Literal

import trio

from harness.connection import Armed, Connection, Ending, Fired
from harness.fabric import Fabric, Port, Wire, open_tasks
from harness.faults import BackendChange, FaultSpec, LiveConnections, PacketFault, SocketFault
from harness.history import (
    AcceptFailed,
    BackendRestored,
    BackendRetired,
    ConnectionClosed,
    ConnectionOpened,
    Event,
)
from harness.proxy.authority import Authority
from harness.proxy.backends import Backends
from harness.proxy.buffers import Buffers
from harness.proxy.charge import Charge
from harness.proxy.client_host import ClientHost
from harness.proxy.counting import Counters
from harness.proxy.injector import Injector
from harness.proxy.orders import Orders
from harness.proxy.packets import FlowKey
from harness.proxy.reception import Reception, Refused
from harness.proxy.relay import Relay
from harness.proxy.settings import ProxySettings
from harness.shape import Shaping
from harness.timeline import Direction, Draws, Reset, Side
from harness.trigger import Life, Scene, Trigger
from harness.wire.postgres_opening import CANCEL_BYTES, REQUEST_BYTES

CONNECTIONS_LIMIT = 9_000
"""More at once are reset: a process has so many descriptors (two each) and so much memory."""
CANCEL_TRAFFIC = frozenset(
    {(CANCEL_BYTES, 0), (REQUEST_BYTES + CANCEL_BYTES, 1), (2 * REQUEST_BYTES + CANCEL_BYTES, 2)}
)
"""Bytes up and down of a connection that cancels a query elsewhere: a CancelRequest alone, or after
encryption was asked for and declined."""
ACCEPTS_LIMIT = 64
"""After so many accepts in one go, others run."""
WAITING_LIMIT = 4096
"""No kernel lets more wait to be accepted (net.core.somaxconn)."""
ACCEPT_PAUSE_S = 0.05
"""How long accepting rests after EMFILE and the like."""
DRAIN_QUIET_S = 0.02
"""A draining connection is closed once no reply is awaited and this long nothing has moved."""

_OUT_OF_RESOURCES = {errno.EMFILE, errno.ENFILE, errno.ENOMEM, errno.ENOBUFS}


class Proxy:
    """A running proxy; open it with ``open_proxy``."""

    def __init__(
        self,
        settings: ProxySettings,
        fabric: Fabric,
        port: Port,
        authority: Authority | None,
        on_event: Callable[[Event], None],
        nursery: trio.Nursery,
        zero: float,
    ) -> None:
        self.settings = settings
        self.fabric = fabric
        self.scene = Scene()
        able = fabric.capabilities
        self.injector = Injector(
            settings.seed, self.scene, on_event, zero, means=able.means, unlinked=able.unlinked
        )
        self.backends = Backends(settings.backends, settings.round_robin)
        self.port = port
        self.relays: dict[int, Relay] = {}
        self.open_connections = 0
        self._on_event = on_event
        self._zero = zero
        self._nursery = nursery
        self._buffers = Buffers()
        self._accepted = 0
        self._listens = trio.Event()
        self._listens.set()
        self._door: bool | Literal["full"] = True
        self._client_host = ClientHost(self.injector, fabric)
        self._counters = Counters(self.injector, fabric, port)
        self._shapings: tuple[Shaping, ...] = ()
        self.orders = Orders(fabric)
        self._reception = Reception(self, authority)

    # --- orders -----------------------------------------------------------------------------

    def arm(self, specs: list[FaultSpec]) -> list[Charge]:
        """Let faults wait for their triggers, on live connections as on new ones.

        Raises SetupError if one of them needs packets and the fabric has none.
        """
        charges = self.injector.arm(specs, trio.current_time())
        if self.injector.packets.is_used:
            self.fabric.filter_packets(self.injector.packets.on_packet)
        for charge in charges:
            for relay in tuple(self.relays.values()):
                if charge.armed is not None:
                    relay.attach(charge.armed, trio.current_time())
        self._conduct()
        self.orders.tell()
        return charges

    def heal(self, charge: Charge) -> None:
        """Take a fault away: what it held goes on, what it ended stays ended."""
        now = trio.current_time()
        self._counters.look(now)
        self.injector.heal(charge, now)
        for relay in tuple(self.relays.values()):
            if charge.armed is not None:
                relay.heal(charge.armed, now)
        self._conduct()
        self.orders.tell()

    def heal_all(self) -> None:
        """Take every fault away."""
        for charge in self.injector.charges:
            if not charge.healed:
                self.heal(charge)

    def enter_phase(self, phase: str | None) -> None:
        """A phase of the workload begins."""
        self.scene.enter(phase, trio.current_time())
        self._conduct()
        self.orders.tell()
        for relay in tuple(self.relays.values()):
            relay.wake()

    # --- accepting --------------------------------------------------------------------------

    async def accept_forever(self) -> None:
        """Accept whoever comes; nothing here waits for a dial or a handshake."""
        while True:
            if not self._listens.is_set():
                await self._listens.wait()
            try:
                await self.port.wait_acceptable()
            except trio.ClosedResourceError:
                continue  # it refuses from now on
            if not self._listens.is_set():
                continue  # its queue is to be full from now on
            if not self._accept_waiting(ACCEPTS_LIMIT):
                await trio.sleep(ACCEPT_PAUSE_S)
            await trio.lowlevel.checkpoint()

    def _accept_waiting(self, limit: int) -> bool:
        """Accept those who wait; False if the system has nothing left to accept with."""
        for _ in range(limit):
            try:
                wire = self.port.accept()
            except BlockingIOError:
                return True
            except OSError as error:
                if error.errno not in _OUT_OF_RESOURCES:
                    return True  # gone before it was accepted (accept(2), ECONNABORTED)
                self._on_event(AcceptFailed(at_s=self.at_s(), reason=str(error)))
                return False
            self._admit(wire)
        return True

    def _admit(self, wire: Wire) -> None:
        if self.open_connections >= CONNECTIONS_LIMIT:
            wire.reset()
            reason = f"{CONNECTIONS_LIMIT} connections are open"
            self._on_event(AcceptFailed(at_s=self.at_s(), reason=reason))
            return
        self._accepted += 1
        self._nursery.start_soon(self._serve, wire, self._accepted)

    async def _serve(self, wire: Wire, ordinal: int) -> None:
        backend = self.backends.choose()
        life = Life(ordinal, trio.current_time(), backend, protocol=self.settings.protocol)
        self._name_flow(FlowKey(Side.CLIENT, wire.peer_port), ordinal)
        self._on_event(
            ConnectionOpened(
                at_s=self.at_s(), connection=ordinal, client_port=wire.peer_port, backend=backend
            )
        )
        self.open_connections += 1
        connection = Connection(life, self.scene)
        try:
            await self._relay(wire, connection)
        finally:
            wire.close()
            self.open_connections -= 1
            self._tell_closed(connection)

    async def _relay(self, wire: Wire, connection: Connection) -> None:
        life = connection.life
        try:
            client, backend = await self._reception.receive(wire, life)
        except Refused as refused:
            connection.ended_by, connection.ended_how = refused.by, refused.how
            return
        relay = Relay(
            connection,
            client,
            backend,
            nursery=self._nursery,
            fabric=self.fabric,
            buffers=self._buffers,
            on_fired=lambda fired: self._tell_fired(life.ordinal, fired),
            on_client_end=lambda how: self._tell_client_end(connection, how),
        )
        now = trio.current_time()
        for flow in relay.flows:
            self._name_flow(flow, life.ordinal)
        self.relays[life.ordinal] = relay
        try:
            for armed in self.injector.stream_faults():
                connection.attach(armed, now)
            for event in ("connected", "dialed", "tls_established"):
                if event != "tls_established" or self.settings.tls == "terminate":
                    connection.event(event, now)
            await relay.run()
        finally:
            del self.relays[life.ordinal]

    def _name_flow(self, flow: FlowKey, ordinal: int) -> None:
        if self.fabric.capabilities.packets:
            self.injector.packets.name(flow, ordinal)

    # --- conducting -------------------------------------------------------------------------

    async def conduct_forever(self) -> None:
        """Open and shut the port, change backends, when the time has come."""
        while True:
            self._conduct()
            now = trio.current_time()
            due = self.injector.next_change(now)
            look = self._counters.next_look(now)
            await self.orders.wait(look if due is None else min(due, look))

    def _conduct(self) -> None:
        now = trio.current_time()
        for name in self.injector.recoveries(now):
            self.backends.revive(name)
            self._on_event(BackendRestored(at_s=self.at_s(), backend=name))
        self._counters.look(now)
        self.shape(self.injector.shapings(now))
        self._open_or_shut(now)
        for change, charge in self.injector.backend_changes(now):
            self._change_backend(change, charge, now)
        self._client_host.conduct(now)

    def shape(self, shapings: tuple[Shaping, ...]) -> None:
        """Let links do this, if they don't. Raises SetupError if the fabric's can't."""
        if shapings != self._shapings:
            self.fabric.shape(shapings)
            self._shapings = shapings

    def _open_or_shut(self, now: float) -> None:
        door = self.injector.listens(now)
        if door == self._door:
            return
        if self._door is not True:
            self.port.listen()
        if door is True:
            self._listens.set()
        else:
            self._accept_waiting(WAITING_LIMIT)  # they are connected already: not to be refused
            if self._listens.is_set():  # else somebody waits for it already
                self._listens = trio.Event()
            self.port.refuse() if door is False else self.port.crowd()
        self._door = door

    def _change_backend(self, change: BackendChange, charge: Charge, now: float) -> None:
        out_before = frozenset(self.backends.retired)
        retired, successor = self.backends.apply(change)
        if successor in out_before:
            self._on_event(BackendRestored(at_s=self.at_s(), backend=successor))
        if change.dead:
            charge.victim = retired
        self.injector.fire(charge, now, 0, f"{retired} out, {successor} in")
        self._on_event(
            BackendRetired(
                at_s=self.at_s(),
                backend=retired,
                successor=successor,
                drain=change.live is LiveConnections.DRAIN,
            )
        )
        for relay in tuple(self.relays.values()):
            if relay.connection.life.backend != retired:
                continue
            if change.live is LiveConnections.RESET:
                relay.end(f"fault:{charge.spec.name}", Reset(now), now)
            elif change.live is LiveConnections.DRAIN:
                relay.attach(_draining(charge), now)

    # --- telling ----------------------------------------------------------------------------

    def at_s(self) -> float:
        """Seconds since the run began."""
        return trio.current_time() - self._zero

    def tell(self, event: Event) -> None:
        """Write an event into the history."""
        self._on_event(event)

    def _tell_client_end(self, connection: Connection, how: str) -> None:
        if not self._client_host.has_destroyed(connection):  # else its kernel sent the RST
            self._reception.tell_client_end(connection.life.ordinal, how)

    def _tell_fired(self, ordinal: int, fired: Fired) -> None:
        charge, now = self.injector.charges[fired.armed.index], trio.current_time()
        if isinstance(charge.spec.fault, PacketFault):  # it has fired once a packet is struck
            flows = self.relays[ordinal].flows
            self.injector.packets.strike(charge, flows, now, fired.until)
        elif isinstance(charge.spec.fault, SocketFault):
            relay = self.relays[ordinal]
            self._client_host.destroy(relay.connection, relay.flows[0].port, charge, fired, now)
        else:
            self.injector.tell_fired(charge, now, ordinal, fired.where)

    def _tell_closed(self, connection: Connection) -> None:
        passed = connection.passed_bytes
        moved_bytes = (passed[Direction.UPSTREAM], passed[Direction.DOWNSTREAM])
        is_cancel = self.settings.protocol == "postgres" and moved_bytes in CANCEL_TRAFFIC
        self._on_event(
            ConnectionClosed(
                at_s=self.at_s(),
                connection=connection.life.ordinal,
                by=connection.ended_by or "proxy",
                how=connection.ended_how or "reset",
                bytes_up=moved_bytes[0],
                bytes_down=moved_bytes[1],
                exchanges=connection.life.exchange,
                purpose="cancel" if is_cancel else "",
            )
        )


def _draining(charge: Charge) -> Armed:
    """What drains a connection: an orderly close as soon as it is idle."""
    return Armed(
        index=charge.index,
        name=charge.spec.name,
        trigger=Trigger(idle_s=DRAIN_QUIET_S),
        draws=Draws(charge.index, "drain"),
        directions=(Direction.DOWNSTREAM,),
        watches=Direction.DOWNSTREAM,
        ending=Ending.FIN,
        sides=frozenset(Side),
    )


@asynccontextmanager
async def open_proxy(
    settings: ProxySettings,
    fabric: Fabric,
    *,
    authority: Authority | None = None,
    on_event: Callable[[Event], None] = lambda _: None,
    zero: float | None = None,
) -> AsyncIterator[Proxy]:
    """A proxy that serves inside the block; all its connections end with it.

    Raises SetupError if its port is taken. ``zero`` is the instant that event times count from.
    """
    start = trio.current_time() if zero is None else zero
    port = fabric.listen(settings.host, settings.port)
    try:
        async with open_tasks() as tasks:
            proxy = Proxy(settings, fabric, port, authority, on_event, tasks, start)
            tasks.start_soon(proxy.accept_forever)
            tasks.start_soon(proxy.conduct_forever)
            try:
                yield proxy
            finally:
                if proxy.injector.packets.is_used:
                    fabric.filter_packets(None)
                proxy.shape(())
    finally:
        port.close()
