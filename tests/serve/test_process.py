"""Proxies in a process of their own, over real sockets."""

import os
import signal
import socket
import subprocess
import sys
import textwrap
import threading
import time
from concurrent.futures import ThreadPoolExecutor
from contextlib import suppress
from pathlib import Path

import pytest
from serve_backends import connected

from harness.errors import InputError, SetupError
from harness.serve import (
    At,
    Connection,
    During,
    Idle,
    NeverFired,
    NotInTime,
    ProxyProcess,
    Request,
    fault_named,
    messages,
)
from harness.serve import process as process_module

Reset, Stall, Latency = fault_named("Reset"), fault_named("Stall"), fault_named("Latency")
POSIX = pytest.mark.skipif(sys.platform == "win32", reason="signals of POSIX")
GONE_S = 20.0


# --- what goes through ----------------------------------------------------------------------


def test_it_passes_everything_on_and_knows_what_went_through(proxy):
    with connected(proxy) as one:
        assert one.say("hi") == "blue hi"
        assert one.say("ho") == "blue ho"
        (facts,) = proxy.connections
        assert facts.is_open
        assert (facts.exchanges, facts.bytes_up, facts.bytes_down) == (2, 6, 16)
        assert proxy.open_now == 1
    proxy.wait_until(lambda p: p.open_now == 0)
    (facts,) = proxy.connections
    assert (facts.closed_by, facts.closed_how, facts.backend) == ("client", "fin", "backend")
    assert (proxy.opened, proxy.reused) == (1, 1)
    assert proxy.events[0]["type"] == "ConnectionOpened"


def test_it_says_where_it_is(proxy):
    assert proxy.host == "127.0.0.1"
    assert proxy.address == f"127.0.0.1:{proxy.port}"
    assert proxy.url() == f"http://{proxy.address}"
    assert proxy.url("redis", "/0") == f"redis://{proxy.address}/0"
    assert proxy.address in repr(proxy)


def test_without_tls_there_is_no_certificate(proxy):
    with pytest.raises(InputError, match="open it with tls='terminate'"):
        proxy.ssl_context()
    with pytest.raises(InputError, match="its tls is off"):
        _ = proxy.ca_file


def test_tls_is_terminated_with_a_certificate_for_clients(process, backend, tmp_path):
    with process.open(backend.address, tls="terminate", folder=tmp_path) as proxy:
        assert proxy.url() == f"https://{proxy.address}"
        with connected(proxy, proxy.ssl_context()) as one:
            assert one.say("hi") == "blue hi"
            assert one.sock.version() == proxy.connections[0].tls_version
        path = Path(proxy.ca_file)
        assert path.parent == tmp_path
        assert path.read_text().startswith("-----BEGIN CERTIFICATE")
        assert "PRIVATE KEY" not in path.read_text()
    assert not path.exists()


def test_a_backend_s_certificate_is_verified(process, backend):
    with process.open(backend.address, tls="terminate") as inner:
        with (
            process.open(f"localhost:{inner.port}", backend_ca=inner.ca_file) as proxy,
            connected(proxy) as one,
        ):
            assert one.say("hi") == "blue hi"
        with (
            process.open(backend.address, tls="terminate") as other,
            process.open(inner.address, backend_ca=other.ca_file) as proxy,
        ):
            with pytest.raises(ConnectionResetError), connected(proxy) as one:
                one.hear()
            assert "certificate" in proxy.connections[0].dial_error.lower()


def test_a_proxy_that_is_closed_keeps_what_it_knew(process, backend):
    with process.open(backend.address) as proxy, connected(proxy) as one:
        one.say("hi")
        proxy.close()
        proxy.close()
    assert proxy.opened == 1
    assert proxy.connections[0].closed_by == "proxy"
    assert "closed" in repr(proxy)
    with pytest.raises(InputError, match="can't arm any more"):
        proxy.fault(Reset())
    with pytest.raises(OSError, match="refused"):
        socket.create_connection((proxy.host, proxy.port), timeout=5)


# --- faults ---------------------------------------------------------------------------------


def test_a_fault_strikes_inside_its_block(proxy):
    with connected(proxy) as one:
        one.say("hi")
        with proxy.fault(Reset(), when=Idle("50ms")) as fault:
            assert fault.wait_fired() == 1
            with pytest.raises(ConnectionResetError):
                one.hear()
    (facts,) = proxy.connections
    assert (facts.closed_by, facts.closed_how, facts.faults) == ("fault:reset", "reset", ("reset",))


def test_healing_is_done_when_the_block_is_left(proxy):
    with connected(proxy) as one:
        one.say("hi")
        with proxy.fault(Stall()):
            one.sock.sendall(b"held\n")
            one.sock.settimeout(0.05)
            with pytest.raises(TimeoutError):
                one.sock.recv(1)
        one.sock.settimeout(20)
        assert one.sock.recv(100) == b"blue held\n"


def test_a_fault_takes_words_mappings_and_texts(proxy):
    ways = [
        proxy.fault(Latency(delay=0.001), when={"connection": "first 2"}),
        proxy.fault("latency", delay="1ms", when=Connection(1), direction="upstream"),
        proxy.fault({"fault": "latency", "delay": "1ms"}, times=5),
    ]
    with connected(proxy) as one:
        one.say("hi")
        assert [fault.fired >= 1 for fault in ways] == [True] * 3
    assert "latency (delay: 1ms, direction: upstream" in repr(ways[1])
    proxy.heal_all()


def test_a_fault_that_never_fired_fails_its_block(proxy):
    told = r"the fault reset \(when: {'idle': '1h'}\) never fired"
    with pytest.raises(NeverFired, match=told), proxy.fault(Reset(), when=Idle("1h")):
        pass
    assert issubclass(NeverFired, AssertionError)


def test_unless_it_may_or_the_block_failed_by_itself(proxy):
    with proxy.fault(Reset(), when=Idle("1h"), may_miss=True) as fault:
        pass
    assert fault.fired == 0
    with pytest.raises(ZeroDivisionError), proxy.fault(Reset(), when=Idle("1h")):
        _ = 1 / 0


def test_the_port_refuses_and_listens_again(proxy):
    with connected(proxy) as one, proxy.refuse() as fault:
        fault.wait_fired()
        with pytest.raises(ConnectionRefusedError):
            socket.create_connection((proxy.host, proxy.port), timeout=5)
        assert one.say("hi") == "blue hi"
    with connected(proxy) as two:
        assert two.say("hi") == "blue hi"


def test_a_port_that_is_to_be_shut_later_has_not_struck_yet(proxy):
    with proxy.fault("refuse", when=At("1h"), may_miss=True) as fault:
        assert fault.fired == 0
    assert fault.fired == 0
    with proxy.fault("refuse", when=At(0.02)) as fault:
        fault.wait_fired()


def test_backends_take_turns(process, backend, green):
    with process.open({"blue": backend.address, "green": green.address}) as proxy:
        with connected(proxy) as one:
            assert one.say("hi") == "blue hi"
            with proxy.fault("rotate", to="green", drain=True) as fault:
                fault.wait_fired()
                assert one.hear() == ""
        with connected(proxy) as two:
            assert two.say("hi") == "green hi"
        assert [facts.backend for facts in proxy.connections] == ["blue", "green"]


def test_at_counts_from_arming(proxy):
    with connected(proxy) as one:
        one.say("hi")
        time.sleep(0.1)
        began = time.monotonic()
        with proxy.fault(Reset(), when=At(0.2)) as fault:
            fault.wait_fired()
        assert time.monotonic() - began >= 0.19


def test_a_phase_lets_faults_in(proxy):
    with connected(proxy) as one, proxy.fault(Reset(), when=During("deploy")) as fault:
        assert one.say("hi") == "blue hi"
        assert fault.fired == 0
        proxy.phase("deploy")
        fault.wait_fired()


def test_the_same_seed_strikes_the_same_connections(process, backend):
    def struck(seed):
        with process.open(backend.address, seed=seed) as proxy:
            with proxy.fault(Reset(), when={"request": 1, "probability": "50%"}, may_miss=True):
                for _ in range(12):
                    with connected(proxy) as one:
                        try:
                            one.say("hi")
                        except ConnectionResetError:
                            continue
            return [facts.ordinal for facts in proxy.connections if facts.faults]

    first = struck(7)
    assert first == struck(7)
    assert 0 < len(first) < 12


def test_a_wait_in_vain_says_what_there_is(proxy):
    with connected(proxy) as one:
        one.say("hi")
        with pytest.raises(NotInTime) as raised:
            proxy.wait_until(lambda p: p.opened > 1, timeout_s=0.02)
    assert "not so within 0.02 s" in str(raised.value)
    assert "connection 1 open since" in str(raised.value)


@pytest.mark.parametrize(
    ("backends", "words", "told"),
    [
        ("nonsense", {}, "'nonsense' is not an address; write HOST:PORT"),
        ("127.0.0.1:0", {}, "there is no port 0"),
        ({}, {}, "{} names no backend"),
        ("127.0.0.1:1", {"tls": "on"}, "tls: unknown value 'on'"),
        ("127.0.0.1:1", {"protocol": "htp"}, "did you mean 'http'"),
        ("127.0.0.1:1", {"port": 70000}, "port: there is no port 70000"),
        ("127.0.0.1:1", {"seed": "x"}, "seed: 'x' is no number"),
        ("127.0.0.1:1", {"backend_ca": "/nowhere.pem"}, "no certificate can be read"),
    ],
)
def test_a_mistake_in_opening_says_what_would_be_right(process, backends, words, told):
    with pytest.raises(InputError) as raised:
        process.open(backends, **words)
    assert told in str(raised.value)


def test_a_taken_port_and_an_unknown_host_are_the_machine_s(process, proxy):
    with pytest.raises(SetupError, match=f"port {proxy.port}"):
        process.open("127.0.0.1:1", port=proxy.port)
    with pytest.raises(SetupError, match="nobody knows where nowhere"):
        process.open("nowhere.invalid:80")


def test_an_unknown_request_is_answered(process):
    with pytest.raises(InputError, match="do: 'lok' can't be done; did you mean 'look'"):
        process.ask("lok")
    with pytest.raises(InputError, match="no proxy 999 is open"):
        process.ask("look", proxy=999)


# --- the process ----------------------------------------------------------------------------


def test_threads_may_ask_at_once(process, backend):
    def use(_):
        with process.open(backend.address) as proxy, connected(proxy) as one:
            one.say("hi")
            return proxy.opened

    with ThreadPoolExecutor(8) as pool:
        assert list(pool.map(use, range(16))) == [1] * 16


def test_more_events_than_one_reply_brings_all_arrive(process, backend):
    with process.open(backend.address) as proxy:
        count = messages.EVENTS_AT_ONCE // 2
        for _ in range(count):
            socket.create_connection((proxy.host, proxy.port), timeout=20).close()
        proxy.wait_until(lambda p: p.opened == count and p.open_now == 0, timeout_s=20)
        assert all(not facts.is_open for facts in proxy.connections)
        assert len(proxy.connections) == count
        assert len(proxy.events) > messages.EVENTS_AT_ONCE


def test_an_answer_that_nobody_took_is_not_the_next_one_s(process, proxy):
    inside = process._process
    assert inside is not None
    inside.stdin.write(messages.encode({"do": "lok", "id": "interrupted"}))
    inside.stdin.flush()
    assert proxy.opened == 0


def test_a_process_that_dies_is_told_and_replaced(backend):
    with ProxyProcess() as process:
        proxy = process.open(backend.address)
        first = process.pid
        assert first is not None
        os.kill(first, signal.SIGTERM)
        with pytest.raises(SetupError, match=r"ended by itself .*; its proxies are gone"):
            proxy.wait_until(lambda p: p.opened, timeout_s=20)
        with process.open(backend.address) as again, connected(again) as one:
            assert one.say("hi") == "blue hi"
        assert process.pid != first


@POSIX
def test_a_process_that_hangs_is_killed(backend, monkeypatch):
    monkeypatch.setattr(process_module, "REPLY_LIMIT_S", 0.2)
    with ProxyProcess() as process:
        proxy = process.open(backend.address)
        os.kill(process.pid, signal.SIGSTOP)
        with pytest.raises(SetupError, match="answered no more and was killed"):
            _ = proxy.opened
        assert process.pid is None


def test_closing_twice_is_harmless_and_nothing_is_left():
    process = ProxyProcess()
    with process.open("127.0.0.1:1"):
        pid = process.pid
    process.close()
    process.close()
    assert process.pid is None
    if sys.platform == "linux":
        assert not Path(f"/proc/{pid}").exists()


PARENT = """
import os, signal, sys, time
from harness.serve import ProxyProcess
process = ProxyProcess()
proxy = process.open("127.0.0.1:1")
print(process.pid, flush=True)
{then}
"""


@POSIX
@pytest.mark.parametrize(
    "then",
    [
        "os.kill(os.getpid(), signal.SIGKILL)",
        # Another one holds the pipe's end, so it is the system that must end it.
        pytest.param(
            "os.fork() or time.sleep(30)\nos.kill(os.getpid(), signal.SIGKILL)",
            marks=pytest.mark.skipif(sys.platform != "linux", reason="prctl of Linux"),
        ),
    ],
)
def test_it_ends_with_its_parent_however_that_ends(then):
    code = PARENT.format(then=textwrap.dedent(then))
    parent = subprocess.Popen(
        [sys.executable, "-c", code], stdout=subprocess.PIPE, start_new_session=True
    )
    try:
        pid = int(parent.stdout.readline())
        assert parent.wait(20) == -signal.SIGKILL
        deadline = time.monotonic() + GONE_S
        while is_running(pid):
            assert time.monotonic() < deadline, "the proxy's process outlived its parent"
            time.sleep(0.01)
    finally:
        parent.stdout.close()
        kill_group(parent.pid)


def is_running(pid):
    try:
        os.kill(pid, 0)
    except ProcessLookupError:
        return False
    stat = Path(f"/proc/{pid}/stat")
    return not stat.exists() or stat.read_text().rpartition(")")[2].split()[0] != "Z"


def kill_group(pid):
    with suppress(ProcessLookupError):
        os.killpg(pid, signal.SIGKILL)


def test_it_lives_on_when_the_thread_that_started_it_ends(backend):
    with ProxyProcess() as process:
        opened = []
        thread = threading.Thread(target=lambda: opened.append(process.open(backend.address)))
        thread.start()
        thread.join()
        with opened[0] as proxy, connected(proxy) as one:
            assert one.say("hi") == "blue hi"
            with proxy.fault(Latency(delay="1ms"), when=Request(2)):
                one.say("ho")
