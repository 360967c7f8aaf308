"""Which packet faults strike which packets, and when that is told."""

from __future__ import annotations

import pytest
from handmade import ACK, DATA, DOWN, SYN, flow, packet
from raw import bench, fault, until, when

from harness.errors import SetupError
from harness.fabric import Capabilities, LoopbackFabric
from harness.faults import FaultSpec
from harness.history import FaultFired
from harness.packet import DROPPED, Forwarded, Refusal
from harness.proxy import Injector, packets
from harness.proxy.packets import FlowKey
from harness.timeline import Side
from harness.trigger import Scene
from harness.units import Spread

MINE = FlowKey(Side.CLIENT, 40_000)


class Run:
    """The packet faults of a run, on a clock that is handed in."""

    def __init__(self, *specs: FaultSpec, seed: int = 0, phase: str | None = None) -> None:
        self.events = []
        self.injector = Injector(seed, Scene(), self.events.append, 0.0)
        self.site = self.injector.packets
        self.charges = self.injector.arm(list(specs), 0.0)
        if phase is not None:
            self.injector.scene.enter(phase, 10.0)

    def ask(self, *asked, now=11.0):
        return [self.site.on_packet(each, now) for each in asked]

    @property
    def fired(self):
        told = [event for event in self.events if isinstance(event, FaultFired)]
        return [(event.fault, event.connection) for event in told]


def data(port=40_000, **fields):
    return packet(DATA, flow(port), **fields)


# --- the whole link -------------------------------------------------------------------------


def test_a_fault_without_a_condition_about_a_connection_takes_the_whole_link():
    run = Run(fault("blackhole", when(during="outage")), phase="warm")
    assert run.ask(data(1), packet(SYN, flow(2))) == [None, None]
    run.injector.scene.enter("outage", 20.0)
    assert run.ask(data(1), packet(SYN, flow(2)), now=20.0) == [DROPPED] * 2
    run.injector.scene.enter("after", 30.0)
    assert run.ask(data(1), now=30.0) == [None]
    assert run.fired == [("blackhole", 0)] * 2


def test_at_and_for_open_and_close_the_link():
    run = Run(fault("partition", when(at_s=5.0, for_s=2.0)), phase="work")
    instants = [14.9, 15.0, 16.9, 17.0]
    assert [run.ask(data(), now=now)[0] for now in instants] == [None, DROPPED, DROPPED, None]


def test_for_alone_begins_with_the_workload():
    run = Run(fault("blackhole", when(for_s=2.0)), phase="work")
    assert [run.ask(data(), now=now)[0] for now in (10.0, 11.9, 12.0)] == [DROPPED, DROPPED, None]


def test_side_and_direction_choose_packets():
    run = Run(fault("blackhole", side="backend", direction="downstream"))
    behind = flow(side=Side.BACKEND)
    assert run.ask(packet(DATA, behind, direction=DOWN)) == [DROPPED]
    assert run.ask(packet(DATA, behind), packet(DATA, flow(), direction=DOWN)) == [None, None]
    both = Run(fault("blackhole", side="both"))
    assert both.ask(packet(DATA, behind), data()) == [DROPPED] * 2


def test_without_a_side_it_is_the_clients():
    run = Run(fault("blackhole"))
    assert run.ask(data(), packet(DATA, flow(side=Side.BACKEND))) == [DROPPED, None]


def test_the_first_fault_with_an_answer_decides():
    run = Run(fault("mtu", limit_bytes=1000), fault("partition", how="reset"))
    assert run.ask(data(size_bytes=2000), data(size_bytes=10)) == [DROPPED, Refusal.RESET]
    assert run.fired == [("mtu", 0), ("partition", 0)]


def test_a_fault_sees_what_another_takes_away():
    specs = [fault("drop_syn", attempts=1), fault("vanish", when(at_s=0.0))]
    run = Run(*specs, phase="work")
    assert run.ask(packet(SYN), packet(SYN, attempt=1), data()) == [DROPPED, None, None]


def test_partitions_flap_from_the_instant_their_window_opens():
    run = Run(fault("partition", when(at_s=5.0), down_s=1.0, up_s=1.0), phase="work")
    assert [run.ask(data(), now=now)[0] for now in (15.9, 16.0, 17.0)] == [DROPPED, None, DROPPED]


def test_each_opening_of_a_window_is_an_occasion_of_its_own():
    run = Run(fault("vanish", when(during="crash")), phase="work")
    for now, phase in ((20.0, "crash"), (30.0, "calm"), (40.0, "crash")):
        run.injector.scene.enter(phase, now)
        answer = Refusal.RESET if phase == "crash" else None
        assert run.ask(data(), now=now) == [answer]
    assert len(run.fired) == 2
    assert run.ask(packet(SYN), data(), now=41.0) == [None, None]


def test_times_and_probability_speak_of_connects_where_the_link_is_struck():
    run = Run(fault("drop_syn", when(times=2)))
    asked = [packet(SYN, flow(port), attempt=n) for port in (1, 2, 3) for n in (0, 1)]
    assert run.ask(*asked) == [DROPPED] * 4 + [None] * 2
    run = Run(fault("drop_syn", when(probability=0.5)))
    first, second = ([run.ask(packet(SYN, flow(p)))[0] for p in range(60)] for _ in range(2))
    assert first == second
    assert 15 < first.count(DROPPED) < 45


# --- single flows ---------------------------------------------------------------------------


def struck(*specs, until=float("inf"), **more):
    run = Run(*specs, **more)
    run.site.name(MINE, 7)
    for charge in run.charges:
        run.site.strike(charge, [MINE, FlowKey(Side.BACKEND, 50_000)], 11.0, until)
    return run


def test_a_strike_concerns_one_flow_on_the_faults_side():
    run = struck(fault("blackhole", when(idle_s=1.0)))
    assert run.ask(data(), data(1), packet(DATA, flow(50_000, Side.BACKEND))) == [
        DROPPED,
        None,
        None,
    ]
    assert run.fired == [("blackhole", 7)]


def test_a_gate_that_opened_shows_nothing_until_a_packet_is_struck():
    run = struck(fault("loss", when(idle_s=1.0), rate=0.0))
    assert run.ask(data(), data()) == [None, None]
    assert run.fired == []


def test_a_strike_is_told_once_and_says_where():
    run = struck(fault("blackhole", when(idle_s=1.0)))
    run.ask(data(offset=512, attempt=2), data(), now=12.5)
    (event,) = [event for event in run.events if isinstance(event, FaultFired)]
    assert event.where == "client side, port 40000, upstream data at byte 512, attempt 2"
    assert (event.at_s, event.ends) == (12.5, False)


def test_a_second_strike_is_another_occasion():
    run = struck(fault("blackhole", when(request="every 2", for_s=1.0)), until=12.0)
    run.ask(data(), now=11.5)
    assert run.ask(data(), now=12.0) == [None]
    run.site.strike(run.charges[0], [MINE], 13.0, 14.0)
    assert run.ask(data(), data(), now=13.0) == [DROPPED] * 2
    assert len(run.fired) == 2


def test_a_strike_ends_with_its_phase_and_does_not_come_back_with_it():
    run = struck(fault("blackhole", when(idle_s=1.0, during="outage")), phase="outage")
    assert run.ask(data()) == [DROPPED]
    run.injector.scene.enter("calm", 20.0)
    assert run.ask(data(), now=20.0) == [None]
    run.injector.scene.enter("outage", 30.0)
    assert run.ask(data(), now=30.0) == [None]


def test_healing_lets_go_of_links_and_flows_at_once():
    run = struck(fault("blackhole", when(idle_s=1.0)), fault("mtu", limit_bytes=100))
    for charge in run.charges:
        run.injector.heal(charge, 12.0)
    assert run.ask(data(size_bytes=5000), now=12.0) == [None]


def test_a_port_that_is_used_again_is_another_connection():
    run = struck(fault("blackhole", when(idle_s=1.0)))
    assert run.ask(data(), packet(SYN), data()) == [DROPPED, None, None]
    link = Run(fault("partition", how="reset"))
    link.site.name(MINE, 7)
    link.ask(data(), packet(SYN), data())
    assert link.fired == [("partition", 7), ("partition", 0)]


def test_what_is_known_of_flows_is_bounded(monkeypatch):
    monkeypatch.setattr(packets, "FLOWS_LIMIT", 20)
    run = Run(fault("partition"), fault("blackhole", when(idle_s=1.0)))
    for port in range(100):
        run.site.name(FlowKey(Side.CLIENT, port), port)
        run.site.strike(run.charges[1], [FlowKey(Side.CLIENT, port)], 11.0, 1e9)
        run.ask(data(port))
    (occasion,) = run.site._links.values()
    known = (run.site._ordinals, run.site._strikes, occasion.struck)
    assert [len(each) for each in known] == [20] * 3


# --- in the proxy ---------------------------------------------------------------------------


class PacketFabric(LoopbackFabric):
    """Real sockets, and a filter that the test itself asks about packets."""

    capabilities = Capabilities(packets=True)

    def __init__(self):
        super().__init__()
        self.ask = None
        self.moves = 0
        self.told = []

    def filter_packets(self, ask):
        self.ask = ask
        self.told.append(ask)

    def change_address(self):
        self.moves += 1


@pytest.fixture
def fabric(monkeypatch):
    made = PacketFabric()
    monkeypatch.setattr("raw.LoopbackFabric", lambda: made)
    return made


async def exchange(client, server, count=1):
    for _ in range(count):
        await client.send(b"?")
        await server.read(1)
        await server.send(b"!")
        await client.read(1)


async def test_a_condition_about_a_connection_strikes_its_flow_and_lets_bytes_pass(fabric):
    spec = fault("blackhole", when(request=2), side="both")
    async with bench(spec) as b:
        client, server = await b.pair()
        await exchange(client, server)
        mine = packet(DATA, flow(client.port))
        assert fabric.ask(mine, 1.0) is None
        await exchange(client, server)
        assert fabric.ask(mine, 1.0) == DROPPED
        (backend_port,) = [s.sock.getpeername()[1] for s in b.server.peers]
        assert fabric.ask(packet(ACK, flow(backend_port, Side.BACKEND)), 1.0) == DROPPED
        assert fabric.ask(packet(DATA, flow(1)), 1.0) is None
        assert [event.connection for event in b.of(FaultFired)] == [1, 1]
        await exchange(client, server)


async def test_an_idle_connection_is_struck_when_its_time_comes_and_healed_with_the_rest(fabric):
    async with bench(fault("vanish", when(idle_s=0.02))) as b:
        client, server = await b.pair()
        await exchange(client, server)
        mine = packet(DATA, flow(client.port))
        await until(lambda: fabric.ask(mine, 1.0) is Refusal.RESET)
        b.proxy.heal_all()
        assert fabric.ask(mine, 1.0) is None
    assert fabric.told[-1] is None


async def test_the_link_is_struck_without_leaving_the_fast_way(fabric):
    async with bench(fault("duplicate", rate=1.0)) as b:
        client, server = await b.pair()
        await exchange(client, server)
        (relay,) = b.proxy.relays.values()
        assert relay.connection.is_plain
        assert fabric.ask(packet(DATA, flow(client.port)), 1.0).delays_s == (0.0, 0.0)
        assert [event.connection for event in b.of(FaultFired)] == [1]


async def test_the_clients_host_moves_once_an_occasion(fabric):
    async with bench(fault("address_change", when(during="moving"))) as b:
        moves = []
        for phase in ("warm", "moving", "calm", "moving"):
            b.proxy.enter_phase(phase)
            b.proxy.heal(b.proxy.arm([fault("refuse", when(during="never"))])[0])  # looks again
            moves.append(fabric.moves)
        assert moves == [0, 1, 1, 2]
        assert b.of(FaultFired) == []


async def test_a_run_without_packet_faults_asks_for_no_filter(fabric):
    async with bench(fault("close", when(idle_s=9.0))):
        pass
    assert fabric.told == []


async def test_packet_faults_are_refused_where_there_are_no_packets():
    with pytest.raises(SetupError, match="no packets to strike; say --on virtual"):
        async with bench(fault("blackhole")):
            pass


# --- several faults on one packet -----------------------------------------------------------


def test_delays_copies_and_damage_add_up():
    specs = [
        fault("reorder", rate=1.0, delay_s=0.01),
        fault("duplicate", rate=1.0),
        fault("corrupt_packet", rate=1.0),
        fault("reorder", rate=1.0, delay_s=0.02),
    ]
    run = Run(*specs)
    (fate,) = run.ask(data())
    assert fate.delays_s == pytest.approx((0.03, 0.03))
    assert not fate.in_order
    assert fate.damaged
    assert [name for name, _ in run.fired] == [spec.name for spec in specs]


def test_who_takes_a_packet_away_decides_and_has_struck_alone():
    run = Run(
        fault("reorder", rate=1.0, delay_s=0.01), fault("blackhole"), fault("duplicate", rate=1.0)
    )
    assert run.ask(data()) == [DROPPED]
    assert [name for name, _ in run.fired] == ["blackhole"]


# --- who performs what ----------------------------------------------------------------------


KERNEL = frozenset({"router", "netem", "tbf", "htb", "host", "port"})


def arranged(*specs, means=KERNEL, unlinked=frozenset()):
    events = []
    injector = Injector(0, Scene(), events.append, 0.0, means=means, unlinked=unlinked)
    return injector, injector.arm(list(specs), 0.0), events


def test_what_the_kernel_shapes_is_neither_the_proxys_nor_the_routers():
    late = fault("latency", when(during="rush"), delay_s=Spread(0.02))
    injector, (charge,), events = arranged(late)
    assert (charge.means, charge.armed, events[0].means) == ("netem", None, "netem")
    assert not injector.packets.is_used
    assert injector.shapings(0.0) == ()
    injector.scene.enter("rush", 1.0)
    (shaping,) = injector.shapings(1.0)
    assert (shaping.index, shaping.shape.delay_s, shaping.sides) == (0, 0.02, {Side.CLIENT})
    assert shaping.directions == (DOWN,)
    injector.heal(charge, 2.0)
    assert injector.shapings(2.0) == ()


def test_a_shaping_has_the_same_seed_in_the_same_run():
    first, second = (arranged(fault("loss", rate=0.5))[0].shapings(0.0) for _ in range(2))
    assert first == second
    assert first[0].seed != 0


def test_the_router_delays_a_whole_link_where_the_kernel_cannot():
    late = fault("latency", delay_s=Spread(0.02))
    injector, (charge,), _ = arranged(late, means=frozenset({"router"}))
    assert (charge.means, charge.armed) == ("router", None)
    assert injector.packets.on_packet(data(direction=DOWN), 1.0) == Forwarded((0.02,))
    assert injector.packets.on_packet(data(), 1.0) is None
    assert injector.packets.on_packet(packet(DATA, flow(side=Side.BACKEND)), 1.0) is None
    assert charge.fired == 1


def test_beside_a_sidecar_the_router_delays_on_the_backends_side():
    late = fault("latency", delay_s=Spread(0.02))
    injector, _, _ = arranged(late, means=frozenset({"router"}), unlinked={Side.CLIENT})
    behind = packet(DATA, flow(side=Side.BACKEND), direction=DOWN)
    assert injector.packets.on_packet(behind, 1.0) == Forwarded((0.02,))


def test_on_single_connections_bytes_are_delayed_by_the_proxy():
    late = fault("latency", when(connection=1), delay_s=Spread(0.02))
    injector, (charge,), _ = arranged(late)
    assert charge.means == "proxy"
    assert charge.armed is not None
    assert not injector.packets.is_used


class LinkFabric(LoopbackFabric):
    """Loopback that says it has links, writes down what they shall do, and counts as told."""

    capabilities = Capabilities(packets=True, means=KERNEL)

    def __init__(self):
        super().__init__()
        self.orders = []
        self.struck = {}

    def shape(self, shapings):
        self.orders.append([(each.index, each.means) for each in shapings])

    def shaped(self):
        return self.struck


async def test_a_link_is_told_what_to_do_as_windows_open_and_close_and_firing_is_told_once():
    fabric = LinkFabric()
    late = fault("latency", when(during="rush"), delay_s=Spread(0.02))
    async with bench(late, fault("loss", rate=0.1), fabric=fabric) as b:
        assert fabric.orders == [[(1, "netem")]]
        b.proxy.enter_phase("rush")
        assert fabric.orders[1:] == [[(0, "netem"), (1, "netem")]]
        fabric.struck = {0: 3}
        await b.told(FaultFired)
        fabric.struck = {0: 9}
        b.proxy.enter_phase("calm")
        fabric.struck = {0: 9, 1: 2}
        b.proxy.heal_all()
        assert fabric.orders[2:] == [[(1, "netem")], []]
        assert [(event.fault, event.where) for event in b.of(FaultFired)] == [
            ("latency", "netem, client, downstream, packets: 3"),
            ("loss", "netem, client, upstream, downstream, packets: 2"),
        ]
