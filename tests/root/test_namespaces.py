"""Namespaces and netlink for real: the network stands, changes, and nothing of it is left."""

import socket
import subprocess
import sys
import threading
from pathlib import Path

import pytest

from harness.errors import SetupError
from harness.fabric.netns import plan
from harness.fabric.netns.access import probe
from harness.fabric.netns.entering import can_make
from harness.fabric.netns.layout import layout
from harness.fabric.netns.namespaces import Namespaces, in_a_thread
from harness.fabric.netns.netlink import Netlink
from harness.fabric.netns.operations import AddAddress, AddRoute, DropRule, SetLink, SetSysctl
from harness.scenario.model import Topology

why = "" if can_make() else probe().reason or "needs root: a user namespace can't be left again"
pytestmark = pytest.mark.skipif(bool(why), reason=why or "never")

LIMIT_S = 10.0
SILENCE_S = 0.3


def here():
    return str(Path("/proc/thread-self/ns/net").readlink())


def descriptors():
    return len(list(Path("/proc/self/fd").iterdir()))


@pytest.fixture
def place():
    return layout(Topology(clients=2, routers=2), ["blue"])


@pytest.fixture
def spaces(place):
    with Namespaces([*place.routers, *place.hosts]) as made:
        yield made


@pytest.fixture
def netlink(spaces, place):
    netlink = Netlink(spaces)
    netlink.perform(plan.building(place))
    return netlink


def exchange(spaces, place, client, server, *, limit_s=LIMIT_S, source=""):
    """The client's port and address as the server sees them, once bytes went both ways."""
    with (
        spaces.socket(server, socket.AF_INET, socket.SOCK_STREAM) as listener,
        spaces.socket(client, socket.AF_INET, socket.SOCK_STREAM) as dialer,
    ):
        listener.settimeout(LIMIT_S)
        dialer.settimeout(limit_s)
        listener.bind((place.address_of(server), 0))
        listener.listen()
        if source:
            dialer.bind((source, 0))
        dialer.connect(listener.getsockname())
        accepted, peer = listener.accept()
        with accepted:
            dialer.send(b"ping")
            assert accepted.recv(4) == b"ping"
            accepted.send(b"pong")
            assert dialer.recv(4) == b"pong"
        return peer


# --- namespaces -----------------------------------------------------------------------------


def test_a_block_is_inside_and_then_where_it_was(spaces):
    before = here()
    with spaces.inside("proxy"):
        outer = here()
        with spaces.inside("client-1"):
            assert here() not in {before, outer}
        assert here() == outer
        assert Path("/proc/self/fd", str(spaces.descriptor("proxy"))).readlink() == Path(outer)
    assert here() == before


def test_it_comes_back_when_the_block_fails(spaces):
    before = here()
    with pytest.raises(ZeroDivisionError), spaces.inside("proxy"):
        _ = 1 // 0
    assert here() == before


def test_other_threads_stay_where_they_are(spaces):
    before = here()
    seen = []
    inside, looked = threading.Event(), threading.Event()

    def look():
        inside.wait(LIMIT_S)
        seen.append(here())
        looked.set()

    thread = threading.Thread(target=look)
    thread.start()
    with spaces.inside("proxy"):
        inside.set()
        looked.wait(LIMIT_S)
    thread.join()
    assert seen == [before]


def test_a_process_started_inside_is_there_and_holds_none_of_our_descriptors(spaces):
    program = "import os; print(os.readlink('/proc/self/ns/net'), len(os.listdir('/proc/self/fd')))"
    with spaces.inside("client-1"):
        wanted = here()
        done = subprocess.run(
            [sys.executable, "-I", "-S", "-c", program], capture_output=True, text=True, check=True
        )
    assert done.stdout.split() == [wanted, "4"], "stdin, stdout, stderr and the listing itself"


def test_a_socket_made_inside_is_of_that_network(spaces):
    with spaces.socket("client-1", socket.AF_INET, socket.SOCK_STREAM) as listener:
        listener.bind(("127.0.0.1", 0))
        listener.listen()
        with socket.socket() as stranger, pytest.raises(ConnectionRefusedError):
            stranger.connect(listener.getsockname())
        with spaces.socket("client-1", socket.AF_INET, socket.SOCK_STREAM) as friend:
            friend.settimeout(LIMIT_S)
            friend.connect(listener.getsockname())


def test_nothing_is_open_afterwards():
    before = descriptors()
    with Namespaces(["a", "b"]) as made:
        assert made.names == ("a", "b")
        assert descriptors() == before + 2
    assert descriptors() == before
    with pytest.raises(KeyError):
        made.descriptor("a")


def test_nothing_is_open_when_making_fails_half_way(monkeypatch):
    from harness.fabric.netns import namespaces

    before, real, made = descriptors(), namespaces.unshare_network, []

    def second_fails():
        if made:
            raise OSError(28, "No space left on device")
        made.append(real())

    monkeypatch.setattr(namespaces, "unshare_network", second_fails)
    wanted = "ip netns add b: No space left on device"
    with pytest.raises(SetupError, match=wanted), Namespaces(["a", "b", "c"]):
        raise AssertionError("it can't be entered")
    assert descriptors() == before


def test_what_fails_in_a_thread_of_its_own_fails_here():
    with pytest.raises(ZeroDivisionError):
        in_a_thread(lambda: 1 // 0)
    assert in_a_thread(threading.get_ident) != threading.get_ident()


# --- the network ----------------------------------------------------------------------------


def test_bytes_pass_the_routers_and_the_port_says_which_client_it_was(spaces, place, netlink):
    for client in ("client-1", "client-2"):
        host, port = exchange(spaces, place, client, "proxy")
        first, last = place.ports_of(client)
        assert place.host_at(host) == client
        assert first <= port <= last
    peer = exchange(spaces, place, "proxy", "backend-blue", source=place.dial_from)
    assert peer[0] == place.dial_from


def test_the_hosts_own_network_is_left_alone(place):
    def state():
        files = ("/proc/net/dev", "/proc/net/route", "/proc/sys/net/ipv4/ip_forward",
                 "/proc/sys/net/ipv4/ip_local_port_range")  # fmt: skip
        texts = [Path(name).read_text() for name in files]
        texts[0] = "\n".join(line.split(":")[0] for line in texts[0].splitlines())
        return texts

    before = state()
    with Namespaces([*place.routers, *place.hosts]) as spaces:
        netlink = Netlink(spaces)
        netlink.perform(plan.building(place))
        if probe().tun:
            netlink.perform(plan.divert(place))
        assert state() == before
    assert state() == before


def test_a_link_that_is_down_has_no_way_and_finds_it_again(spaces, place, netlink):
    netlink.perform(plan.link(place, "client-1", up=False))
    with pytest.raises(OSError, match="Network is unreachable"):
        exchange(spaces, place, "client-1", "proxy")
    netlink.perform(plan.link(place, "client-1", up=True))
    exchange(spaces, place, "client-1", "proxy")


def test_who_roams_dials_from_the_new_address(spaces, place, netlink):
    netlink.perform(plan.roam(place, "client-1", 1))
    assert exchange(spaces, place, "client-1", "proxy")[0] == "198.18.1.3"
    netlink.perform(plan.roam(place, "client-1", 0, before=1))
    assert exchange(spaces, place, "client-1", "proxy")[0] == "198.18.1.2"


def test_a_host_without_ports_can_dial_nobody(spaces, place, netlink):
    netlink.perform(plan.ports(place, "client-2", 1))
    with spaces.socket("client-2", socket.AF_INET, socket.SOCK_STREAM) as holder:
        holder.bind((place.address_of("client-2"), 0))
        with pytest.raises(OSError, match=r"Address already in use|Cannot assign"):
            exchange(spaces, place, "client-2", "proxy", source=place.address_of("client-2"))
    netlink.perform(plan.ports(place, "client-2", None))
    exchange(spaces, place, "client-2", "proxy")


def test_what_is_diverted_goes_into_the_tun_device(spaces, place, netlink):
    if not probe().tun:
        pytest.skip(f"needs a TUN device: {probe().why_not('tun')}")
    netlink.perform(plan.divert(place))
    with pytest.raises(TimeoutError):
        exchange(spaces, place, "client-1", "proxy", limit_s=SILENCE_S)
    netlink.perform(plan.undivert(place))
    exchange(spaces, place, "client-1", "proxy")


def test_packets_on_the_wire_are_no_larger_than_a_wire_carries(spaces, place, netlink):
    with spaces.socket("router-1", socket.AF_PACKET, socket.SOCK_DGRAM) as sniffer:
        sniffer.bind(("client-1", 0x0800))
        sniffer.settimeout(LIMIT_S)
        with (
            spaces.socket("proxy", socket.AF_INET, socket.SOCK_STREAM) as listener,
            spaces.socket("client-1", socket.AF_INET, socket.SOCK_STREAM) as dialer,
        ):
            listener.bind((place.address_of("proxy"), 0))
            listener.listen()
            dialer.settimeout(LIMIT_S)
            dialer.connect(listener.getsockname())
            dialer.sendall(bytes(14_000))
            sizes = []
            while sum(sizes) < 14_000:
                sizes.append(len(sniffer.recv(65_536)))
    assert max(sizes) == 1500


# --- what fails -----------------------------------------------------------------------------


@pytest.mark.parametrize(
    ("operation", "error"),
    [
        (
            AddAddress("client-1", "eth7", "198.18.1.9"),
            "ip -n client-1 address add 198.18.1.9/24 dev eth7: No such device",
        ),
        (
            AddRoute("client-1", "default", "203.0.113.1"),
            "ip -n client-1 route replace default via 203.0.113.1: Network is unreachable",
        ),
        (
            DropRule("router-1", "client-1", 100),
            "ip -n router-1 rule del iif client-1 pref 100 lookup 100: No such file or directory",
        ),
        (
            SetSysctl("client-1", "net.ipv4.no_such_thing", "1", needed=True),
            "ip netns exec client-1 sysctl -w net.ipv4.no_such_thing=1: No such file or directory",
        ),
        (
            AddAddress("client-1", "eth0", "198.18.1.2"),
            "ip -n client-1 address add 198.18.1.2/24 dev eth0: File exists",
        ),
    ],
)
def test_what_fails_is_named_as_one_would_type_it(netlink, operation, error):
    with pytest.raises(SetupError) as caught:
        netlink.perform([operation])
    assert str(caught.value) == error


def test_a_setting_that_is_not_needed_may_be_missing(netlink):
    netlink.perform([SetSysctl("client-1", "net.ipv4.no_such_thing", "1")])


def test_what_stood_before_a_failure_stands(spaces, place, netlink):
    steps = [SetLink("client-2", "eth0", up=False), SetLink("client-2", "eth9", up=False)]
    with pytest.raises(SetupError, match="eth9"):
        netlink.perform(steps)
    with pytest.raises(OSError, match="unreachable"):
        exchange(spaces, place, "client-2", "proxy")


def test_any_thread_may_perform(spaces, place, netlink):
    in_a_thread(lambda: netlink.perform(plan.roam(place, "client-1", 1)))
    assert exchange(spaces, place, "client-1", "proxy")[0] == "198.18.1.3"
