import pytest

from harness.checks.slots_conserved import SlotsConserved
from harness.history import ConnectionOpened, Healed, RecoveryProbed, RunStarted


@pytest.fixture
def healed(story):
    story.tell(RunStarted, pool_size=1, pool_max_overflow=1)
    story.tell(ConnectionOpened, 1, connection=1)
    story.tell(Healed, 5)
    return story


def test_all_slots_used_at_once_pass(healed):
    healed.tell(RecoveryProbed, 6, calls=1, ok=1)
    together = healed.tell(RecoveryProbed, 7, calls=2, ok=2, together=2)
    healed.judge(SlotsConserved(), "unknown")
    healed.ends()
    healed.judge(SlotsConserved(), "pass", together)


def test_a_slot_that_leaves_the_others_waiting_fails(healed):
    healed.tell(RecoveryProbed, 6, calls=1, ok=1)
    together = healed.tell(RecoveryProbed, 9, calls=2, ok=0, together=2)
    healed.judge(SlotsConserved(), "fail", together, saying="0 of 2 probes")


def test_a_client_that_never_recovered_fails(healed):
    rounds = [healed.tell(RecoveryProbed, at, calls=2, ok=1) for at in (6, 7)]
    healed.judge(SlotsConserved(), "unknown")
    healed.ends()
    healed.judge(SlotsConserved(), "fail", *rounds, saying="never recovered")


def test_rounds_of_one_call_after_the_other_show_nothing(healed):
    healed.tell(RecoveryProbed, 6, calls=2, ok=2)
    healed.ends()
    healed.judge(SlotsConserved(), "unknown", saying="no round of probes")


def test_fewer_at_once_than_the_pool_has_slots_show_nothing(healed):
    healed.tell(RecoveryProbed, 6, calls=1, ok=1, together=1)
    healed.ends()
    healed.judge(SlotsConserved(), "unknown", saying="no round of probes")


def test_without_healing_it_is_unknown(story):
    story.tell(RunStarted)
    story.ends()
    story.judge(SlotsConserved(), "unknown", saying="not measured")
