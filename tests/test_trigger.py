"""The words of triggers, what contradicts what, and the run's own windows."""

import math

import pytest

from harness.timeline import Data, Direction, Draws, Place
from harness.trigger import (
    EVENTS,
    Gate,
    Life,
    Ordinals,
    Scene,
    Trigger,
    parse_ordinals,
    parse_pattern,
    window_closes,
    window_opens,
    window_ready,
)


@pytest.mark.parametrize(
    ("text", "inside", "outside"),
    [
        (3, [3], [0, 1, 2, 4]),
        ("3", [3], [6]),
        ("first 2", [1, 2], [0, 3]),
        ("every 10", [10, 20], [0, 1, 15]),
        (" every  2", [2], [3]),
    ],
)
def test_ordinals_count_from_one(text, inside, outside):
    ordinals = parse_ordinals(text)
    assert all(number in ordinals for number in inside)
    assert not any(number in ordinals for number in outside)
    assert "3" not in ordinals
    assert parse_ordinals(str(ordinals)) == ordinals == parse_ordinals(ordinals)


@pytest.mark.parametrize("text", [0, -1, "last 2", "every 0", "", True, 1.5, None, "every"])
def test_what_counts_nothing_is_refused_with_what_is_right(text):
    with pytest.raises(ValueError, match="write 3, first 2 or every 10"):
        parse_ordinals(text)


@pytest.mark.parametrize(
    ("pattern", "why"),
    [
        ("(", "no regular expression"),
        ("a*", "matches nothing at all"),
        ("", "not empty"),
        (7, "not empty"),
        ("^GET", "leave \\^ out"),
        ("ok$", "leave \\$ out"),
    ],
)
def test_a_pattern_that_cannot_work_says_why(pattern, why):
    with pytest.raises(ValueError, match=why):
        parse_pattern(pattern)


def test_a_pattern_stays_as_it_was_written():
    assert parse_pattern(r"HTTP/1\.1 5\d\d") == r"HTTP/1\.1 5\d\d"


@pytest.mark.parametrize(
    ("trigger", "key"),
    [
        (Trigger(once=True, times=2), "once"),
        (Trigger(request=Ordinals("exactly", 1), response=Ordinals("exactly", 1)), "response"),
        (Trigger(match="a", byte=3), "byte"),
        (Trigger(event="dialed", byte=3), "event"),
        (Trigger(event="dialed", idle_s=3.0), "event"),
    ],
)
def test_contradictions_name_the_key_to_drop(trigger, key):
    assert [name for name, _ in trigger.contradictions()] == [key]


def test_conditions_are_named_as_users_write_them():
    given = Trigger(at_s=1.0, for_s=2.0, byte=0, once=True).given()
    assert given == {"at", "for", "byte", "once"}
    assert Trigger().given() == frozenset()


def test_how_often_it_may_fire():
    assert Trigger().limit == math.inf
    assert Trigger(times=3).limit == 3
    assert Trigger(once=True).limit == 1


# --- windows --------------------------------------------------------------------------------


def scene(zero=100.0, phase="a", began=None):
    result = Scene()
    result.enter("first", zero)
    result.enter(phase, zero if began is None else began)
    return result


def test_without_conditions_of_the_run_it_is_always_open():
    assert window_ready(Trigger(), Scene(), 5.0) == 5.0
    assert window_opens(Trigger(), Scene()) == -math.inf
    assert window_closes(Trigger(for_s=1.0), Scene()) == math.inf


@pytest.mark.parametrize("trigger", [Trigger(at_s=1.0), Trigger(during="a")])
def test_before_the_workload_nobody_knows(trigger):
    assert window_ready(trigger, Scene(), 5.0) is None


def test_at_counts_from_the_workload_and_during_from_the_phase():
    assert window_ready(Trigger(at_s=5.0), scene(), 101.0) == 105.0
    assert window_ready(Trigger(during="a"), scene(began=130.0), 131.0) == 130.0
    assert window_ready(Trigger(during="b"), scene(), 131.0) is None
    assert window_ready(Trigger(during="a", at_s=40.0), scene(began=130.0), 131.0) == 140.0


@pytest.mark.parametrize("trigger", [Trigger(at_s=30.0, for_s=5.0), Trigger(during="a", for_s=5.0)])
def test_for_closes_the_window(trigger):
    at = scene(began=130.0)
    assert window_closes(trigger, at) == 135.0
    assert window_ready(trigger, at, 134.9) == 130.0
    assert window_ready(trigger, at, 135.0) is None


def test_for_does_not_close_a_window_that_waits_for_a_connection():
    trigger = Trigger(at_s=30.0, for_s=5.0, idle_s=1.0)
    assert window_ready(trigger, scene(), 500.0) == 130.0


# --- the gate -------------------------------------------------------------------------------


def test_a_point_is_counted_in_its_message_or_in_its_direction():
    life = Life(1, 0.0)
    item = Data(0.0, b"x" * 10, Place(exchange=2, message_byte=20, stream_byte=120))

    def offset(**conditions):
        trigger = Trigger(**conditions)
        gate = Gate(trigger, Scene(), life, Draws(0), Direction.DOWNSTREAM)
        return gate.point(item, 0.0)

    second = Ordinals("exactly", 2)
    assert offset(response=second, byte=25) == 5
    assert offset(response=second, byte=30) == 10
    assert offset(response=second, byte=20) is None  # it stood at the end of the item before
    assert offset(response=Ordinals("exactly", 3), byte=25) is None
    assert offset(byte=125) == 5
    assert offset(byte=25) is None


def test_events_have_names():
    assert set(EVENTS) == {"connected", "dialed", "tls_established", "half_closed"}
