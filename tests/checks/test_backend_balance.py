import pytest

from harness.checks.backend_balance import BackendBalance
from harness.history import ConnectionOpened, Executed, Healed

CHECK = BackendBalance(at_most=2)


@pytest.fixture
def shared(story):
    """Two calls on blue, one on green."""
    for i, backend in enumerate(["blue", "blue", "green"]):
        story.tell(Executed, i, nonce=str(i), backend=backend)
    return story


def test_within_the_ratio_passes(shared):
    shared.tell(Healed, 5)
    shared.tell(Executed, 6, nonce="probe", backend="blue")
    shared.ends()
    shared.judge(CHECK, "pass", 0, 2, saying="2 times; executions: blue 2, green 1")


def test_beyond_the_ratio_fails(shared):
    shared.tell(Executed, 6, nonce="x", backend="blue")
    shared.judge(CHECK, "fail", 0, 2)


def test_a_backend_with_connections_and_no_work_fails(shared):
    shared.tell(ConnectionOpened, connection=1, backend="red")
    shared.judge(CHECK, "fail", saying="inf times")


def test_one_backend_has_nothing_to_balance(story):
    story.tell(Executed, nonce="a", backend="blue")
    story.ends()
    story.judge(CHECK, "unknown", saying="fewer than two")
