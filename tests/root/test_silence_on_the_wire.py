"""Packets that vanish: what the wire shows, and what sockets on both sides see of it."""

import errno

import pytest
import trio
from lab import BACK, FRONT, exchange, lab, why_not
from raw import fault, until, when
from watching import ACK, FIN, RST, SYN, UNREACHABLE

from harness.scenario import Topology

pytestmark = pytest.mark.skipif(bool(why_not()), reason=why_not() or "never")

IMPATIENT_MS = 600
"""TCP_USER_TIMEOUT; Linux retransmits after 200 ms, 400 ms and so on."""
KEEPALIVE = {"TCP_KEEPIDLE": 1, "TCP_KEEPINTVL": 1, "TCP_KEEPCNT": 1}
RETRANSMISSIONS = 2
WHILE_S = 0.3
LATE_S = 0.1
"""Far more than a packet takes; what was on its way has arrived then."""


async def end_of(peer):
    """The name of the errno that ends a connection."""
    with pytest.raises(OSError) as caught:  # noqa: PT011 - every errno is an answer
        await peer.sock.recv(1)
    return errno.errorcode[caught.value.errno]


async def keeps_alive(box):
    client, _ = await box.pair(**KEEPALIVE)
    client.sock.setsockopt(trio.socket.SOL_SOCKET, trio.socket.SO_KEEPALIVE, 1)
    return client


async def test_under_blackhole_user_timeout_and_keepalive_fire():
    async with lab() as box:
        (front,) = box.others
        client, _ = await box.pair(TCP_USER_TIMEOUT=IMPATIENT_MS)
        idle = await keeps_alive(box)
        box.proxy.arm([fault("blackhole")])
        begun = front.mark()
        await client.send(b"into the dark")
        with trio.fail_after(20):
            assert await end_of(client) == "ETIMEDOUT"
            assert await end_of(idle) == "ETIMEDOUT"
        tries = [packet for packet in box.client.sent() if packet.size > 1]
        assert len([packet for packet in tries if packet.seq == tries[-1].seq]) > 1
        assert front.since(begun + LATE_S) == []
        assert [packet for packet in box.client.arrived() if packet.at > begun + LATE_S] == []
        assert {event.fault for event in await box.fired()} == {"blackhole"}


async def test_under_a_stall_neither_fires_for_the_kernel_still_acknowledges():
    async with lab() as box:
        client, _ = await box.pair(TCP_USER_TIMEOUT=IMPATIENT_MS)
        idle = await keeps_alive(box)
        box.proxy.arm([fault("stall")])
        begun = box.client.mark()
        await client.send(b"into cotton wool")
        assert await idle.silent_for(3)  # keepalive gives up after two seconds
        assert await client.silent_for(0.01)
        answers = [packet for packet in box.client.arrived() if packet.at > begun]
        assert {packet.target[1] for packet in answers} == {client.port, idle.port}
        assert all(packet.flags == ACK and not packet.size for packet in answers)


async def test_a_blackhole_that_heals_lets_through_what_is_sent_again():
    async with lab() as box:
        client, server = await box.pair()
        box.proxy.arm([fault("blackhole", direction="upstream")])
        await client.send(b"late")
        assert await server.silent_for(WHILE_S)
        box.proxy.heal_all()
        assert await server.read(4) == b"late"


async def test_one_connection_in_a_blackhole_leaves_the_others_alone():
    async with lab(fault("blackhole", when(connection=1, request=2))) as box:
        (client, server), (other, its_server) = await box.pair(), await box.pair()
        await client.send(b"?")
        assert await server.read(1) == b"?"  # that was what it waited for
        await server.send(b"gone")
        assert await client.silent_for(WHILE_S)
        await exchange(other, its_server)


async def test_a_vanished_connection_is_silent_until_its_client_speaks_and_hears_rst():
    async with lab() as box:
        (front,) = box.others
        client, server = await box.pair()
        box.proxy.arm([fault("vanish")])
        begun = front.mark()
        assert await client.silent_for(WHILE_S)
        assert [p for p in box.client.since(begun) if p.has(RST) or p.has(FIN)] == []
        await client.send(b"anybody there?")
        assert await end_of(client) == "ECONNRESET"
        (reset,) = [packet for packet in box.client.arrived() if packet.has(RST)]
        assert reset.source == box.target
        assert [packet for packet in front.since(begun) if packet.has(RST)] == []
        assert await server.silent_for(0.01)
        await exchange(*await box.pair())


async def test_a_dropped_syn_is_sent_again_a_second_later():
    async with lab(fault("drop_syn", attempts=1)) as box:
        (front,) = box.others
        await box.pair()
        first, second = [packet for packet in box.client.sent() if packet.flags == SYN]
        assert first.seq == second.seq
        assert second.at - first.at > 0.9
        (arrived,) = [packet for packet in front.arrived() if packet.flags == SYN]
        assert arrived.at > second.at


# --- partition ------------------------------------------------------------------------------


async def test_a_partition_that_drops_says_nothing_to_anybody():
    async with lab() as box:
        client, server = await box.pair()
        box.proxy.arm([fault("partition")])
        begun = box.client.mark()
        await client.send(b"?")
        with trio.move_on_after(WHILE_S) as waiting:
            await box.dial()
        assert waiting.cancelled_caught
        assert [p for p in box.client.arrived() if p.at > begun + LATE_S] == []
        box.proxy.heal_all()
        assert await server.read(1) == b"?"


async def test_a_partition_that_resets_refuses_connects_and_breaks_what_speaks():
    async with lab() as box:
        (front,) = box.others
        client, _ = await box.pair()
        silent, its_server = await box.pair()
        box.proxy.arm([fault("partition", how="reset")])
        begun = front.mark()
        with pytest.raises(ConnectionRefusedError):
            await box.dial()
        await client.send(b"?")
        assert await end_of(client) == "ECONNRESET"
        resets = [packet for packet in box.client.arrived() if packet.has(RST)]
        assert {packet.source for packet in resets} == {box.target}
        assert [packet for packet in front.since(begun) if packet.has(RST)] == []
        box.proxy.heal_all()
        await exchange(silent, its_server)


async def test_a_partition_that_is_unreachable_answers_by_icmp():
    async with lab() as box:
        client, server = await box.pair()
        box.proxy.arm([fault("partition", how="unreachable")])
        with pytest.raises(OSError, match="No route to host") as caught:
            await box.dial()
        assert caught.value.errno == errno.EHOSTUNREACH
        await client.send(b"?")  # whoever is connected retransmits and waits
        assert await client.silent_for(WHILE_S)
        told = [packet for packet in box.client.arrived() if packet.icmp]
        assert {packet.icmp for packet in told} == {(UNREACHABLE, 1)}
        assert {packet.source[0] for packet in told} == {"198.18.1.1"}
        box.proxy.heal_all()
        assert await server.read(1) == b"?"


async def test_a_partition_in_one_direction_lets_the_other_pass():
    async with lab() as box:
        (front,) = box.others
        client, server = await box.pair()
        box.proxy.arm([fault("partition", direction="downstream")])
        begun = box.client.mark()
        await client.send(b"?")
        assert await server.read(1) == b"?"
        await server.send(b"!")
        assert await client.silent_for(WHILE_S)
        assert [p for p in front.sent() if p.size and p.at > begun]
        assert [p for p in box.client.arrived() if p.at > begun] == []
        box.proxy.heal_all()
        assert await client.read(1) == b"!"


async def test_a_flapping_partition_lets_packets_through_only_while_it_is_up():
    down_s, up_s = 0.2, 0.3
    async with lab() as box:
        (front,) = box.others
        client, _ = await box.pair()
        begun = front.mark()
        box.proxy.arm([fault("partition", down_s=down_s, up_s=up_s)])
        for _ in range(150):
            await client.send(b"x")
            await trio.sleep(0.01)
        ages = [packet.at - begun for packet in front.arrived() if packet.at > begun + LATE_S]
        early = [age for age in ages if LATE_S < age % (down_s + up_s) < down_s - 0.001]
        assert early == []
        assert len({int(age / (down_s + up_s)) for age in ages}) >= 2


# --- the client's own network ---------------------------------------------------------------


async def test_without_its_link_a_host_sends_nothing_and_connects_fail_at_once():
    async with lab() as box:
        (front,) = box.others
        client, server = await box.pair()
        box.proxy.arm([fault("link_down")])
        begun = front.mark()
        with pytest.raises(OSError, match="unreachable") as caught:
            await box.dial()
        assert caught.value.errno == errno.ENETUNREACH
        await client.send(b"?")
        assert await server.silent_for(WHILE_S)
        assert front.since(begun + LATE_S) == []
        box.proxy.heal_all()
        assert await server.read(1) == b"?"


async def test_after_roaming_connects_come_from_the_new_address_and_old_ones_are_silent():
    async with lab() as box:
        (front,) = box.others
        client, server = await box.pair()
        old, port = client.sock.getsockname()
        box.proxy.arm([fault("address_change")])
        fresh, its_server = await box.pair()
        new = fresh.sock.getsockname()[0]
        assert new != old
        assert front.arrived()[-1].source[0] == new
        await client.send(b"from nowhere")
        await server.send(b"to nowhere")
        assert await client.silent_for(WHILE_S)
        assert await server.silent_for(0.01)
        assert [p for p in box.client.arrived() if p.target == (old, port) and p.size > 1] == []
        await exchange(fresh, its_server)


async def test_nat_forgets_who_is_silent_and_answers_by_rst():
    async with lab(fault("nat_expiry", after_s=0.5)) as box:
        (front,) = box.others
        client, server = await box.pair()
        for _ in range(8):
            await trio.sleep(0.1)
            await exchange(client, server)  # who speaks is not forgotten
        begun = front.mark()
        await trio.sleep(0.7)
        await client.send(b"?")
        assert await end_of(client) == "ECONNRESET"
        assert front.since(begun + LATE_S) == []
        await exchange(*await box.pair())


async def test_nat_forgets_who_is_silent_and_drops_what_comes():
    async with lab(fault("nat_expiry", after_s=0.3, answer="drop")) as box:
        client, server = await box.pair()
        await trio.sleep(0.5)
        begun = box.client.mark()
        await client.send(b"?")
        assert await client.silent_for(WHILE_S)
        assert await server.silent_for(0.01)
        assert len(box.client.since(begun)) >= RETRANSMISSIONS
        assert [packet for packet in box.client.arrived() if packet.at > begun] == []


async def test_packets_larger_than_the_path_vanish_without_a_word_and_small_ones_pass():
    limit = 600
    async with lab(fault("mtu", limit_bytes=limit)) as box:
        (front,) = box.others
        client, server = await box.pair()
        await exchange(client, server, b"?", b"!" * 500)
        await server.send(b"!" * 1400)
        assert await client.silent_for(2 * WHILE_S)
        assert max(packet.length for packet in box.client.arrived()) <= limit + 12
        large = [packet for packet in front.sent() if packet.length > limit + 12]
        assert len(large) >= RETRANSMISSIONS
        assert [packet for packet in front.arrived() if packet.icmp] == []


# --- who ends it ----------------------------------------------------------------------------


async def test_a_forged_rst_reaches_both_ends_and_neither_has_sent_one():
    async with lab() as box:
        (front,) = box.others
        client, server = await box.pair()
        box.proxy.arm([fault("forged_reset")])
        await client.send(b"forbidden word")
        assert await end_of(client) == "ECONNRESET"
        _, how = await server.rest()
        assert how == "RST"  # the proxy was reset, and passes that on
        for end, other in ((box.client, box.target), (front, client.sock.getsockname())):
            forged = [packet for packet in end.arrived() if packet.has(RST)]
            assert {packet.source for packet in forged} == {other}
            assert [packet for packet in end.sent() if packet.has(RST)] == []
        expected = max(p.seq + p.size for p in front.arrived() if not p.has(RST))
        assert expected in {packet.seq for packet in front.arrived() if packet.has(RST)}


async def test_a_destroyed_socket_is_aborted_here_and_reset_there():
    async with lab() as box:
        (front,) = box.others
        client, server = await box.pair()
        spared, its_server = await box.pair()
        box.proxy.arm([fault("sock_destroy", when(connection=1))])
        assert await end_of(client) == "ECONNABORTED"
        assert (await server.rest())[1] == "RST"
        (reset,) = [packet for packet in front.arrived() if packet.has(RST)]
        assert reset.source == client.sock.getsockname()
        await exchange(spared, its_server)


# --- no room --------------------------------------------------------------------------------


async def test_a_full_backlog_drops_syns_and_its_kernel_counts_them():
    async with lab() as box:
        (front,) = box.others
        client, server = await box.pair()
        before = box.count("proxy", "TcpExt", "ListenOverflows")
        box.proxy.arm([fault("backlog_full")])
        begun = front.mark()
        with trio.move_on_after(WHILE_S) as waiting:
            await box.dial()
        assert waiting.cancelled_caught
        assert [p.flags for p in front.since(begun) if p.has(SYN)] == [SYN]  # and no answer
        assert box.count("proxy", "TcpExt", "ListenOverflows") > before
        await exchange(client, server)
        box.proxy.heal_all()
        await exchange(*await box.pair())


async def test_a_host_without_ports_cannot_dial_and_sends_nothing():
    async with lab(fault("port_exhaustion", ports=3)) as box:
        (front,) = box.others
        for _ in range(3):
            await box.dial()
        before = len([p for p in front.seen if p.flags == SYN])
        with pytest.raises(OSError, match="assign requested address") as caught:
            await box.dial()
        assert caught.value.errno == errno.EADDRNOTAVAIL
        assert len([p for p in front.seen if p.flags == SYN]) == before == 3
        box.proxy.heal_all()
        await box.dial()


# --- sides ----------------------------------------------------------------------------------


async def test_a_fault_on_the_backends_side_leaves_the_clients_side_alone():
    async with lab(fault("blackhole", when(request=2), side="backend"), watch=(FRONT, BACK)) as box:
        front, back = box.others
        client, server = await box.pair()
        await client.send(b"?")
        assert await server.silent_for(WHILE_S)
        asked = front.arrived()[-1]
        assert front.sent()[-1].ack == asked.seq + asked.size
        again = [packet for packet in back.sent() if packet.size == 1]
        assert len({packet.seq for packet in again[1:]}) == 1
        assert len(again) > RETRANSMISSIONS


async def test_beside_a_sidecar_the_way_to_the_backend_is_struck():
    topology = Topology(proxy="client")
    async with lab(
        fault("partition", side="backend", how="reset"), watch=(), topology=topology
    ) as box:
        client = await box.dial()
        assert (await client.rest())[1] == "RST"
        await until(lambda: any(packet.has(RST) for packet in box.client.arrived()))
