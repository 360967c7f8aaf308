"""The packet router among real kernels: what leaves it is seen by sockets and packet sockets."""

import socket
from contextlib import contextmanager, suppress

import pytest
import trio
from routed import (
    CLIENT,
    SHORT_S,
    nothing_comes,
    outcome,
    read,
    routed,
    sender_of,
    stream,
    until,
    why_not,
)

from harness.errors import SetupError
from harness.fabric.netns import plan
from harness.fabric.netns import router as router_module
from harness.fabric.netns import tun as tun_module
from harness.fabric.netns.layout import PROXY
from harness.fabric.virtual.network import Network
from harness.fabric.virtual.socket import Socket
from harness.packet import DROPPED, Forged, Forwarded, PacketKind, Refusal
from harness.timeline import Direction, Side

UP, DOWN = Direction.UPSTREAM, Direction.DOWNSTREAM
SYN, DATA, ACK, FIN, RST = (
    PacketKind.SYN,
    PacketKind.DATA,
    PacketKind.ACK,
    PacketKind.FIN,
    PacketKind.RST,
)
RST_BIT = 0x04
MEGABYTES = bytes(range(251)) * 20_000


@pytest.fixture(autouse=True, scope="module")
def possible():
    if reason := why_not():
        pytest.skip(reason)


def first(kind, direction, fate):
    """A decision about the first packet of its kind in one direction; the others pass."""
    done = []

    def decide(packet):
        if done or (packet.kind, packet.direction) != (kind, direction):
            return None
        done.append(packet)
        return fate

    return decide


def every(fate):
    return lambda packet: fate


# --- what passes ----------------------------------------------------------------------------


@pytest.mark.parametrize("decide", [None, every(Forwarded())])
async def test_a_stream_is_the_same_behind_the_router(decide):
    async with routed(decide) as run:
        client, server = await run.pair()
        assert await stream(client, server, MEGABYTES) == MEGABYTES
        assert await stream(server, client, MEGABYTES[:100_000]) == MEGABYTES[:100_000]
        seen = run.of(DATA, UP)
        new = [p for p in seen if not p.attempt]
        # Two processors may swap packets of a wire; the one that comes late looks like sent again.
        assert sum({p.offset: p.size_bytes for p in seen}.values()) == len(MEGABYTES)
        assert [p.offset for p in new] == sorted(p.offset for p in new)
        assert run.router.dropped == 0


async def test_without_a_filter_everything_passes():
    async with routed() as run:
        run.router.filter = None
        client, server = await run.pair()
        assert await stream(client, server, MEGABYTES[:50_000]) == MEGABYTES[:50_000]
        assert run.packets == []


async def test_each_packet_is_asked_about_once_however_many_routers_there_are():
    async with routed(routers=2, clients=2) as run:
        await run.pair()
        assert [len(run.of(SYN, UP)), len(run.of(PacketKind.SYN_ACK, DOWN))] == [1, 1]


@pytest.mark.parametrize("proxy", ["host", "client"])
async def test_the_proxy_s_own_connections_are_on_the_backends_side(proxy):
    async with routed(proxy=proxy) as run:
        listener = await run.listen("backend-blue")
        sock = run.socket(run.place.proxy_host)
        await sock.bind((run.place.dial_from, 0))
        await sock.connect(listener.getsockname())
        flow = run.packets[0].flow
        assert (flow.side, flow.client, flow.server) == (
            Side.BACKEND,
            sock.getsockname(),
            listener.getsockname(),
        )


async def test_what_is_on_no_side_of_the_proxy_passes_unasked():
    async with routed(every(DROPPED)) as run:
        listener = await run.listen("backend-blue")
        client = await run.dial(listener, CLIENT)
        assert client.getpeername() == listener.getsockname()
        assert run.packets == []


async def test_other_protocols_pass_unasked():
    async with routed(every(DROPPED)) as run:
        with datagrams(run) as (sender, receiver):
            sender.send(b"hello")
            await until(lambda: outcome_now(receiver) == b"hello")
        assert run.packets == []


@contextmanager
def datagrams(run):
    """A UDP socket on the client's host, connected to one on the proxy's."""
    kind = (socket.AF_INET, socket.SOCK_DGRAM)
    with run.spaces.socket(CLIENT, *kind) as sender, run.spaces.socket(PROXY, *kind) as receiver:
        receiver.bind((run.place.address_of(PROXY), 0))
        receiver.setblocking(False)
        sender.connect(receiver.getsockname())
        yield sender, receiver


def outcome_now(sock):
    try:
        return sock.recv(100)
    except BlockingIOError:
        return None


async def test_a_conversation_has_the_packets_that_it_has_in_virtual_time():
    async with routed() as run:
        client, server = await run.pair()
        await stream(client, server, b"question")
        await stream(server, client, b"answer")
        client.close()
        assert await server.recv(1) == b""
        server.close()
        await until(lambda: run.of(FIN, DOWN))
    assert told(run.packets) == told(virtual_conversation())


def told(packets):
    """All but pure acknowledgements and repetitions, whose number is each kernel's own affair."""
    return [p._replace(flow=None) for p in packets if p.kind is not ACK and not p.attempt]


def virtual_conversation():
    network, packets = Network(), []
    network.filter = lambda packet, now: packets.append(packet)
    listener, client = Socket(network), Socket(network)
    listener.bind(("127.0.0.1", 0))
    listener.listen(1)
    with suppress(BlockingIOError):
        client.connect(listener.getsockname())
    server, _ = listener.accept()
    client.send(b"question")
    server.recv(8)
    server.send(b"answer")
    client.recv(6)
    client.close()
    assert server.recv(1) == b""
    server.close()
    return packets


# --- silence --------------------------------------------------------------------------------


async def test_a_dropped_syn_never_arrives_and_is_sent_again():
    async with routed(first(SYN, UP, DROPPED)) as run:
        listener = await run.listen()
        began = trio.current_time()
        await run.dial(listener)
        assert trio.current_time() - began > 0.9
        assert [p.attempt for p in run.of(SYN, UP)][:2] == [0, 1]


async def test_dropped_data_is_silence_and_its_repetition_has_the_same_place():
    async with routed() as run:
        client, server = await run.pair()
        await stream(client, server, b"first")
        run.decide = first(DATA, UP, DROPPED)
        with run.wire(PROXY) as wire:
            await client.send(b"hello")
            await until(lambda: run.of(DATA, UP)[-1].offset == 5)
            assert [payload for _, _, payload in wire() if payload] == []
            assert await read(server, 5) == b"hello"
        lost, again = run.of(DATA, UP)[1:3]
        assert (lost.offset, lost.size_bytes, lost.attempt) == (5, 5, 0)
        assert again == lost._replace(attempt=1)


# --- answers --------------------------------------------------------------------------------


@pytest.mark.parametrize(
    ("fate", "told"),
    [
        (Refusal.RESET, "ECONNREFUSED"),
        (Refusal.UNREACHABLE, "EHOSTUNREACH"),
        (Refusal.NO_ROUTE, "ENETUNREACH"),
    ],
)
@pytest.mark.parametrize("routers", [1, 2])
async def test_a_refused_connect_fails_at_once(fate, told, routers):
    async with routed(every(fate), routers=routers) as run:
        listener = await run.listen()
        assert await outcome(run.dial(listener)) == told
        assert len(run.of(SYN, UP)) == 1


@pytest.mark.parametrize("direction", [UP, DOWN])
async def test_data_that_is_reset_ends_its_sender_and_the_other_end_hears_nothing(direction):
    async with routed() as run:
        client, server = await run.pair()
        sender, other = (client, server) if direction is UP else (server, client)
        await stream(client, server, b"before")
        await stream(server, client, b"before")
        run.decide = every(Refusal.RESET)
        await sender.send(b"hello")
        assert await outcome(sender.recv(1)) == "ECONNRESET"
        assert await nothing_comes(other)


async def test_an_acknowledgement_is_not_answered_by_rst():
    async with routed() as run:
        client, server = await run.pair()
        run.decide = lambda p: Refusal.RESET if p.direction is DOWN else None
        await client.send(b"hello")
        assert await read(server, 5) == b"hello"
        await until(lambda: run.of(ACK, DOWN))
        assert await nothing_comes(server)


async def test_a_probe_is_answered_by_rst():
    async with routed() as run:
        client, server = await run.pair()
        await stream(client, server, b"hello")
        run.decide = lambda p: Refusal.RESET if p.direction is UP else None
        seen = len(run.packets)
        client.setsockopt(socket.IPPROTO_TCP, socket.TCP_KEEPIDLE, 1)
        client.setsockopt(socket.SOL_SOCKET, socket.SO_KEEPALIVE, 1)
        assert await outcome(client.recv(1)) == "ECONNRESET"
        probe = next(p for p in run.packets[seen:] if p.offset == 4)
        assert (probe.kind, probe.size_bytes, probe.attempt) == (ACK, 0, 0)


async def test_an_unreachable_peer_ends_no_live_connection():
    async with routed() as run:
        client, server = await run.pair()
        run.decide = every(Refusal.UNREACHABLE)
        await client.send(b"hello")
        assert await nothing_comes(client)
        run.decide = None
        assert await read(server, 5) == b"hello"


# --- more and other packets -----------------------------------------------------------------


async def test_a_duplicate_arrives_twice_and_changes_nothing():
    async with routed() as run:
        client, server = await run.pair()
        run.decide = lambda p: Forwarded((0.0, 0.0)) if p.kind is DATA else None
        with run.wire(PROXY) as wire:
            assert await stream(client, server, b"hello") == b"hello"
            arrived = [payload for _, _, payload in wire() if payload]
            assert arrived == [b"hello"] * 2 * len(run.of(DATA, UP))
        assert await nothing_comes(server)


async def test_a_damaged_packet_arrives_and_is_thrown_away_by_its_checksum():
    async with routed() as run:
        client, server = await run.pair()
        run.decide = first(DATA, UP, Forwarded(damaged=True))
        before = run.counter(PROXY, "InCsumErrors")
        with run.wire(PROXY) as wire:
            assert await stream(client, server, b"hello") == b"hello"
            bad, good = [payload for _, _, payload in wire() if payload][:2]
        assert bad != good == b"hello"
        assert len(bad) == len(good)
        assert run.counter(PROXY, "InCsumErrors") == before + 1
        assert [p.attempt for p in run.of(DATA, UP)][:2] == [0, 1]


async def test_a_damaged_acknowledgement_is_thrown_away_too():
    async with routed(first(ACK, UP, Forwarded(damaged=True))) as run:
        listener = await run.listen()
        await run.dial(listener)
        await until(lambda: run.counter(PROXY, "InCsumErrors") == 1)


async def test_a_delayed_packet_is_never_early_and_holds_back_those_behind_it():
    async with routed() as run:
        client, server = await run.pair()
        run.decide = first(DATA, UP, Forwarded((SHORT_S,)))
        began = trio.current_time()
        with run.wire(PROXY) as wire:
            await client.send(b"1")
            await until(lambda: run.of(DATA, UP))
            await client.send(b"2")
            assert await read(server, 2) == b"12"
            assert trio.current_time() - began >= SHORT_S
            payloads = [payload for _, _, payload in wire() if payload]
        assert payloads[:2] == [b"1", b"2"]


async def test_a_late_packet_is_overtaken():
    async with routed() as run:
        client, server = await run.pair()
        run.decide = first(DATA, UP, Forwarded((0.1,), in_order=False))
        with run.wire(PROXY) as wire:
            await client.send(b"1")
            await until(lambda: run.of(DATA, UP))
            await client.send(b"2")
            assert await read(server, 2) == b"12"
            assert next(payload for _, _, payload in wire() if payload) == b"2"


async def test_what_waits_beyond_the_limit_is_lost_and_the_run_says_so(monkeypatch):
    monkeypatch.setattr(router_module, "QUEUE_LIMIT", 0)
    with pytest.raises(SetupError, match=r"lost \d+ packets for want of room"):  # noqa: PT012 - the block's end raises
        async with routed(every(Forwarded((60.0,)))) as run:
            listener = await run.listen()
            with trio.move_on_after(SHORT_S):
                await run.dial(listener)
            assert run.router.dropped > 0


async def test_what_nobody_could_read_in_time_is_counted_too(monkeypatch):
    monkeypatch.setattr(tun_module, "QUEUE_PACKETS", 5)
    with pytest.raises(SetupError, match=r"lost 15 packets for want of room"):  # noqa: PT012 - the block's end raises
        async with routed() as run:
            with datagrams(run) as (sender, _):
                for _ in range(20):
                    sender.send(b"hello")
            assert run.router.dropped == 15


# --- forged ---------------------------------------------------------------------------------


async def test_forged_resets_end_both_ends_of_an_idle_connection():
    async with routed() as run:
        client, server = await run.pair()
        await stream(server, client, b"before")
        run.decide = first(DATA, UP, Forged())
        await client.send(b"hello")
        assert await outcome(client.recv(1)) == "ECONNRESET"
        assert await outcome(forever(lambda: server.recv(5))) == "ECONNRESET"


@pytest.mark.parametrize("direction", [UP, DOWN])
async def test_forged_resets_end_both_ends_of_a_busy_connection(direction):
    async with routed() as run:
        client, server = await run.pair()
        endings = []

        async def pour(sock):
            endings.append(await outcome(forever(sender_of(sock, MEGABYTES))))

        async def drain(sock):
            endings.append(await outcome(forever(lambda: sock.recv(65_536))))

        async with trio.open_nursery() as nursery:
            for sock in (client, server):
                nursery.start_soon(pour, sock)
                nursery.start_soon(drain, sock)
            await until(lambda: len(run.of(DATA, direction)) > 1_000)
            run.decide = first(DATA, direction, Forged())
        assert len(endings) == 4
        assert set(endings) <= {"ECONNRESET", "EPIPE", "ended"}
        assert endings.count("ECONNRESET") >= 2


async def forever(call):
    """Calls again and again until it fails, or says that there is no more."""
    while await call() != b"":
        pass
    return "ended"


async def test_forged_resets_meet_a_connect_as_well():
    async with routed(first(SYN, UP, Forged())) as run:
        listener = await run.listen()
        assert await outcome(run.dial(listener)) == "ECONNREFUSED"


# --- the links around it --------------------------------------------------------------------


async def test_a_link_that_is_down_loses_packets_and_ends_nothing():
    async with routed() as run:
        client, server = await run.pair()
        run.netlink.perform(plan.link(run.place, PROXY, up=False))
        await client.send(b"hello")
        await until(lambda: len(run.of(DATA, UP)) > 1)
        run.netlink.perform(plan.link(run.place, PROXY, up=True))
        assert await read(server, 5) == b"hello"


async def test_a_connection_from_before_is_known_by_who_listens():
    async with routed() as run:
        run.netlink.perform(plan.undivert(run.place))
        client, server = await run.pair()
        run.netlink.perform(plan.divert(run.place))
        run.decide = first(DATA, DOWN, Forged())
        await server.send(b"hello")
        assert await outcome(server.recv(1)) == "ECONNRESET"
        assert (run.packets[0].direction, run.packets[0].flow.client) == (
            DOWN,
            client.getsockname(),
        )
