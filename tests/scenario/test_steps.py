import pytest
from hypothesis import given
from hypothesis import strategies as st

from harness.faults import Cancellation
from harness.scenario import (
    AbandonWords,
    CancelWords,
    PhaseWords,
    plan_phase,
    plan_workload,
    probe_nonce,
)

SEEDS = st.integers(0, 2**32)


def test_a_pause_has_no_calls():
    assert len(plan_phase(PhaseWords(phase="quiet", pause_s=2), 1, 0)) == 0


def test_a_call_carries_what_its_phase_says():
    phase = PhaseWords(phase="a", calls=3, size_bytes=9, slow_s=0.5, framing="eof", every_s=0.1)
    call = plan_phase(phase, 1, 7)[0]
    assert (call.size_bytes, call.slow_s, call.framing, call.every_s) == (9, 0.5, "eof", 0.1)
    assert (call.timeout_s, call.start_s) == (10.0, None)


def test_a_rate_sets_when_calls_begin():
    plan = plan_phase(PhaseWords(phase="a", calls=4, rate_per_s=20), 1, 7)
    assert [call.start_s for call in plan] == [0.0, 0.05, 0.1, 0.15]


@given(SEEDS)
def test_nonces_are_readable_and_unique_in_a_run(seed):
    phases = [PhaseWords(phase=name, calls=20) for name in "abc"]
    nonces = [call.nonce for plan in plan_workload(phases, seed) for call in plan]
    probes = [probe_nonce(r, i, seed) for r in range(1, 4) for i in range(5)]
    assert len({*nonces, *probes}) == 75
    assert nonces[0].startswith("p1-c1-")
    assert nonces[-1].startswith("p3-c20-")
    assert probes[0].startswith("r1-c1-")


@given(SEEDS)
def test_one_setting_changes_no_other_decision(seed):
    plain = PhaseWords(phase="a", calls=50, unsafe=0.5)
    more = PhaseWords(
        phase="b", calls=80, unsafe=0.5, cancel=CancelWords(probability=0.3, step=1), callers=9
    )
    before = [call.unsafe for call in plan_phase(plain, 1, seed)]
    after = [call.unsafe for call in plan_phase(more, 1, seed)]
    assert before == after[:50]


@given(SEEDS)
def test_the_same_seed_plans_the_same(seed):
    phase = PhaseWords(phase="a", calls=10, unsafe=0.5)
    plan = plan_phase(phase, 1, seed)
    assert list(plan) == list(plan_phase(phase, 1, seed))
    assert plan[::-1] == list(plan)[::-1]
    assert plan[-1] == plan[9]


@pytest.mark.parametrize("share", [0.0, 0.5, 1.0])
def test_shares_come_out_near_what_was_asked(share):
    plan = plan_phase(PhaseWords(phase="a", calls=2000, unsafe=share, request_bytes=5), 2, 3)
    unsafe = [call for call in plan if call.unsafe]
    assert len(unsafe) / 2000 == pytest.approx(share, abs=0.05)
    assert all(call.request_bytes == (5 if call.unsafe else 0) for call in plan)


def test_cancelled_calls_know_when():
    phase = PhaseWords(phase="a", calls=5, cancel=CancelWords(after_s=0.003))
    assert {call.cancel for call in plan_phase(phase, 1, 1)} == {Cancellation(after_s=0.003)}


def test_each_cancelled_call_is_cancelled_a_step_later_up_to_the_last_and_anew():
    phase = PhaseWords(phase="a", calls=7, cancel=CancelWords(step=2, to=4))
    steps = [call.cancel.step for call in plan_phase(phase, 1, 1)]
    assert steps == [2, 3, 4, 2, 3, 4, 2]


def test_a_cancelled_call_is_not_abandoned_as_well():
    phase = PhaseWords(
        phase="a",
        calls=400,
        cancel=CancelWords(probability=0.5, step=3),
        abandon=AbandonWords(how="reference"),
    )
    fates = {(call.cancel, call.abandon) for call in plan_phase(phase, 1, 1)}
    assert fates == {(Cancellation(step=3), None), (None, "reference")}


def test_a_plan_ends_where_its_calls_do():
    with pytest.raises(IndexError):
        plan_phase(PhaseWords(phase="a", calls=2), 1, 1)[2]


def test_the_share_that_changes_its_session_is_spread_over_the_phase():
    plan = plan_phase(PhaseWords(phase="a", calls=200, session=0.3, unsafe=0.5), 1, 7)
    assert 55 <= sum(call.session for call in plan) <= 65
    both = sum(call.session and call.unsafe for call in plan)
    assert 20 <= both <= 40
