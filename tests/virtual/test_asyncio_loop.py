"""asyncio's own loop, transports and servers in virtual time."""

import asyncio
import errno
import logging
import select
import socket
import sys

import pytest
import trio
from kit import HOST, virtually

HOUR_S = 3600.0


def on_loop(function, *, seed=0):
    """What an asyncio function returns, alone in a virtual world."""
    return virtually(lambda world: world.bridge.run(function), seed=seed)


def test_an_hour_of_sleep_takes_an_hour_of_the_loop_s_time():
    async def main():
        loop = asyncio.get_running_loop()
        began = loop.time()
        await asyncio.sleep(HOUR_S)
        return loop.time() - began

    assert on_loop(main) == HOUR_S


def test_timers_fire_in_order_and_a_timeout_at_its_instant():
    async def main():
        loop = asyncio.get_running_loop()
        fired = []
        for delay_s in (3.0, 1.0, 2.0, 1.0):
            loop.call_later(delay_s, lambda d=delay_s: fired.append((d, loop.time())))
        with pytest.raises(TimeoutError):
            async with asyncio.timeout(HOUR_S):
                await asyncio.Event().wait()
        return fired, loop.time()

    fired, ended = on_loop(main)
    assert [delay_s for delay_s, _ in fired] == [1.0, 1.0, 2.0, 3.0]
    assert all(at == delay_s for delay_s, at in fired)
    assert ended == HOUR_S


def test_streams_talk_to_a_server_of_asyncio_and_half_close():
    async def serve(reader, writer):
        data = await reader.read()
        writer.write(data[::-1])
        writer.close()
        await writer.wait_closed()

    async def main():
        server = await asyncio.start_server(serve, HOST, 0)
        port = server.sockets[0].getsockname()[1]
        async with server:
            reader, writer = await asyncio.open_connection("localhost", port)
            writer.write(b"abc")
            writer.write_eof()
            answer = await reader.read()
            writer.close()
            await writer.wait_closed()
        return answer

    assert on_loop(main) == b"cba"


def test_drain_waits_while_the_peer_does_not_read():
    size = 8 * 2**20

    async def main(world):
        async def slow(stream):
            await trio.sleep(100)
            taken = 0
            while data := await stream.receive_some(2**20):
                taken += len(data)
            world.note(f"took {taken}")

        async def push(port):
            _, writer = await asyncio.open_connection(HOST, port)
            writer.write(b"x" * size)
            await writer.drain()
            writer.close()
            await writer.wait_closed()
            return asyncio.get_running_loop().time()

        async with world.serving(slow) as port:
            drained = await world.bridge.run(push, port)
            await trio.sleep(1)
        assert drained >= 100
        assert f"took {size}" in [what for _, what in world.trace]

    virtually(main)


@pytest.mark.parametrize("server_side", ["trio", "asyncio"])
def test_tls_is_asyncio_s_own(authority, server_side):
    async def echo_on_trio(stream):
        await stream.send_all(await stream.receive_some(100))

    async def echo_on_asyncio(reader, writer):
        writer.write(await reader.read(100))
        writer.close()

    async def ask(port):
        reader, writer = await asyncio.open_connection("localhost", port, ssl=authority.client())
        assert writer.get_extra_info("ssl_object").version() == "TLSv1.3"
        writer.write(b"secret")
        answer = await reader.readexactly(6)
        writer.close()
        await writer.wait_closed()
        return answer

    async def serve_and_ask():
        server = await asyncio.start_server(echo_on_asyncio, HOST, 0, ssl=authority.server())
        async with server:
            return await ask(server.sockets[0].getsockname()[1])

    async def main(world):
        if server_side == "asyncio":
            return await world.bridge.run(serve_and_ask)
        async with world.serving(echo_on_trio, authority.server()) as port:
            return await world.bridge.run(ask, port)

    assert virtually(main) == b"secret"


def test_start_tls_upgrades_a_connection(authority):
    async def serve(stream):
        assert await stream.receive_some(100) == b"STARTTLS"
        await stream.send_all(b"GO")
        async with trio.SSLStream(stream, authority.server(), server_side=True) as secure:
            await secure.send_all(b"hidden")

    async def ask(port):
        reader, writer = await asyncio.open_connection(HOST, port)
        writer.write(b"STARTTLS")
        assert await reader.readexactly(2) == b"GO"
        await writer.start_tls(authority.client(), server_hostname="localhost")
        answer = await reader.readexactly(6)
        writer.close()
        return answer

    async def main(world):
        async with world.serving(serve) as port:
            return await world.bridge.run(ask, port)

    assert virtually(main) == b"hidden"


def test_a_closed_port_refuses():
    async def main():
        with pytest.raises(ConnectionRefusedError):
            await asyncio.open_connection(HOST, 9)

    on_loop(main)


def test_a_reset_is_told_as_a_reset():
    async def main(world):
        async def wait(port):
            reader, writer = await asyncio.open_connection(HOST, port)
            writer.write(b"x")
            with pytest.raises(ConnectionResetError) as caught:
                await reader.read()
            writer.close()
            return caught.value.errno

        async def die(stream):
            await stream.receive_some(1)
            world.reset_all()

        async with world.serving(die) as port:
            return await world.bridge.run(wait, port)

    assert virtually(main) == errno.ECONNRESET


def test_sock_calls_work_on_sockets_made_by_hand():
    async def main():
        loop = asyncio.get_running_loop()
        with socket.socket() as listener, socket.socket() as client:
            assert isinstance(client, socket.socket)
            for sock in (listener, client):
                sock.setblocking(False)
            listener.bind((HOST, 0))
            listener.listen()
            await loop.sock_connect(client, listener.getsockname())
            served, address = await loop.sock_accept(listener)
            assert address == client.getsockname()
            with served:
                await loop.sock_sendall(client, b"one")
                buffer = bytearray(8)
                assert await loop.sock_recv_into(served, buffer) == 3
                waiting = asyncio.ensure_future(loop.sock_recv(client, 10))
                await asyncio.sleep(1)
                await loop.sock_sendall(served, b"two")
                assert await waiting == b"two"
                client.connect_ex(listener.getsockname())  # 0 the first time, as on Linux
                assert client.connect_ex(listener.getsockname()) == errno.EISCONN

    on_loop(main)


def test_outside_the_loop_sockets_are_real():
    before = socket.socket

    async def main(world):
        await world.bridge.run(asyncio.sleep, 1)
        assert socket.socket is before

    virtually(main)
    assert socket.socket is before


def test_the_descriptor_of_an_idle_connection_polls_readable_once_its_server_closed_it():
    def polls(writer):
        poll = select.poll()
        poll.register(writer.get_extra_info("socket").fileno(), select.POLLIN)
        return bool(poll.poll(0))

    async def main(world):
        async def watch(port):
            _, writer = await asyncio.open_connection(HOST, port)
            writer.transport.pause_reading()
            seen = [polls(writer)]
            await asyncio.sleep(61)
            seen.append(polls(writer))
            writer.close()
            return seen

        async def leave(_):
            await trio.sleep(60)

        async with world.serving(leave) as port:
            return await world.bridge.run(watch, port)

    assert virtually(main) == [False, True]


def test_names_are_literals_or_localhost():
    async def main():
        loop = asyncio.get_running_loop()
        [six] = await loop.getaddrinfo("::1", "80", type=socket.SOCK_STREAM)
        assert six[0] == socket.AF_INET6
        assert six[4][:2] == ("::1", 80)
        [four] = await loop.getaddrinfo("localhost", 80)
        assert four[4] == (HOST, 80)
        with pytest.raises(socket.gaierror, match="no host is called"):
            await loop.getaddrinfo("example.com", 80)
        return await loop.getnameinfo((HOST, 80))

    assert on_loop(main) == (HOST, "80")


def test_threads_signals_and_other_kinds_of_sockets_are_refused():
    async def main():
        loop = asyncio.get_running_loop()
        with pytest.raises(RuntimeError, match="the virtual network has no threads"):
            await asyncio.to_thread(print)
        with pytest.raises(NotImplementedError):
            loop.add_signal_handler(2, print)
        with pytest.raises(OSError, match="not supported"):
            await loop.create_datagram_endpoint(asyncio.DatagramProtocol, (HOST, 0))
        with pytest.raises(ValueError, match="no socket of the virtual network"):
            loop.add_reader(0, print)

    on_loop(main)


def test_an_exception_nobody_awaits_is_logged(caplog):
    async def main():
        asyncio.get_running_loop().call_soon(lambda: 1 / 0)
        await asyncio.sleep(1)

    with caplog.at_level(logging.ERROR, "asyncio"):
        on_loop(main)
    assert "ZeroDivisionError" in caplog.text


@pytest.mark.skipif(
    sys.version_info < (3, 12), reason="asyncio sends lists of buffers from 3.12 on"
)
def test_many_writes_leave_in_order():
    async def main(world):
        async def serve(stream):
            await trio.sleep(1)
            received = b""
            while data := await stream.receive_some(2**20):
                received += data
            world.note(str(hash(received) == hash(expected)))

        expected = b"".join(b"%d," % number * 1000 for number in range(1000))

        async def push(port):
            _, writer = await asyncio.open_connection(HOST, port)
            for number in range(1000):
                writer.write(b"%d," % number * 1000)
            writer.close()
            await writer.wait_closed()

        async with world.serving(serve) as port:
            await world.bridge.run(push, port)
            await trio.sleep(5)
        assert "True" in [what for _, what in world.trace]

    virtually(main)
