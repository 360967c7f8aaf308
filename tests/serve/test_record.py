"""What is kept of what proxies saw, and the facts made of it."""

from dataclasses import asdict

from harness.history import (
    ConnectionClosed,
    ConnectionOpened,
    DialFailed,
    FaultFired,
    TlsEstablished,
    TlsFailed,
)
from harness.serve import facts, recorder
from harness.serve.facts import Ledger
from harness.serve.recorder import Recorder

OPENED = ConnectionOpened(at_s=0.5, connection=1, client_port=4000, backend="blue")
CLOSED = ConnectionClosed(
    at_s=0.75, connection=1, by="fault:reset", how="reset", bytes_up=10, bytes_down=20, exchanges=2
)
FIRED = FaultFired(at_s=0.75, index=3, fault="reset", connection=1)


def folded(*events, live=()):
    ledger = Ledger()
    ledger.fold([{"type": type(event).__name__} | asdict(event) for event in events], live)
    return ledger


def test_events_are_handed_out_in_order_and_in_parts():
    record = Recorder()
    for event in (OPENED, FIRED, CLOSED):
        record.add(event)
    first = list(record.since(0, 2))
    assert [event["type"] for event in first] == ["ConnectionOpened", "FaultFired"]
    assert [event["type"] for event in record.since(2, 2)] == ["ConnectionClosed"]
    assert list(record.since(3, 2)) == []
    assert (record.opened, record.reused, record.fired[3]) == (1, 1, 1)


def test_what_is_dropped_is_counted_and_counts_stay_exact(monkeypatch):
    monkeypatch.setattr(recorder, "EVENTS_KEPT", 3)
    record = Recorder()
    for _ in range(10):
        record.add(OPENED)
    assert record.opened == 10
    assert record.dropped_since(0) == 7
    assert record.dropped_since(8) == 0
    assert len(list(record.since(0, 100))) == 3
    assert len(list(record.since(8, 100))) == 2


def test_facts_tell_a_connection_s_life():
    (one,) = folded(
        OPENED, TlsEstablished(at_s=0.6, connection=1, version="TLSv1.3")
    ).connections.values()
    assert one.is_open
    assert not one.reused
    (one,) = folded(OPENED, FIRED, CLOSED).connections.values()
    assert not one.is_open
    assert one.reused
    assert one.faults == ("reset",)
    assert repr(one) == (
        "<connection 1 closed by fault:reset with RST after 0.250 s: "
        "2 exchanges; 10 B up, 20 B down; struck by reset>"
    )


def test_facts_of_live_connections_come_from_the_side():
    (one,) = folded(OPENED, live=[[1, 7, 70, 700]]).connections.values()
    assert (one.exchanges, one.bytes_up, one.bytes_down) == (7, 70, 700)
    assert str(one) == "connection 1 open since 0.500 s: 7 exchanges; 70 B up, 700 B down"


def test_failures_are_among_the_facts():
    (one,) = folded(
        OPENED,
        TlsFailed(at_s=0.6, connection=1, reason="unknown ca"),
        DialFailed(at_s=0.6, connection=1, backend="green", reason="refused"),
    ).connections.values()
    assert "TLS failed: unknown ca" in str(one)
    assert "no backend: refused" in str(one)
    assert one.backend == "green"


def test_what_speaks_of_a_connection_nobody_knows_is_left_out():
    assert folded(CLOSED, FIRED, live=[[9, 1, 1, 1]]).connections == {}


def test_closed_connections_are_forgotten_in_the_end_open_ones_never(monkeypatch):
    monkeypatch.setattr(facts, "CLOSED_KEPT", 2)
    events = [
        ConnectionOpened(at_s=0.0, connection=n, client_port=n, backend="blue") for n in range(1, 7)
    ]
    ends = [ConnectionClosed(at_s=1.0, connection=n, by="client", how="fin") for n in (2, 3, 4, 5)]
    ledger = folded(*events, *ends)
    assert list(ledger.connections) == [1, 4, 5, 6]
    assert ledger.forgotten == 2
