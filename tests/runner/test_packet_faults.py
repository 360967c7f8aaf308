"""Each packet fault at work: what callers and the wire see of it on the virtual fabric."""

import pytest

from harness.history import (
    CallFailed,
    CallOk,
    CallUnknown,
    ClientEndClosed,
    ConnectionClosed,
    ConnectionOpened,
    Dialed,
    FaultFired,
    FaultHealed,
)
from harness.runner import run_scenario
from harness.scenario import read_text

TEXT = """\
scenario: packets
client: {{pool: {{size: 1, timeout: 5s, connect_timeout: 5s}}}}
workload:
  - {{phase: warm, calls: 3, every: 100ms}}
  - {{phase: outage, calls: 3, every: 100ms, timeout: 2s}}
  - {{phase: after, calls: 3, every: 100ms, size: {size}}}
faults: [{fault}]
expect: {{no_crosstalk: true}}
"""


class Run:
    """A run of three calls before, three within and three after the outage."""

    def __init__(self, fault, *, size="256B"):
        text = TEXT.format(fault=fault, size=size)
        self.result = run_scenario(read_text(text, file="packets.yaml"))
        assert self.result.history.events[0].fabric == "virtual"
        assert self.result.setup_error == ""

    def of(self, kind):
        return [event for _, event in self.result.history.of(kind)]

    @property
    def ok(self):
        return sum(event.nonce.startswith("p") for event in self.of(CallOk))

    @property
    def kinds(self):
        """How the calls that weren't ok ended."""
        return {event.kind for kind in (CallFailed, CallUnknown) for event in self.of(kind)}

    @property
    def opened(self):
        return len(self.of(ConnectionOpened))

    @property
    def fired(self):
        """Whom it struck: the connection (0: none yet) and the packet in a few words."""
        words = (event.where.split(", ")[2].rpartition(" at")[0] for event in self.of(FaultFired))
        return list(zip((e.connection for e in self.of(FaultFired)), words, strict=True))

    @property
    def connects(self):
        return [(event.outcome, round(event.took_s, 3)) for event in self.of(Dialed)]


def test_a_blackhole_is_silence_for_live_connections_and_for_new_ones():
    run = Run("{fault: blackhole, during: outage}")
    assert run.ok == 6
    assert run.kinds == {"timeout"}
    assert run.fired[0] == (1, "upstream data")
    assert (0, "upstream syn") in run.fired


def test_a_blackhole_that_heals_in_time_only_costs_a_retransmission():
    run = Run("{fault: blackhole, during: outage, for: 300ms}")
    assert (run.ok, run.opened, run.fired) == (9, 1, [(1, "upstream data")])


def test_a_blackholed_connection_costs_one_call_its_limit_and_new_connections_work():
    run = Run("{fault: blackhole, when: {idle: 50ms, connection: 1}}")
    assert (run.ok, run.kinds, run.opened) == (8, {"timeout"}, 2)


def test_a_vanished_connection_is_reset_at_its_next_use_and_new_ones_work():
    run = Run("{fault: vanish, when: {idle: 50ms, connection: 1}}")
    assert run.fired == [(1, "upstream data")]
    assert (run.opened, run.ok + len(run.of(CallUnknown))) == (2, 9)
    assert run.kinds <= {"reset"}


@pytest.mark.parametrize(("attempts", "took_s"), [(1, 1.001), (2, 2.001)])
def test_a_lost_syn_is_a_connect_that_takes_longer(attempts, took_s):
    """It is sent again after a second; a SYN that arrives takes a millisecond, as any does."""
    run = Run(f"{{fault: drop_syn, attempts: {attempts}}}")
    assert (run.ok, run.connects) == (9, [("ok", took_s)])


def test_losses_and_copies_and_overtakers_cost_time_and_no_call():
    faults = ("loss, rate: 10%", "duplicate, rate: 50%", "reorder, rate: 50%, delay: 5ms")
    run = Run(", ".join(f"{{fault: {fault}}}" for fault in faults), size="50kB")
    assert (run.ok, run.kinds) == (9, set())
    assert {event.fault for event in run.of(FaultFired)} == {"loss", "duplicate", "reorder"}


@pytest.mark.parametrize(
    ("how", "outcomes", "kinds"),
    [
        ("drop", {"cancelled", "ok", "timeout"}, {"timeout"}),
        ("reset", {"refused"}, {"refused", "reset"}),
        ("unreachable", {"other", "unreachable"}, {"timeout", "unreachable"}),
    ],
)
def test_a_partition_is_told_to_the_sender_or_not(how, outcomes, kinds):
    run = Run(f"{{fault: partition, how: {how}, during: outage}}")
    assert run.ok == 6
    assert run.kinds <= kinds
    assert outcomes & {word for word, _ in run.connects}


def test_a_one_way_partition_lets_requests_through_and_no_reply():
    run = Run("{fault: partition, direction: downstream, during: outage}")
    assert run.ok == 6
    assert all(words.startswith("downstream") for _, words in run.fired)


def test_a_flapping_partition_lets_calls_through_between():
    run = Run("{fault: partition, down: 150ms, up: 350ms, during: outage}")
    assert run.ok == 9


def test_a_small_mtu_lets_short_replies_pass_and_no_long_one():
    run = Run("{fault: mtu, limit: 1000}", size="20kB")
    assert run.ok == 6
    assert run.kinds == {"timeout"}
    assert {words for _, words in run.fired} == {"downstream data"}


def test_damaged_packets_cost_time_and_no_call():
    run = Run("{fault: corrupt_packet, rate: 10%}", size="50kB")
    assert (run.ok, run.kinds, run.opened) == (9, set(), 1)
    assert len(run.fired) == 1


@pytest.mark.parametrize(
    ("scope", "struck"), [("upstream", "upstream data"), ("downstream", "downstream data")]
)
def test_a_forged_reset_ends_a_connection_that_neither_end_has_ended(scope, struck):
    run = Run(f"{{fault: forged_reset, when: {{request: 5, connection: 1}}, direction: {scope}}}")
    assert run.ok + len(run.of(CallUnknown)) == 9
    assert run.fired == [(1, struck)]
    assert run.opened == 2
    assert [event.how for event in run.of(ClientEndClosed)] == ["reset", "fin"]
    assert run.of(ConnectionClosed)[0].how == "reset"


def test_under_a_censor_no_new_connection_helps():
    run = Run("{fault: forged_reset, during: outage}")
    assert run.ok == 6
    assert run.kinds == {"reset"}
    assert all(outcome == "ok" for outcome, _ in run.connects)


def test_without_a_link_connects_fail_at_once():
    run = Run("{fault: link_down, during: outage}")
    assert run.ok == 6
    assert run.connects[1][0] in {"other", "unreachable"}
    assert run.connects[1][1] == 0.0


def test_after_an_address_change_the_old_connection_is_silent_and_a_new_one_works():
    run = Run("{fault: address_change, during: outage}")
    assert (run.ok, run.kinds, run.opened) == (8, {"timeout"}, 2)
    assert run.fired == [(1, "upstream data")]


@pytest.mark.parametrize(("answer", "kinds"), [("reset", {"reset"}), ("drop", {"timeout"})])
def test_a_nat_forgets_the_idle_and_answers_as_it_is_told(answer, kinds):
    run = Run(f"{{fault: nat_expiry, after: 50ms, answer: {answer}, during: outage}}")
    assert run.kinds <= kinds
    assert run.fired[0] == (1, "upstream data")
    assert run.opened > 1


def test_a_fault_whose_packets_never_come_leaves_the_verdict_unknown():
    run = Run("{fault: nat_expiry, after: 1h}")
    assert (run.ok, run.fired) == (9, [])
    assert run.result.verdict == "unknown"


def test_a_response_is_struck_before_its_first_byte_reaches_the_client():
    run = Run("{fault: blackhole, when: {response: 2, connection: 1}, direction: downstream}")
    assert run.fired[0] == (1, "downstream data")
    assert len(run.of(FaultHealed)) == 1
    assert run.ok == 8
