"""Faults of hosts, ports and middleboxes in whole runs: what callers see, and what is told."""

from __future__ import annotations

import pytest
from lab import why_not

from harness.history import (
    CallFailed,
    CallOk,
    CallUnknown,
    ClientEndClosed,
    ConnectionClosed,
    ConnectionOpened,
    Dialed,
    FaultArmed,
    FaultFired,
)
from harness.runner import run_scenario
from harness.scenario import read_text

pytestmark = pytest.mark.skipif(bool(why_not()), reason=why_not() or "never")

TEXT = """\
scenario: kernel
client: {{pool: {{size: {size}, timeout: {wait}, connect_timeout: 3s}}}}
workload:
  - {{phase: warm, calls: 2, every: 50ms}}
  - {{phase: outage, callers: {size}, calls: {calls}, slow: {slow}, timeout: {timeout}}}
  - {{phase: after, calls: 2, every: 50ms}}
faults: [{fault}]
expect: {{no_crosstalk: true, no_leaks: true}}
"""


class Run:
    """Two calls before, some within, two after the outage."""

    def __init__(self, fault, *, on="netns", **words):
        given = {"size": 1, "calls": 3, "slow": "1ms", "timeout": "5s", "wait": "5s"} | words
        text = TEXT.format(fault=fault, **given)
        self.result = run_scenario(read_text(text, file="kernel.yaml"), fabric=on)
        assert self.result.setup_error == ""
        assert self.result.verdict == "pass"

    def of(self, kind):
        return [event for _, event in self.result.history.of(kind)]

    @property
    def ok(self):
        """How many calls of the phases were answered, those of recovery aside."""
        return sum(event.nonce.startswith("p") for event in self.of(CallOk))

    @property
    def kinds(self):
        ended = [event for kind in (CallFailed, CallUnknown) for event in self.of(kind)]
        return {event.kind for event in ended if event.nonce.startswith("p")}

    @property
    def outcomes(self):
        return [event.outcome for event in self.of(Dialed)]

    @property
    def fired(self):
        return [(event.fault, event.where.partition(":")[0]) for event in self.of(FaultFired)]

    @property
    def means(self):
        return {event.means for event in self.of(FaultArmed)}

    @property
    def facts(self):
        """What must not hang on the fabric."""
        return (self.ok, self.kinds, len(self.of(ConnectionOpened)), set(self.outcomes))


# --- the same on both -----------------------------------------------------------------------


@pytest.mark.parametrize(
    "fault",
    [
        "{fault: forged_reset, when: {request: 3, connection: 1}}",
        "{fault: forged_reset, when: {idle: 40ms, connection: 1}, side: backend}",
        "{fault: forged_reset, during: outage, direction: downstream}",
        "{fault: forged_reset, during: outage}",
    ],
)
def test_a_forged_reset_means_the_same_in_virtual_time_and_to_a_kernel(fault):
    real, virtual = Run(fault), Run(fault, on="virtual")
    assert real.facts == virtual.facts
    assert {name for name, _ in real.fired} == {"forged_reset"} == {n for n, _ in virtual.fired}
    assert "reset" in {event.how for event in real.of(ConnectionClosed)}


def test_damaged_packets_cost_time_and_no_call():
    fault = "{fault: corrupt_packet, rate: 10%, when: {connection: 1}}"
    real, virtual = (Run(fault, calls=20, timeout="30s", on=on) for on in ("netns", "virtual"))
    assert real.facts == virtual.facts == (24, set(), 1, {"ok"})


# --- the client's host ----------------------------------------------------------------------


def test_without_a_port_connects_fail_at_once_and_callers_are_told_why():
    run = Run(
        "{fault: port_exhaustion, ports: 2, during: outage}",
        size=4,
        calls=4,
        slow="900ms",
        wait="300ms",
    )
    assert run.means == {"host"}
    assert run.outcomes.count("no_port") >= 1
    assert run.kinds == {"no_port"}  # the one kept, two new ones, and nothing for the fourth
    assert run.ok == 7
    assert set(run.fired) == {("port_exhaustion", "no port to dial from")}


def test_a_destroyed_socket_is_an_error_at_once_that_its_client_has_not_made():
    run = Run("{fault: sock_destroy, during: outage}", slow="50ms")
    assert run.means == {"host"}
    assert [event.ends for event in run.of(FaultFired)] == [True]
    assert ("fault:sock_destroy", "reset") in {(e.by, e.how) for e in run.of(ConnectionClosed)}
    assert [event.how for event in run.of(ClientEndClosed)] == ["fin"]  # the second one's
    assert len(run.of(ConnectionOpened)) == 2
    assert run.kinds <= {"reset"}


def test_without_a_link_connects_are_unreachable_and_what_waits_goes_on_in_time():
    run = Run("{fault: link_down, during: outage, for: 200ms}", size=2, calls=2, slow="50ms")
    assert run.means == {"host"}
    assert "unreachable" in run.outcomes
    assert run.ok == 6 - len(run.of(CallFailed))
    assert run.kinds <= {"unreachable"}
    assert run.fired == [("link_down", "packets without a way")]


def test_a_client_that_gets_its_address_back_goes_on_and_may_move_again():
    moves = (f"{{fault: address_change, at: {at}ms, for: 200ms}}" for at in (70, 900))
    run = Run(", ".join(moves), calls=16, slow="100ms")
    assert run.facts == (20, set(), 1, {"ok"})
    assert len({event.index for event in run.of(FaultFired)}) == 2


# --- the port -------------------------------------------------------------------------------


def test_who_connects_to_a_full_queue_waits_a_second_and_is_served():
    run = Run("{fault: backlog_full, during: outage, for: 300ms}", size=2, calls=2, slow="300ms")
    assert run.means == {"port"}
    assert run.facts == (6, set(), len(run.of(ConnectionOpened)), {"ok"})
    assert max(event.took_s for event in run.of(Dialed)) > 0.9
    assert run.fired == [("backlog_full", "connects turned away")]
    assert len(run.of(ConnectionOpened)) == len(run.of(Dialed))  # who filled it is none of them
