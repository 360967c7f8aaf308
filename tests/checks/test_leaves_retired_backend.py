import pytest

from harness.checks.leaves_retired_backend import LeavesRetiredBackend
from harness.history import BackendRetired, Executed, Healed

CHECK = LeavesRetiredBackend(within_s=2.0)


@pytest.fixture
def retired(story):
    """Blue is retired at 5 s for green."""
    story.tell(BackendRetired, 5, backend="blue", successor="green")
    return story


def test_work_that_moved_in_time_passes(retired):
    retired.tell(Executed, 6, nonce="a", backend="blue")
    moved = retired.tell(Executed, 8, nonce="b", backend="green")
    retired.ends()
    retired.judge(CHECK, "pass", 0, moved)


def test_work_that_stays_fails(retired):
    late = [retired.tell(Executed, at, nonce="a", backend="blue") for at in (8, 9)]
    retired.judge(CHECK, "fail", 0, *late, saying="2 calls executed on a retired backend")


def test_a_successor_is_in_use_again(retired):
    retired.tell(Executed, 8, nonce="b", backend="green")
    back = retired.tell(BackendRetired, 9, backend="green", successor="blue")
    retired.tell(Executed, 12, nonce="c", backend="blue")
    retired.ends()
    retired.judge(CHECK, "pass", 0, 1, back, 3)


@pytest.mark.parametrize("at_s", [6.9, 20])
def test_with_nobody_to_move_it_is_unknown(retired, at_s):
    retired.tell(Healed, 19)
    retired.tell(Executed, at_s, nonce="a", backend="green")
    retired.ends()
    retired.judge(CHECK, "unknown", 0, saying="nothing was executed elsewhere")


def test_without_a_retirement_it_is_unknown(story):
    story.ends()
    story.judge(CHECK, "unknown", saying="no backend was retired")
