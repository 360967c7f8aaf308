"""Operations as text: what one would type."""

import pytest

from harness.fabric.netns import operations as ops


@pytest.mark.parametrize(
    ("operation", "typed"),
    [
        (ops.AddNamespace("router-1"), "ip netns add router-1"),
        (
            ops.AddPair("router-1", "client-1", "client-1", "eth0"),
            (
                "ip -n router-1 link add client-1 mtu 1500 gso_max_segs 1 type veth "
                "peer name eth0 mtu 1500 gso_max_segs 1 netns client-1"
            ),
        ),
        (ops.AddTun("router-1", "tun0"), "ip -n router-1 tuntap add dev tun0 mode tun"),
        (
            ops.AddAddress("client-1", "eth0", "198.18.1.2"),
            "ip -n client-1 address add 198.18.1.2/24 dev eth0",
        ),
        (
            ops.DropAddress("client-1", "eth0", "198.18.1.2"),
            "ip -n client-1 address del 198.18.1.2/24 dev eth0",
        ),
        (ops.SetLink("client-1", "eth0", up=True), "ip -n client-1 link set dev eth0 up"),
        (ops.SetLink("client-1", "eth0", up=False), "ip -n client-1 link set dev eth0 down"),
        (
            ops.AddRoute("client-1", "default", "198.18.1.1"),
            "ip -n client-1 route replace default via 198.18.1.1",
        ),
        (
            ops.AddDefaultTo("router-1", 100, "tun0"),
            "ip -n router-1 route replace default dev tun0 table 100",
        ),
        (
            ops.AddRule("router-1", "client-1", 100),
            "ip -n router-1 rule add iif client-1 pref 100 lookup 100",
        ),
        (
            ops.DropRule("router-1", "client-1", 100),
            "ip -n router-1 rule del iif client-1 pref 100 lookup 100",
        ),
        (
            ops.SetSysctl("router-1", "net.ipv4.ip_forward", "1"),
            "ip netns exec router-1 sysctl -w net.ipv4.ip_forward=1",
        ),
        (
            ops.SetSysctl("client-1", "net.ipv4.ip_local_port_range", "10000 12001"),
            'ip netns exec client-1 sysctl -w net.ipv4.ip_local_port_range="10000 12001"',
        ),
    ],
)
def test_an_operation_reads_as_the_command_that_does_it(operation, typed):
    assert str(operation) == typed


def test_a_sysctl_knows_its_file():
    setting = ops.SetSysctl("router-1", "net.ipv4.conf.all.rp_filter", "0")
    assert setting.path == "/proc/sys/net/ipv4/conf/all/rp_filter"
