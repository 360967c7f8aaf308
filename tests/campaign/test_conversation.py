"""Where faults can be placed in what was said."""

import itertools

from harness.campaign.conversation import (
    EVERY_BYTE_LIMIT,
    Conversation,
    byte_places,
    record_places,
)
from harness.timeline import Data, Direction, Place

UP, DOWN = Direction.UPSTREAM, Direction.DOWNSTREAM


def record(length):
    return bytes([23, 3, 3]) + length.to_bytes(2, "big") + bytes(length)


def said(*messages):
    heard = Conversation()
    for connection, direction, exchange, payload in messages:
        heard.note(connection, direction, Data(0.0, payload, Place(exchange)))
    return heard


def test_a_short_message_is_struck_before_and_after_each_of_its_bytes():
    assert byte_places(b"abc") == [0, 1, 2, 3]
    assert byte_places(b"") == [0]


def test_a_long_message_is_struck_at_its_head_its_borders_and_at_strides_between():
    head = b"HTTP/1.1 200 OK\r\nContent-Length: 100000\r\n\r\n"
    message = head + bytes(100_000)
    places = byte_places(message)
    assert places == sorted(set(places))
    assert len(places) < EVERY_BYTE_LIMIT
    assert set(range(len(head) + 2)) <= set(places)
    assert set(range(len(message) - 16, len(message) + 1)) <= set(places)
    assert max(b - a for a, b in itertools.pairwise(places)) < 2000


def test_a_record_is_struck_at_its_begin_its_middle_and_its_end():
    stream = [record(10) + record(3)]
    assert list(record_places(stream)) == [(0, 0), (0, 7), (0, 15), (0, 15), (0, 19), (0, 23)]


def test_a_record_may_go_on_in_the_next_message():
    whole = record(10)
    assert list(record_places([whole[:6], whole[6:]])) == [(0, 0), (1, 1), (1, 9)]


def test_the_begin_of_a_message_is_no_place_in_the_one_before():
    assert list(record_places([record(1), record(1)]))[3] == (1, 0)


def test_what_is_no_tls_has_no_records():
    assert list(record_places([b"GET / HTTP/1.1\r\n"])) == []
    assert list(record_places([])) == []


def test_the_exchange_to_strike_is_the_second_of_a_connection_that_was_used_before():
    heard = said((1, UP, 1, b"a"), (1, DOWN, 1, b"b"), (2, UP, 1, b"a"), (2, DOWN, 1, b"b"),
                 (2, UP, 2, b"c"), (2, DOWN, 2, b"d"))  # fmt: skip
    assert heard.usual_exchange() == (2, 2)
    assert heard.message(2, DOWN, 2) == b"d"


def test_without_a_used_connection_it_is_the_first_exchange_that_was_answered():
    heard = said((1, UP, 1, b"a"), (2, UP, 1, b"a"), (2, DOWN, 1, b"b"))
    assert heard.usual_exchange() == (2, 1)
    assert said((1, UP, 1, b"a")).usual_exchange() is None
    assert said().usual_exchange() is None


def test_more_than_can_be_kept_is_not_noted():
    heard = Conversation(left_bytes=3)
    heard.note(1, UP, Data(0.0, b"abc"))
    heard.note(1, UP, Data(0.0, b"d"))
    assert heard.message(1, UP, 1) == b"abc"
