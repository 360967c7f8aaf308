"""What the faults of hosts, ports and middleboxes decide: no network, no kernel."""

import pytest
from handmade import ACK, DATA, DOWN, FIN, RST, SYN, SYN_ACK, fates, flow, packet, policy, stream
from pydantic import TypeAdapter, ValidationError

from harness.faults import FaultSpec, HostFault, SocketFault, all_faults, allowed_triggers, site
from harness.faults._base import PACKET_TRIGGERS, RUN_TRIGGERS
from harness.packet import Forged, Forwarded
from harness.shape import UNTOUCHED_HOST, HostState, Shape
from harness.timeline import Side

MANY = 20_000


def made(name, **fields):
    return TypeAdapter(all_faults()[name]).validate_python(fields)


# --- between two hosts ----------------------------------------------------------------------


def test_a_forged_reset_follows_each_packet_with_data_and_lets_every_other_pass():
    watching = policy("forged_reset")
    others = [packet(kind) for kind in (SYN, SYN_ACK, ACK, FIN, RST)]
    assert fates(watching, *others) == [None] * 5
    assert fates(watching, packet(DATA), packet(DATA, direction=DOWN)) == [Forged()] * 2


def test_a_corrupted_packet_arrives_damaged_once_and_the_others_as_they_are():
    damaged = fates(policy("corrupt_packet", rate=0.2), *stream(MANY))
    assert set(damaged) == {None, Forwarded(damaged=True)}
    assert abs(damaged.count(None) / MANY - 0.8) < 0.02


def test_which_packets_are_corrupted_comes_from_the_seed():
    packets = [*stream(200), *stream(200, flow(50_000, Side.BACKEND))]
    one, same, other = (
        fates(policy("corrupt_packet", rate=0.3, seed=seed), *packets) for seed in (1, 1, 2)
    )
    assert one == same != other


def test_corruption_has_a_word_of_netems():
    assert made("corrupt_packet", rate="1%").shape() == Shape(corrupt=0.01)


# --- the client's host ----------------------------------------------------------------------


@pytest.mark.parametrize(
    ("fault", "state"),
    [
        (made("link_down"), HostState(link_up=False)),
        (made("port_exhaustion", ports=4), HostState(ports=4)),
    ],
)
def test_a_host_fault_says_how_the_host_is_held(fault, state):
    assert isinstance(fault, HostFault)
    assert fault.on_host() == state != UNTOUCHED_HOST
    assert allowed_triggers(fault) == RUN_TRIGGERS


@pytest.mark.parametrize("ports", [0, -1, 1_001, "many"])
def test_a_host_has_a_port_at_least_and_few_are_few(ports):
    with pytest.raises(ValidationError):
        made("port_exhaustion", ports=ports)


def test_a_socket_is_destroyed_when_a_connection_says_so_and_its_client_sees_the_end():
    fault = made("sock_destroy")
    spec = FaultSpec(fault)
    assert isinstance(fault, SocketFault)
    assert spec.ends_client
    assert allowed_triggers(fault) == PACKET_TRIGGERS
    armed = spec.arm(0, seed=0)
    assert (armed.maker, armed.ending, armed.whole_connection) == (None, None, True)


def test_each_of_them_says_where_it_strikes():
    places = {name: site(all_faults()[name]) for name in ("port_exhaustion", "sock_destroy")}
    assert places == {
        "port_exhaustion": "the client's host",
        "sock_destroy": "the client's own socket",
    }
