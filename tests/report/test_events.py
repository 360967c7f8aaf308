"""Every event says what happened in the words of the language."""

from dataclasses import MISSING, dataclass, fields
from typing import Any

import pytest

from harness import history as ev
from harness.report.events import happened

SAMPLES: dict[str, Any] = {"str": "word", "int": 3, "float": 0.25, "bool": True}
ABSTRACT = {"Event", "CallEvent", "ProxyEvent"}
CONCRETE = [kind for name, kind in ev.EVENT_TYPES.items() if name not in ABSTRACT]


def sample(kind):
    given = {
        f.name: SAMPLES.get(str(f.type).partition(" ")[0], ())
        for f in fields(kind)
        if f.default is MISSING
    }
    return kind(**given)


@pytest.mark.parametrize("kind", CONCRETE, ids=lambda k: k.__name__)
def test_each_type_has_words_of_its_own(kind):
    text = happened(sample(kind))
    assert happened.dispatch(kind) is not happened.dispatch(ev.Event), "it has no words yet"
    assert text
    assert kind.__name__ not in text
    assert "\n" not in text
    assert "=" not in text


def test_a_type_without_words_still_shows_its_fields():
    @dataclass(frozen=True, slots=True, kw_only=True)
    class Odd(ev.Event):
        what: str

    try:
        assert happened(Odd(at_s=1.0, what="thing")) == "Odd what=thing"
    finally:
        ev.EVENT_TYPES.pop("Odd", None)


def ok(**changes):
    given = {"nonce": "n1", "reply_nonce": "n1", "reply_bytes": 9, "expected_bytes": 9}
    return ev.CallOk(at_s=0.0, took_s=0.012, **(given | changes))


def test_a_good_reply_is_told_briefly():
    assert happened(ok()) == "call n1 ok after 12ms"


def test_a_foreign_reply_names_whose_it_is():
    assert happened(ok(reply_nonce="n2")) == "call n1 ok after 12ms, with the reply to n2"


def test_a_short_reply_tells_how_short():
    assert happened(ok(reply_bytes=4)) == "call n1 ok after 12ms, with 4 of 9 bytes"


def test_a_changed_reply_says_so():
    assert happened(ok(intact=False)).endswith("with bytes that are not the origin's")


def test_failed_and_perhaps_done_are_different_words():
    rest = {"at_s": 0.0, "nonce": "n1", "took_s": 1.0, "kind": "reset", "message": ""}
    assert happened(ev.CallFailed(**rest)) == "call n1 failed after 1s: reset"
    assert happened(ev.CallUnknown(**rest)) == "call n1 perhaps done, given up after 1s: reset"


def test_a_close_tells_who_and_how():
    closed = ev.ConnectionClosed(
        at_s=0.0, connection=3, by="fault:reset", how="reset", bytes_up=80, bytes_down=2048
    )
    assert happened(closed) == (
        "connection 3 closed by fault:reset with RST (0 exchanges, 80B up, 2KiB down)"
    )


def test_a_fault_tells_where_it_struck():
    fired = ev.FaultFired(at_s=0.0, index=0, fault="reset", connection=2, where="byte 512")
    assert happened(fired) == "fault reset (#0) strikes on connection 2, byte 512"
    nowhere = ev.FaultFired(at_s=0.0, index=1, fault="kill")
    assert happened(nowhere) == "fault kill (#1) strikes"
