"""Faults that something else performs: the client's host, its kernel, the queue of the port."""

from contextlib import asynccontextmanager

import pytest
import trio
from raw import RST, Bench, Peer, fault, listening, until, when

from harness.connection import Connection, Fired
from harness.errors import SetupError
from harness.fabric import Capabilities, LoopbackFabric
from harness.history import (
    ClientEndClosed,
    ConnectionClosed,
    ConnectionOpened,
    FaultFired,
    FaultHealed,
)
from harness.proxy import Address, Injector, ProxySettings, open_proxy
from harness.proxy.client_host import ClientHost
from harness.proxy.counting import COUNTED_POLL_S, Counters
from harness.shape import UNTOUCHED_HOST, HostState
from harness.trigger import Life, Scene


class Kernel:
    """A fabric whose hosts have a kernel each, and a port: it writes down what is asked of it."""

    capabilities = Capabilities(packets=True, means=frozenset({"host", "port"}))

    def __init__(self):
        self.asked = []
        self.lost = self.turned = 0
        self.sockets = set()

    def change_address(self):
        self.asked.append("moved")

    def restore_address(self):
        self.asked.append("back")

    def hold_host(self, state):
        self.asked.append(state)

    def unrouted(self):
        return self.lost

    def shaped(self):
        return {}

    def turned_away(self):
        return self.turned

    def destroy(self, port):
        return port in self.sockets


class Run:
    """The faults of a run on such a fabric, on a clock that is handed in."""

    def __init__(self, *specs, means="host"):
        self.events, self.kernel = [], Kernel()
        self.injector = Injector(0, Scene(), self.events.append, 0.0)
        self.charges = self.injector.arm(list(specs), 0.0)
        for charge in self.charges:
            charge.means = means
        self.host = ClientHost(self.injector, self.kernel)
        self.counters = Counters(self.injector, self.kernel, self.kernel)

    def enter(self, phase, now):
        self.injector.scene.enter(phase, now)
        self.conduct(now)

    def conduct(self, now):
        self.counters.look(now)
        self.host.conduct(now)

    @property
    def fired(self):
        return [(e.fault, e.where) for e in self.events if isinstance(e, FaultFired)]


# --- how the host is held -------------------------------------------------------------------


def test_the_host_is_held_while_the_fault_is_at_work_and_told_only_of_changes():
    run = Run(fault("port_exhaustion", when(during="rush"), ports=4))
    for phase, now in (("calm", 1.0), ("rush", 2.0), ("rush", 3.0), ("calm", 4.0)):
        run.enter(phase, now)
    assert run.kernel.asked == [HostState(ports=4), UNTOUCHED_HOST]


def test_several_faults_hold_the_host_together():
    run = Run(
        fault("port_exhaustion", when(at_s=1.0), ports=9),
        fault("port_exhaustion", when(at_s=2.0), ports=4),
        fault("link_down", when(at_s=3.0, for_s=1.0)),
    )
    run.enter("work", 0.0)
    for now in (1.0, 2.0, 3.0, 4.0):
        run.conduct(now)
    few = HostState(ports=4)
    assert run.kernel.asked == [HostState(ports=9), few, HostState(link_up=False, ports=4), few]


def test_a_link_whose_packets_are_asked_for_one_by_one_is_no_business_of_the_host():
    run = Run(fault("link_down", when(during="outage")), means="")
    run.enter("outage", 1.0)
    assert run.kernel.asked == []


def test_a_window_of_nothing_but_for_is_over_in_time():
    run = Run(fault("port_exhaustion", when(for_s=2.0), ports=4))
    run.enter("work", 1.0)
    run.conduct(2.9)
    run.conduct(3.0)
    assert run.kernel.asked == [HostState(ports=4), UNTOUCHED_HOST]
    assert run.injector.next_change(1.0) == 3.0


def test_a_connect_without_a_port_shows_that_ports_are_few_and_nothing_else_does():
    run = Run(fault("port_exhaustion", when(during="rush"), ports=4), fault("link_down"))
    run.enter("rush", 1.0)
    run.injector.note_refused(1.0)
    assert run.fired == []
    run.injector.note_no_port(1.0)
    assert run.fired == [("port_exhaustion", "no port to dial from")]
    run.enter("calm", 2.0)
    run.injector.note_no_port(2.0)
    assert len(run.fired) == 1


def test_addresses_come_back_once_nothing_moves_the_host_any_more():
    run = Run(
        fault("address_change", when(at_s=1.0, for_s=2.0)),
        fault("address_change", when(at_s=2.0, for_s=2.0)),
    )
    run.enter("work", 0.0)
    told = []
    for now in (1.0, 2.0, 3.0, 4.0, 5.0):
        run.conduct(now)
        told.append(run.kernel.asked.copy())
        run.kernel.asked.clear()
    assert told == [["moved"], ["moved"], [], ["back"], []]


# --- what counters tell ---------------------------------------------------------------------


def test_a_counter_that_has_grown_since_the_fault_began_tells_that_it_struck():
    run = Run(fault("link_down", when(during="outage")))
    run.kernel.lost = 7
    run.enter("outage", 1.0)
    run.conduct(1.1)
    assert run.fired == []
    run.kernel.lost = 9
    run.conduct(1.2)
    run.kernel.lost = 20
    run.conduct(1.3)
    assert run.fired == [("link_down", "packets without a way: 2")]


def test_what_was_counted_just_before_the_end_counts_and_nothing_after_it():
    run = Run(fault("backlog_full", when(during="rush")))
    run.enter("rush", 1.0)
    run.kernel.turned = 3
    run.enter("calm", 2.0)
    assert run.fired == [("backlog_full", "connects turned away: 3")]
    run.kernel.turned = 5
    run.enter("rush", 3.0)
    run.enter("calm", 4.0)
    assert len(run.fired) == 1


def test_each_time_at_work_is_told_of():
    run = Run(fault("address_change", when(during="moving")))
    for now, phase in enumerate(("moving", "calm", "moving", "calm")):
        run.kernel.lost += phase == "calm"
        run.enter(phase, float(now))
    assert [name for name, _ in run.fired] == ["address_change"] * 2


def test_counters_are_looked_at_again_only_while_one_is_waited_for():
    run = Run(fault("backlog_full", when(during="rush")), fault("refuse", when(during="calm")))
    run.enter("calm", 1.0)
    assert run.counters.next_look(1.0) == float("inf")
    run.enter("rush", 2.0)
    assert run.counters.next_look(2.0) == 2.0 + COUNTED_POLL_S
    run.kernel.turned = 1
    run.conduct(2.1)
    assert run.counters.next_look(2.1) == float("inf")


# --- the port's queue -----------------------------------------------------------------------


def test_a_port_is_shut_rather_than_crowded_if_both_are_asked_for():
    run = Run(fault("backlog_full", when(at_s=1.0)), fault("refuse", when(at_s=2.0, for_s=1.0)))
    run.enter("work", 0.0)
    assert [run.injector.listens(now) for now in (0.5, 1.0, 2.0, 3.0)] == [
        True,
        "full",
        False,
        "full",
    ]


def test_a_refused_connect_is_not_the_doing_of_a_full_queue():
    run = Run(fault("backlog_full"))
    run.injector.note_refused(1.0)
    assert run.fired == []


# --- sockets that are taken away ------------------------------------------------------------


def test_a_socket_that_is_gone_already_leaves_the_fault_unfired():
    run = Run(fault("sock_destroy", when(idle_s=1.0, times=1)))
    connection = Connection(Life(3, 0.0), run.injector.scene)
    armed = run.charges[0].armed
    for port in (40_000, 40_001):
        armed.fired += 1  # as its gate does
        run.kernel.sockets = {40_001}
        run.host.destroy(connection, port, run.charges[0], Fired(armed, "idle"), 2.0)
    assert armed.fired == 1
    assert run.fired == [("sock_destroy", "idle")]
    assert (connection.ended_by, connection.ended_how) == ("fault:sock_destroy", "reset")
    assert run.host.has_destroyed(connection)


@pytest.mark.parametrize(
    ("trigger", "struck"),
    [
        (when(at_s=5.0), [True, False]),
        (when(during="handover"), [True, False]),
        (when(during="handover", idle_s=1.0), [True, True]),
        (when(connection=3), [True, True]),
    ],
)
def test_an_instant_of_the_run_is_past_for_connections_that_open_after_it(trigger, struck):
    run = Run(fault("sock_destroy", trigger))
    run.enter("work", 0.0)
    run.enter("handover", 5.0)
    run.kernel.sockets = {40_000}
    told = []
    for opened in (1.0, 6.0):
        connection = Connection(Life(3, opened), run.injector.scene)
        fired = Fired(run.charges[0].armed, "now")
        run.host.destroy(connection, 40_000, run.charges[0], fired, 7.0)
        told.append(run.host.has_destroyed(connection))
    assert told == struck


# --- the proxy ------------------------------------------------------------------------------


class CrowdedPort:
    """A port that only says that its queue is full, and who is let in nevertheless."""

    def __init__(self, port):
        self._port = port
        self.is_crowded, self.turned = False, 0

    def __getattr__(self, name):
        return getattr(self._port, name)

    def crowd(self):
        self.is_crowded = True

    def listen(self):
        self.is_crowded = False
        self._port.listen()

    def turned_away(self):
        return self.turned


class KernelFabric(LoopbackFabric):
    """Loopback with a port that can be full and clients whose sockets can be destroyed."""

    capabilities = Capabilities(means=frozenset({"host", "port"}))

    def __init__(self):
        super().__init__()
        self.clients = {}

    def listen(self, host, port):
        self.port = CrowdedPort(super().listen(host, port))
        return self.port

    def destroy(self, port):
        client = self.clients.pop(port, None)
        if client is not None:
            client.reset()
        return client is not None


@asynccontextmanager
async def kernel_bench(*specs):
    fabric, events, server = KernelFabric(), [], await listening()
    settings = ProxySettings(backends={"blue": Address("127.0.0.1", server.port)})
    async with (
        fabric.running(),
        open_proxy(settings, fabric, on_event=events.append) as proxy,
    ):
        bench = Bench(proxy, {"blue": server}, events)
        try:
            proxy.arm(list(specs))
            yield bench, fabric
        finally:
            for end in (*bench.clients, server):
                end.close()


async def exchange(client, server):
    await client.send(b"q")
    assert await server.read(1) == b"q"
    await server.send(b"a")
    assert await client.read(1) == b"a"


async def test_while_the_queue_is_full_nobody_is_accepted_and_live_connections_go_on():
    async with kernel_bench(fault("backlog_full", when(during="rush"))) as (b, fabric):
        live = await b.pair()
        b.proxy.enter_phase("rush")
        assert fabric.port.is_crowded
        waiting = await b.client()  # a real port would not let it in
        await exchange(*live)
        assert len(b.of(ConnectionOpened)) == 1
        fabric.port.turned = 2
        (fired,) = await b.told(FaultFired)
        assert fired.where == "connects turned away: 2"
        b.proxy.enter_phase("calm")
        assert not fabric.port.is_crowded
        await exchange(waiting, await b.server.accept())


async def test_a_port_goes_from_full_to_shut_and_is_open_again_in_the_end():
    specs = [fault("backlog_full", when(during="rush")), fault("refuse", when(during="outage"))]
    async with kernel_bench(*specs) as (b, fabric):
        for _ in range(2):
            b.proxy.enter_phase("rush")
            assert fabric.port.is_crowded
            b.proxy.enter_phase("outage")
            assert not fabric.port.is_crowded
            with pytest.raises(ConnectionRefusedError):
                await Peer.connect(b.proxy.port.number)
        b.proxy.heal_all()
        await exchange(*await b.pair())


async def test_a_destroyed_socket_is_told_as_the_faults_doing_and_its_backend_is_reset():
    async with kernel_bench(fault("sock_destroy", when(idle_s=0.1))) as (b, fabric):
        client, server = await b.pair()
        fabric.clients[client.port] = client
        await exchange(client, server)
        assert await server.rest() == (b"", RST)
        (fired,) = b.of(FaultFired)
        (closed,) = await b.told(ConnectionClosed)
        assert (fired.connection, fired.ends) == (1, True)
        assert (closed.by, closed.how) == ("fault:sock_destroy", "reset")
        assert b.of(ClientEndClosed) == []


async def test_a_client_that_leaves_by_itself_is_told_so_although_sockets_may_be_destroyed():
    async with kernel_bench(fault("sock_destroy", when(idle_s=30.0))) as (b, _):
        client, server = await b.pair()
        await exchange(client, server)
        client.reset()
        assert await server.rest() == (b"", RST)
        assert [event.how for event in b.of(ClientEndClosed)] == ["reset"]


async def test_what_a_fault_did_is_told_before_it_is_healed():
    async with kernel_bench(fault("backlog_full")) as (b, fabric):
        await until(lambda: fabric.port.is_crowded)
        fabric.port.turned = 1
        b.proxy.heal_all()
        kinds = [type(event) for event in b.events if isinstance(event, FaultFired | FaultHealed)]
        assert kinds == [FaultFired, FaultHealed]


async def test_a_fabric_without_hosts_says_so():
    fabric = LoopbackFabric()
    async with fabric.running():
        for ask in (lambda: fabric.hold_host(HostState(ports=1)), lambda: fabric.destroy(1)):
            with pytest.raises(SetupError, match="--on netns"):
                ask()
        await trio.lowlevel.checkpoint()
