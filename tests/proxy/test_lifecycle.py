"""A proxy that runs: backends that change, scarce descriptors, many connections, and its end."""

import subprocess
import sys
import textwrap
from pathlib import Path

import pytest
import trio
from raw import FIN, RST, Bench, Peer, bench, fault, listening, until, when

from harness.errors import SetupError
from harness.fabric import LoopbackFabric
from harness.history import (
    BackendRestored,
    BackendRetired,
    ConnectionClosed,
    ConnectionOpened,
    FaultFired,
)
from harness.proxy import Address, ProxySettings, open_proxy
from harness.units import Spread

TWO = ("blue", "green")


async def exchange(client, server):
    await client.send(b"q")
    await server.read(1)
    await server.send(b"r")
    await client.read(1)


async def pair_with(b: Bench, name):
    client = await b.client()
    return client, await b.servers[name].accept()


# --- backends -------------------------------------------------------------------------------


async def test_a_hard_rotation_resets_live_connections_and_sends_new_ones_elsewhere():
    async with bench(
        fault("rotate", when(during="deploy"), to="green", cut=True), backends=TWO
    ) as b:
        old, old_server = await pair_with(b, "blue")
        await exchange(old, old_server)
        b.proxy.enter_phase("deploy")
        assert await old.rest() == (b"", RST)
        assert await old_server.rest() == (b"", RST)
        await exchange(*await pair_with(b, "green"))
        (retired,) = b.of(BackendRetired)
        assert (retired.backend, retired.successor, retired.drain) == ("blue", "green", False)
        assert (await b.told(ConnectionClosed))[0].by == "fault:rotate"


async def test_a_draining_rotation_lets_an_exchange_finish():
    spec = fault("rotate", when(during="deploy"), to="green", drain=True)
    async with bench(spec, backends=TWO) as b:
        old, old_server = await pair_with(b, "blue")
        await old.send(b"q")
        await old_server.read(1)
        b.proxy.enter_phase("deploy")
        assert await old.silent_for(0.1)
        await old_server.send(b"the reply")
        assert await old.rest() == (b"the reply", FIN)
        await exchange(*await pair_with(b, "green"))


async def test_a_drain_loses_nothing_that_a_stall_holds():
    specs = [fault("stall", direction="downstream"), fault("rotate", when(during="d"), drain=True)]
    async with bench(*specs, backends=TWO) as b:
        old, old_server = await pair_with(b, "blue")
        await old.send(b"q")
        await old_server.read(1)
        await old_server.send(b"held")
        b.proxy.enter_phase("d")
        assert await old.silent_for(0.1)
        b.proxy.heal_all()
        assert await old.rest() == (b"held", FIN)


async def test_a_keeping_rotation_leaves_live_connections_alone():
    async with bench(fault("rotate", when(during="deploy")), backends=TWO) as b:
        old = await pair_with(b, "blue")
        b.proxy.enter_phase("deploy")
        await exchange(*await pair_with(b, "green"))
        await exchange(*old)


async def test_rotating_again_and_again_goes_round():
    async with bench(backends=TWO) as b:
        for name in ("green", "blue", "green"):
            b.proxy.arm([fault("rotate")])
            await exchange(*await pair_with(b, name))
        assert [event.backend for event in b.of(BackendRestored)] == ["blue", "green"]


async def test_a_connection_that_waited_through_a_rotation_goes_to_the_successor():
    specs = [fault("accept_hang", when(connection=1)), fault("rotate", when(during="deploy"))]
    async with bench(*specs, backends=TWO) as b:
        client = await b.client()
        await until(lambda: b.of(FaultFired))
        b.proxy.enter_phase("deploy")
        b.proxy.heal_all()
        await exchange(client, await b.servers["green"].accept())


async def test_a_killed_backend_resets_refuses_and_lives_again_when_healed():
    async with bench(fault("kill", when(during="outage"))) as b:
        client, server = await b.pair()
        await exchange(client, server)
        b.proxy.enter_phase("outage")
        assert await client.rest() == (b"", RST)
        assert await (await b.client()).rest() == (b"", RST)
        b.proxy.heal_all()
        await exchange(*await b.pair())
        assert [event.backend for event in b.of(BackendRestored)] == ["blue"]


@pytest.mark.parametrize("over", ["phase", "time"])
async def test_a_killed_backend_lives_again_when_its_window_is_over(over):
    conditions = {"during": "outage"} if over == "phase" else {"at_s": 0.0, "for_s": 0.1}
    async with bench(fault("kill", when(**conditions))) as b:
        b.proxy.enter_phase("outage")
        assert await (await b.client()).rest() == (b"", RST)
        if over == "phase":
            b.proxy.enter_phase("after")
        await b.told(BackendRestored)
        await exchange(*await b.pair())


async def test_healing_one_kill_does_not_revive_the_others_victim():
    async with bench(backends=TWO) as b:
        first, second = b.proxy.arm([fault("kill", backend="blue"), fault("kill", backend="green")])
        b.proxy.heal(first)
        assert b.proxy.backends.dead == {"green"}
        await exchange(*await pair_with(b, "blue"))
        b.proxy.heal(second)
        assert b.proxy.backends.dead == set()


async def test_round_robin_takes_turns():
    async with bench(backends=TWO, round_robin=True) as b:
        for name in ("blue", "green", "blue"):
            await exchange(*await pair_with(b, name))


# --- many, and scarce -----------------------------------------------------------------------

SCARCE = """
    import os, resource, sys, trio
    sys.path.insert(0, {helpers!r})
    from raw import Peer, bench
    from harness.history import AcceptFailed

    async def main():
        async with bench() as b:
            socks = [trio.socket.socket() for _ in range(4)]
            b.clients += [Peer(sock) for sock in socks]
            used = {{int(name) for name in os.listdir("/proc/self/fd")}}
            fillers = [os.dup(0) for _ in range(max(used) + 1 - len(used))]
            resource.setrlimit(resource.RLIMIT_NOFILE, (max(used), 4096))
            for sock in socks:
                await sock.connect(("127.0.0.1", b.proxy.port.number))
            await b.told(AcceptFailed)
            resource.setrlimit(resource.RLIMIT_NOFILE, (4096, 4096))
            for client in b.clients:
                await client.send(b"q")
            for _ in b.clients:
                assert await (await b.server.accept()).read(1) == b"q"
            for filler in fillers:
                os.close(filler)
            print("served")

    trio.run(main)
"""

CROWD = """
    import sys, trio
    sys.path.insert(0, {helpers!r})
    from raw import bench

    async def main():
        async with bench() as b:
            async with trio.open_nursery() as nursery:
                for _ in range(20):
                    nursery.start_soon(hundred, b)
                for _ in range(2000):
                    server = await b.server.accept()
                    assert await server.read(1) == b"q"
                    await server.send(b"r")
            assert b.proxy.open_connections == 2000, b.proxy.open_connections
            print("all at once")

    async def hundred(b):
        for _ in range(100):
            client = await b.client()
            await client.send(b"q")
            assert await client.read(1) == b"r"

    trio.run(main)
"""


def run_apart(script):
    """A script in a process of its own, whose limits it may change."""
    text = textwrap.dedent(script).format(helpers=str(Path(__file__).parent))
    done = subprocess.run(
        [sys.executable, "-W", "error", "-c", text],
        capture_output=True,
        text=True,
        timeout=60,
        check=False,
    )
    assert done.returncode == 0, done.stderr
    return done.stdout.strip()


@pytest.mark.skipif(sys.platform != "linux", reason="counts descriptors in /proc")
def test_accepting_survives_a_lack_of_descriptors_and_tells():
    assert run_apart(SCARCE) == "served"


@pytest.mark.skipif(sys.platform != "linux", reason="needs 8,000 descriptors")
def test_two_thousand_connections_at_once():
    assert run_apart(CROWD) == "all at once"


# --- the end --------------------------------------------------------------------------------


def descriptors():
    return len(list(Path("/proc/self/fd").iterdir()))


class OopsError(Exception):
    pass


async def busy_proxy(leave):
    """A proxy with connections in every state, left by ``leave``."""
    async with bench(
        fault("accept_hang", when(connection=1)),
        fault("connect_delay", when(connection=2), delay_s=600.0),
        fault("latency", when(connection=3), delay_s=Spread(600.0)),
        fault("stall", when(connection=4)),
    ) as b:
        for _ in range(4):
            await b.client()
        for _ in range(2):  # the third and the fourth get as far as this
            await b.server.accept()
        served, server = await b.pair()
        await exchange(served, server)
        await b.told(ConnectionOpened, 5)
        await leave()


@pytest.mark.skipif(sys.platform != "linux", reason="counts descriptors in /proc")
@pytest.mark.parametrize("how", ["ends", "raises", "is cancelled"])
async def test_nothing_is_left_open_when_the_block(how):
    async def leave():
        if how == "raises":
            raise OopsError
        if how == "is cancelled":
            scope.cancel()
            await trio.lowlevel.checkpoint()

    before = descriptors()
    with trio.CancelScope() as scope:
        if how == "raises":
            with pytest.raises(OopsError):  # as it is, in no group
                await busy_proxy(leave)
        else:
            await busy_proxy(leave)
    assert scope.cancelled_caught == (how == "is cancelled")
    assert descriptors() == before


async def test_a_port_that_is_taken_is_a_mistake_of_the_setup():
    server = await listening()
    fabric = LoopbackFabric()
    settings = ProxySettings(backends={"blue": Address("127.0.0.1", 1)}, port=server.port)
    async with fabric.running():
        with pytest.raises(SetupError, match="another port"):
            async with open_proxy(settings, fabric):
                raise AssertionError("it listens on a port that is taken")
    server.close()


async def test_the_end_of_the_proxy_ends_its_connections():
    async with bench() as b:
        client, server = await b.pair()
        await exchange(client, server)
        kept = [Peer(client.sock), Peer(server.sock)]
        b.clients.clear()
        b.server.peers.clear()
    for peer in kept:
        assert (await peer.rest())[0] == b""
        peer.close()
