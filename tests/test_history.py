"""A history keeps its events in order and survives being written and read."""

from dataclasses import fields

import pytest

from harness import history as ev
from harness.errors import InputError

WITNESSES = {"runner", "client", "proxy", "origin", "wire"}
SAMPLES = {"str": 'é\n"x"', "int": 7, "bool": True, "float": 1.25, "tuple[str, ...]": ("a", "b")}


def sample(kind):
    """An event of this type with a value in every field."""
    values = {}
    for field in fields(kind):
        text = str(field.type).removesuffix(" | None")
        values[field.name] = SAMPLES[text]
    return kind(**values)


CONCRETE = [k for k in ev.EVENT_TYPES.values() if not k.__subclasses__()]


@pytest.mark.parametrize("kind", CONCRETE, ids=lambda kind: kind.__name__)
def test_every_event_has_a_witness_and_survives_a_round_trip(kind):
    assert kind.WITNESS in WITNESSES
    event = sample(kind)
    (again,) = ev.History.from_jsonl(ev.History([event]).to_jsonl()).events
    assert again == event


def test_ids_are_positions():
    history = ev.History()
    first = history.add(ev.Healed(at_s=1.0))
    second = history.add(ev.RunEnded(at_s=2.0))
    assert (first, second, len(history)) == (0, 1, 2)
    assert history.of(ev.RunEnded) == [(1, ev.RunEnded(at_s=2.0))]
    assert history.first(ev.Healed) == ev.Healed(at_s=1.0)
    assert history.first(ev.CallOk) is None


def test_of_a_base_gives_every_kind_of_it():
    history = ev.History([ev.Healed(at_s=1.0), ev.FaultArmed(at_s=2.0, index=0, fault="reset")])
    assert [event_id for event_id, _ in history.of(ev.ProxyEvent)] == [1]


def test_fields_that_are_not_known_yet_are_passed_over():
    line = '{"id": 0, "witness": "runner", "type": "Healed", "at_s": 1.0, "colour": "red"}\n\n'
    assert ev.History.from_jsonl(line).events == [ev.Healed(at_s=1.0)]


@pytest.mark.parametrize(
    "line",
    ["not json", "[]", '{"type": "Nonsense", "at_s": 1}', '{"type": "Healed"}', '{"at_s": 1}'],
)
def test_a_line_that_holds_no_event_is_named(line):
    good = ev.History([ev.Healed(at_s=1.0)]).to_jsonl()
    with pytest.raises(InputError) as caught:
        ev.History.from_jsonl(good + line + "\n" + line, file="kept.jsonl")
    assert [(p.file, p.line) for p in caught.value.problems] == [
        ("kept.jsonl", 2),
        ("kept.jsonl", 3),
    ]
