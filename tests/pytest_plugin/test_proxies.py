"""The ``chaos`` fixture in the tests of a user."""

import pytest

from harness import pytest_plugin
from harness.faults import all_faults
from harness.serve.words import fault_classes

PLAIN = """
import pytest
from harness.pytest_plugin import Idle, Latency, NeverFired, Reset
from serve_backends import connected

opened = []

def test_a_fault_strikes(chaos, address):
    with chaos.proxy(address) as proxy, connected(proxy) as one:
        assert one.say("hi") == "blue hi"
        with proxy.fault(Reset(), when=Idle("50ms")) as fault:
            fault.wait_fired()
    assert [facts.closed_by for facts in proxy.connections] == ["fault:reset"]

def test_a_proxy_may_be_left_open(chaos, address):
    opened.append(chaos.proxy(address))
    with connected(opened[0]) as one:
        assert one.say("hi") == "blue hi"

def test_but_it_is_closed_with_its_test(chaos):
    assert opened[0].is_closed
    with pytest.raises(OSError):
        with connected(opened[0]):
            pass

def test_tls_material_is_at_hand(chaos, address, tmp_path_factory):
    with chaos.proxy(address, tls="terminate") as proxy:
        assert proxy.ca_file.startswith(str(tmp_path_factory.getbasetemp()))
        with connected(proxy, proxy.ssl_context()) as one:
            assert one.say("hi") == "blue hi"
        assert proxy.connections[0].tls_version.startswith("TLS")

def test_backends_rotate(chaos, address, green):
    with chaos.proxy({"blue": address, "green": green}, seed=5) as proxy:
        assert proxy.seed == 5
        with proxy.fault("rotate", to="green") as fault:
            fault.wait_fired()
        with connected(proxy) as one:
            assert one.say("hi") == "green hi"

@pytest.mark.trio
async def test_on_trio(chaos, address):
    import trio
    with chaos.proxy(address) as proxy:
        stream = await trio.open_tcp_stream(proxy.host, proxy.port)
        async with stream:
            await stream.send_all(b"hi\\n")
            assert await stream.receive_some() == b"blue hi\\n"
            with proxy.fault(Reset(), when=Idle(0.02)) as fault:
                while not fault.fired:
                    await trio.sleep(0.01)
                with pytest.raises(trio.BrokenResourceError):
                    await stream.receive_some()

@pytest.mark.parametrize("anyio_backend", ["asyncio"])
@pytest.mark.anyio
async def test_on_asyncio(chaos, address, anyio_backend):
    import asyncio
    with chaos.proxy(address) as proxy:
        reader, writer = await asyncio.open_connection(proxy.host, proxy.port)
        writer.write(b"hi\\n")
        assert await reader.readline() == b"blue hi\\n"
        with proxy.fault(Reset(), when=Idle(0.02)) as fault:
            while not fault.fired:
                await asyncio.sleep(0.01)
            with pytest.raises(ConnectionResetError):
                await reader.read()
        writer.close()
"""


def test_it_works_in_plain_asyncio_and_trio_tests(suite):
    suite.makepyfile(PLAIN)
    result = suite.runpytest_inprocess("-p", "no:cacheprovider", "-p", "anyio")
    result.assert_outcomes(passed=7)


FAILING = """
from harness.pytest_plugin import Idle, Reset
from serve_backends import connected

def test_expects_two(chaos, address):
    proxy = chaos.proxy(address)
    with connected(proxy) as one:
        one.say("hi")
        assert proxy.opened == 2

def test_never_fires(chaos, address):
    with chaos.proxy(address) as proxy:
        with proxy.fault(Reset(), when=Idle("1h")):
            pass

def test_misspells(chaos, address):
    with chaos.proxy(address) as proxy:
        proxy.fault("reset", when={"idel": "2s"})

def test_names_nothing(chaos):
    chaos.proxy("nonsense")

def test_needs_no_proxy(chaos):
    assert 1 == 2
"""


def test_a_failure_shows_what_the_proxy_saw_and_how_to_repeat_it(suite):
    suite.makepyfile(FAILING)
    result = suite.runpytest_inprocess("-p", "no:cacheprovider", "--chaos-seed", "11")
    result.assert_outcomes(failed=5)
    result.stdout.fnmatch_lines(
        [
            "chaos-harness: *--chaos-seed 11",
            "*assert 1 == 2",
            "*- chaos-harness -*",
            "proxy 127.0.0.1:*: 1 connection opened, *",
            "  connection 1 *1 exchange; 3 B up, 8 B down",
            "repeat with  pytest *::test_expects_two --chaos-seed 11",
            "*NeverFired: the fault reset (when: {'idle': '1h'}) never fired, so nothing*",
            "*when.idel: unknown key*did you mean 'idle'*",
            "*'nonsense' is not an address; write HOST:PORT*",
        ]
    )
    assert result.stdout.str().count("repeat with  pytest") == 3
    assert "__exit__" not in result.stdout.str()


def test_every_fault_can_be_imported_from_the_plugin():
    for name, word in fault_classes().items():
        assert word == getattr(pytest_plugin, name).FAULT
    assert set(fault_classes().values()) == set(all_faults())
    with pytest.raises(AttributeError):
        _ = pytest_plugin.Rset
    with pytest.raises(ImportError):
        exec("from harness.pytest_plugin import Rset")


def test_what_it_offers_is_there():
    assert [name for name in pytest_plugin.__all__ if not hasattr(pytest_plugin, name)] == []
