import pytest

from harness.checks.backoff import Backoff
from harness.history import (
    ConnectionClosed,
    ConnectionOpened,
    Dialed,
    DialFailed,
    Healed,
    TlsFailed,
)

CHECK = Backoff(at_most_per_s=2)


def refused(story, *instants):
    return [story.tell(Dialed, at, local_port=0, outcome="refused") for at in instants]


def test_pauses_between_retries_pass(story):
    ids = refused(story, 0, 0.5, 1.5, 3.5, 7.5)
    story.tell(Dialed, 9, local_port=0)
    story.ends()
    story.judge(CHECK, "pass", *ids, 5, saying="5 further attempts, 0.556 a second")


def test_hammering_fails(story):
    ids = refused(story, 0, 0.1, 0.2, 0.3, 0.4)
    story.judge(CHECK, "fail", *ids, saying="4 further attempts, 10 a second")


def test_attempts_under_way_when_the_first_one_fails_are_no_retries(story):
    for _ in range(10):
        story.tell(Dialed, 1, local_port=0, outcome="timeout", took_s=1)
    story.ends()
    story.judge(CHECK, "pass", saying="0 further attempts, too few")


def test_a_success_ends_an_outage(story):
    for at in range(6):
        story.tell(Dialed, at / 10, local_port=0, outcome="ok" if at % 2 else "refused")
    story.ends()
    story.judge(CHECK, "pass", saying="3 outages")


TURNED_AWAY = {
    "closed at once": (ConnectionClosed, {"by": "fault:accept_close"}),
    "no backend": (DialFailed, {}),
    "no handshake": (TlsFailed, {}),
}


@pytest.mark.parametrize(("kind", "values"), TURNED_AWAY.values(), ids=TURNED_AWAY)
def test_a_connection_turned_away_at_once_is_a_failed_attempt(story, kind, values):
    for i in range(1, 6):
        story.tell(Dialed, i / 10, local_port=i)
        story.tell(ConnectionOpened, i / 10, connection=i, client_port=i)
        story.tell(kind, i / 10 + 0.01, connection=i, **values)
    story.judge(CHECK, "fail")


@pytest.mark.parametrize("values", [{"by": "client"}, {"by": "backend", "exchanges": 1}])
def test_a_connection_that_served_or_was_left_by_the_client_is_none(story, values):
    for i in range(1, 6):
        story.tell(Dialed, i / 10, local_port=i)
        story.tell(ConnectionOpened, i / 10, connection=i, client_port=i)
        story.tell(ConnectionClosed, i / 10 + 0.01, connection=i, **values)
    story.ends()
    story.judge(CHECK, "unknown", saying="no attempt to connect failed")


def test_healing_ends_an_outage(story):
    refused(story, 0)
    story.tell(Healed, 0.05)
    refused(story, 0.1, 0.2, 0.3, 0.4)
    story.ends()
    story.judge(CHECK, "pass")


def test_without_the_wire_it_is_unknown(story):
    story.ends()
    story.judge(CHECK, "unknown", saying="the wire saw no attempt")


def test_attempts_made_in_the_instant_of_the_first_failure_are_no_retries(story):
    refused(story, *[1.0] * 10)
    story.ends()
    story.judge(CHECK, "pass", saying="0 further attempts")


def test_a_connection_closed_unused_after_a_while_is_no_failed_attempt(story):
    story.tell(Dialed, 1, local_port=7)
    story.tell(ConnectionOpened, 1, connection=1, client_port=7)
    story.tell(ConnectionClosed, 3, connection=1, by="fault:close")
    story.ends()
    story.judge(CHECK, "unknown", saying="no attempt to connect failed")
