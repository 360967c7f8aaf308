import pytest

from harness.errors import InputError
from harness.packet import Flow, Packet, PacketKind
from harness.scenario import Perturb, PhaseWords, packet_delay, plan_phase, read_text, refusals
from harness.timeline import Direction, Side

PHASE = PhaseWords(phase="a", calls=200, unsafe=0.5)
FLOW = Flow(("10.0.0.1", 40_000), ("10.0.0.2", 80), Side.CLIENT)


def packet(**changes):
    values = {"kind": PacketKind.DATA, "flow": FLOW, "direction": Direction.UPSTREAM} | changes
    return Packet(**values)


def read(small, words):
    return read_text(f"{small}perturb: {words}\n", file="x.yaml")


def thinks(perturb, seed=1):
    return [call.think_s for call in plan_phase(PHASE, 1, seed, perturb)]


def test_it_is_read_with_units(small):
    expected = Perturb(think_s=2.0, grid_s=0.1, delay_s=0.004)
    assert read(small, "{think: 2s, grid: 100ms, delay: 4ms}").perturb == expected


@pytest.mark.parametrize(
    ("words", "said"),
    [
        ("{think: 5}", "perturb.think: 5 has no unit"),
        ("{grid: 1s}", "perturb.grid: .*without think none waits; add think: 1s"),
        ("{think: 1s, grid: 2s}", "perturb.grid: the grid is coarser than think"),
        ("{think: 1s, grid: 0s}", "perturb.grid: a grid needs instants that lie apart"),
        ("{thnk: 1s}", "perturb.thnk: unknown key 'thnk'; did you mean 'think'?"),
    ],
)
def test_mistakes(small, words, said):
    with pytest.raises(InputError, match=said.replace("?", r"\?")):
        read(small, words)


def test_without_it_nobody_waits_and_every_packet_is_on_time():
    assert set(thinks(Perturb())) == {0.0}
    assert packet_delay(Perturb(think_s=1.0), 1) is None


def test_calls_wait_between_nothing_and_think():
    drawn = thinks(Perturb(think_s=2.0))
    assert len(set(drawn)) == len(drawn)
    assert 0 <= min(drawn) < 0.1
    assert 1.9 < max(drawn) <= 2.0


def test_on_a_grid_waits_are_multiples_of_it_from_none_to_all():
    drawn = thinks(Perturb(think_s=2.0, grid_s=0.1))
    assert set(drawn) == {round(n * 0.1, 9) for n in range(21)}


def test_waiting_changes_nothing_else_of_a_call():
    calm, perturbed = plan_phase(PHASE, 1, 7), plan_phase(PHASE, 1, 7, Perturb(think_s=1.0))
    assert [(c.nonce, c.unsafe) for c in calm] == [(c.nonce, c.unsafe) for c in perturbed]
    assert thinks(Perturb(think_s=1.0), 7) != thinks(Perturb(think_s=1.0), 8)


def test_a_packet_is_late_by_its_place_and_not_by_when_it_is_asked_for():
    delay = packet_delay(Perturb(delay_s=0.004), 3)
    packets = [packet(offset=n) for n in range(300)]
    late = [delay(p) for p in packets]
    assert [delay(p) for p in reversed(packets)] == late[::-1]
    assert 0 <= min(late) < 0.0002
    assert 0.0038 < max(late) < 0.004


def test_everything_that_tells_packets_apart_changes_the_delay():
    other = FLOW._replace(client=("10.0.0.1", 40_001))
    packets = [
        packet(),
        packet(offset=1),
        packet(attempt=1),
        packet(kind=PacketKind.FIN),
        packet(direction=Direction.DOWNSTREAM),
        packet(flow=other),
    ]
    delays = [packet_delay(Perturb(delay_s=1.0), seed) for seed in (1, 2)]
    assert len({delay(p) for delay in delays for p in packets}) == 12


def test_only_the_virtual_fabric_delays_packets(small):
    scenario = read(small, "{delay: 4ms}")
    assert scenario.home == "virtual"
    assert refusals(scenario, "virtual") == []
    for fabric in ("loopback", "netns"):
        (problem,) = refusals(scenario, fabric)
        assert str(problem).startswith("x.yaml:4:11: perturb.delay: delay needs virtual time")
    assert refusals(read(small, "{think: 1s}"), "loopback") == []
