"""trio's own API on simulated sockets: what unmodified programs on trio see."""

import errno
import socket as names
import ssl
from functools import partial

import pytest
import trio
import trio.testing
import trustme
from virtually import virtually

from harness.errors import SetupError
from harness.fabric.virtual.fabric import VirtualFabric

HOUR_S = 3600.0


async def pair():
    """Two connected streams, made by trio's own high-level functions."""
    accepted = []
    listeners = await trio.open_tcp_listeners(0, host="127.0.0.1")
    port = listeners[0].socket.getsockname()[1]

    async def accept():
        accepted.append(await listeners[0].accept())

    async with trio.open_nursery() as nursery:
        nursery.start_soon(accept)
        near = await trio.open_tcp_stream("localhost", port)
    await listeners[0].aclose()
    return near, accepted[0]


def test_bytes_go_both_ways_and_end_one_way_at_a_time():
    async def main(_):
        near, far = await pair()
        await near.send_all(b"question")
        await near.send_eof()
        assert await far.receive_some(100) == b"question"
        assert await far.receive_some(100) == b""
        await far.send_all(b"answer")
        assert await near.receive_some(100) == b"answer"
        await far.aclose()
        return await near.receive_some(100)

    assert virtually(main) == b""


def test_a_rst_breaks_the_stream_and_names_itself():
    async def main(_):
        near, far = await pair()
        far.setsockopt(names.SOL_SOCKET, names.SO_LINGER, b"\x01\0\0\0\0\0\0\0")
        far.socket.close()
        with pytest.raises(trio.BrokenResourceError) as caught:
            await near.receive_some(1)
        return caught.value.__cause__.errno

    assert virtually(main) == errno.ECONNRESET


def test_nobody_listens_there():
    async def main(_):
        await trio.open_tcp_stream("127.0.0.1", 9)

    with pytest.raises(OSError, match="all attempts to connect") as caught:
        virtually(main)
    assert "refused" in str(caught.value.__cause__.exceptions[0])


def test_an_unknown_name_is_no_host_here():
    async def main(_):
        await trio.open_tcp_stream("example.org", 80)

    with pytest.raises(names.gaierror, match="has no host"):
        virtually(main)


def test_there_is_tcp_only():
    async def main(_):
        trio.socket.socket(names.AF_INET, names.SOCK_DGRAM)

    with pytest.raises(OSError, match="TCP only"):
        virtually(main)


def test_closing_a_socket_wakes_who_reads_it():
    async def main(_):
        near, far = await pair()
        async with trio.open_nursery() as nursery:
            nursery.start_soon(partial(expect_closed, near))
            await trio.sleep(1)
            await near.aclose()
        await far.aclose()

    async def expect_closed(stream):
        with pytest.raises(trio.ClosedResourceError):
            await stream.receive_some(1)

    virtually(main)


def test_two_tasks_may_not_read_at_once():
    async def main(_):
        near, far = await pair()
        async with trio.open_nursery() as nursery:
            nursery.start_soon(near.socket.recv, 1)
            await trio.sleep(1)
            with pytest.raises(trio.BusyResourceError):
                await near.socket.recv(1)
            nursery.cancel_scope.cancel()
        await far.aclose()
        await near.aclose()

    virtually(main)


def test_a_full_connection_lets_the_sender_wait_and_loses_nothing():
    sent = bytes(range(256)) * 40_000

    async def main(_):
        near, far = await pair()
        got = bytearray()

        async def read_late():
            await trio.sleep(HOUR_S)
            while chunk := await far.receive_some(70_000):
                got.extend(chunk)

        async with trio.open_nursery() as nursery:
            nursery.start_soon(read_late)
            await near.send_all(sent)
            assert trio.current_time() >= HOUR_S
            await near.send_eof()
        return bytes(got)

    assert virtually(main) == sent


def test_a_cancelled_connect_closes_its_socket():
    async def main(fabric):
        fabric.filter_packets(lambda *_: DROPPED)
        sock = trio.socket.socket()
        with trio.move_on_after(2.0):
            await sock.connect(("127.0.0.1", 80))
        return sock.fileno(), trio.current_time()

    from harness.packet import DROPPED

    assert virtually(main) == (-1, 2.0)


def test_tls_runs_unchanged():
    ca = trustme.CA()
    server, client = (
        ssl.create_default_context(ssl.Purpose.CLIENT_AUTH),
        ssl.create_default_context(),
    )
    ca.issue_cert("localhost").configure_cert(server)
    ca.configure_trust(client)

    async def main(_):
        near, far = await pair()
        inner = trio.SSLStream(near, client, server_hostname="localhost")
        outer = trio.SSLStream(far, server, server_side=True)

        async def echo():
            await outer.send_all(await outer.receive_some(100))
            await outer.aclose()

        async with trio.open_nursery() as nursery:
            nursery.start_soon(echo)
            await inner.send_all(b"secret")
            assert await inner.receive_some(100) == b"secret"
            return await inner.receive_some(100)

    assert virtually(main) == b""


def test_the_stream_keeps_trios_own_rules():
    async def main(_):
        # trio's check of a clogged stream needs a lull that virtual time never has.
        await trio.testing.check_half_closeable_stream(pair, None)

    virtually(main)


def test_a_taken_port_is_refused():
    async def main(fabric):
        taken = fabric.listen("127.0.0.1", 8080)
        fabric.listen("127.0.0.1", taken.number)

    with pytest.raises(SetupError, match=r"can't listen on 127\.0\.0\.1 port 8080"):
        virtually(main)


def test_a_port_refuses_and_listens_again():
    async def main(fabric):
        port = fabric.listen("127.0.0.1", 0)
        port.refuse()
        with pytest.raises(OSError, match="refused"):
            await fabric.dial("127.0.0.1", port.number, 5.0)
        port.listen()
        wire = await fabric.dial("127.0.0.1", port.number, 5.0)
        await port.wait_acceptable()
        return port.accept().peer_port == wire.local_port

    assert virtually(main) is True


def test_a_wire_that_is_interrupted_stays_open():
    async def main(fabric):
        port = fabric.listen("127.0.0.1", 0)
        near = await fabric.dial("127.0.0.1", port.number, 5.0)
        await port.wait_acceptable()
        far = port.accept()
        async with trio.open_nursery() as nursery:
            nursery.start_soon(wait_interrupted, near)
            await trio.sleep(1)
            near.interrupt()
        far.send(b"still here")
        await near.wait_readable()
        return near.recv(100)

    async def wait_interrupted(wire):
        with pytest.raises(trio.ClosedResourceError):
            await wire.wait_readable()

    assert virtually(main) == b"still here"


def test_client_sockets_are_told_of_and_the_proxys_are_not():
    told = []

    async def main(fabric):
        port = fabric.listen("127.0.0.1", 0)
        with fabric.watch_clients(
            lambda *dialed: told.append(("dialed", *dialed)),
            lambda closed: told.append(("closed", closed)),
            lambda lost: told.append(("lost", lost)),
        ):
            stream = await trio.open_tcp_stream("127.0.0.1", port.number)
            ours = stream.socket.getsockname()[1]
            elsewhere = fabric.listen("127.0.0.1", 0)
            elsewhere.refuse()
            with pytest.raises(OSError, match=r"."):
                await trio.open_tcp_stream("127.0.0.1", elsewhere.number)
            origin = (await trio.open_tcp_listeners(0, host="127.0.0.1"))[0]
            wire = await fabric.dial("127.0.0.1", origin.socket.getsockname()[1], 5.0)
            wire.close()
            await stream.aclose()
        return ours

    ours = virtually(main)
    assert [entry[0] for entry in told] == ["dialed", "dialed", "closed"]
    assert told[0] == ("dialed", ours, "ok", 0.0)
    assert told[1][2] == "refused"
    assert told[2] == ("closed", ours)


def test_a_client_that_moves_dials_from_another_address():
    async def main(fabric):
        port = fabric.listen("127.0.0.1", 0)
        first = await trio.open_tcp_stream("127.0.0.1", port.number)
        fabric.change_address()
        second = await trio.open_tcp_stream("127.0.0.1", port.number)
        wire = await fabric.dial("127.0.0.1", port.number, 5.0)
        hosts = [s.socket.getsockname()[0] for s in (first, second)]
        wire.close()
        return hosts

    first, second = virtually(main)
    assert first == "127.0.0.1"
    assert second != first


def test_the_fabric_says_what_it_can_do():
    fabric = VirtualFabric()
    assert fabric.capabilities.packets
    assert not fabric.capabilities.real_time
