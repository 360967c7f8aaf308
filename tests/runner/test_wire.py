"""What is written down of the client's sockets, and who is told of connects that failed."""

import pytest

from harness.history import Dialed
from harness.runner.wire import Wire
from harness.worker.messages import SocketDialed


@pytest.fixture
def heard(monkeypatch):
    """A wire, what it wrote down, and what it told the proxy."""
    monkeypatch.setattr("trio.current_time", lambda: 7.0)
    events, told = [], []
    wire = Wire(
        events.append,
        lambda: 7.0,
        lambda now: told.append(("refused", now)),
        lambda now: told.append(("no_port", now)),
    )
    return wire, events, told


@pytest.mark.parametrize("outcome", ["refused", "no_port"])
def test_a_connect_that_a_fault_may_have_ended_is_told(heard, outcome):
    wire, events, told = heard
    wire.on_news(SocketDialed(outcome))
    assert [event.outcome for event in events if isinstance(event, Dialed)] == [outcome]
    assert told == [(outcome, 7.0)]


@pytest.mark.parametrize("outcome", ["ok", "timeout", "unreachable", "cancelled", "other"])
def test_any_other_end_of_a_connect_says_nothing_of_such_a_fault(heard, outcome):
    wire, _, told = heard
    wire.on_dialed(40_000, outcome, 6.0)
    assert told == []


def test_of_a_client_that_tells_no_connects_its_failed_calls_are_heard(heard):
    wire, _, told = heard
    for kind in ("no_port", "reset", "refused"):
        wire.on_call_failed(kind)
    assert [word for word, _ in told] == ["no_port", "refused"]
    wire.on_dialed(40_000, "ok", 6.0)
    wire.on_call_failed("no_port")
    assert len(told) == 2
