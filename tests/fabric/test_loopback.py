"""What a wire and a port of the loopback fabric do, told by the kernel's answers."""

import socket

import pytest
import trio
import trio.testing

from harness.errors import SetupError
from harness.fabric import LoopbackFabric

LATE_S = 20.0


async def wires(fabric):
    port = fabric.listen("127.0.0.1", 0)
    near = await fabric.dial("127.0.0.1", port.number, LATE_S)
    with trio.fail_after(LATE_S):
        await port.wait_acceptable()
    return port, near, port.accept()


async def received(wire):
    with trio.fail_after(LATE_S):
        while True:
            try:
                return wire.recv(100)
            except BlockingIOError:
                await wire.wait_readable()


async def test_bytes_fin_and_rst_are_told_apart():
    port, near, far = await wires(LoopbackFabric())
    assert (near.local_port, far.peer_port) == (far.peer_port, near.local_port)
    near.send(b"hello")
    assert await received(far) == b"hello"
    near.shutdown_write()
    assert await received(far) == b""
    far.send(b"still")
    assert await received(near) == b"still"
    far.reset()
    with pytest.raises(ConnectionResetError):
        await received(near)
    for end in (near, far, port):
        end.close()


async def test_closing_is_harmless_twice_and_wakes_who_waits():
    port, near, far = await wires(LoopbackFabric())

    async def waits(scope=trio.TASK_STATUS_IGNORED):
        with pytest.raises(trio.ClosedResourceError):
            await near.wait_readable()

    async with trio.open_nursery() as nursery:
        nursery.start_soon(waits)
        await trio.testing.wait_all_tasks_blocked()
        near.close()
    near.close()
    near.reset()
    near.shutdown_write()
    assert near.unsent_bytes() == 0
    with pytest.raises(trio.ClosedResourceError):
        await near.wait_writable()
    for end in (far, port):
        end.close()


async def test_a_port_that_refuses_keeps_its_number():
    fabric = LoopbackFabric()
    port = fabric.listen("127.0.0.1", 0)
    for _ in range(2):
        port.refuse()
        with pytest.raises(ConnectionRefusedError):
            await fabric.dial("127.0.0.1", port.number, LATE_S)
        with pytest.raises(OSError, match=r"(?i)in use"), socket.socket() as other:
            other.bind(("127.0.0.1", port.number))
        port.listen()
        (await fabric.dial("127.0.0.1", port.number, LATE_S)).close()
    port.close()
    port.close()


async def test_a_taken_port_is_a_mistake_of_the_setup():
    fabric = LoopbackFabric()
    port = fabric.listen("127.0.0.1", 0)
    with pytest.raises(SetupError, match="can't listen"):
        fabric.listen("127.0.0.1", port.number)
    port.close()


async def test_a_cancelled_dial_leaves_no_socket():
    fabric = LoopbackFabric()
    full = socket.socket()
    full.bind(("127.0.0.1", 0))
    full.listen(0)
    taken = [socket.socket() for _ in range(3)]
    for sock in taken:
        sock.setblocking(False)
        sock.connect_ex(full.getsockname())
    with trio.move_on_after(0.05) as scope:
        await fabric.dial("127.0.0.1", full.getsockname()[1], LATE_S)
    assert scope.cancelled_caught
    for sock in (full, *taken):
        sock.close()


def test_its_packets_are_the_kernels_own():
    fabric = LoopbackFabric()
    fabric.filter_packets(None)  # nothing to ask is what it does anyway
    for ask in (lambda: fabric.filter_packets(lambda packet, now: None), fabric.change_address):
        with pytest.raises(SetupError, match="no packets to strike; say --on virtual"):
            ask()
