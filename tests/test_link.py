"""One direction: order, ends, what is due when, and how much may wait."""

import pytest
from hypothesis import given
from hypothesis import strategies as st

from harness.link import HELD_LIMIT_BYTES, QUEUED_LIMIT_BYTES, Link
from harness.timeline import Data, Fin, Reset, postponed


class Later:
    """A slot that delays each item by its own amount."""

    held_bytes = 0

    def __init__(self, delays):
        self.delays = list(delays)

    def feed(self, item, now):
        yield postponed(item, item.due + (self.delays.pop(0) if self.delays else 0.0))

    def deadline(self):
        return None

    def expire(self, now):
        return ()


class Holding(Later):
    """A slot that keeps everything until an instant."""

    def __init__(self, until):
        self.until = until
        self.held = []

    @property
    def held_bytes(self):
        return sum(len(item.payload) for item in self.held)

    def feed(self, item, now):
        self.held.append(item)
        return ()

    def deadline(self):
        return self.until if self.held else None

    def expire(self, now):
        held, self.held = self.held, []
        return [postponed(item, now) for item in held]


def taken(link, now=1e9):
    return list(link.take_due(now))


@given(st.lists(st.tuples(st.binary(min_size=1, max_size=5), st.floats(0, 100)), max_size=20))
def test_a_stream_keeps_its_order_whatever_slots_delay(parts):
    link = Link()
    link.slots.append(Later(delay for _, delay in parts))
    for payload, _ in parts:
        link.feed(Data(1.0, payload), 1.0)
    items = taken(link)
    assert b"".join(item.payload for item in items) == b"".join(payload for payload, _ in parts)
    dues = [item.due for item in items]
    assert dues == sorted(dues)


def test_nothing_leaves_before_it_is_due():
    link = Link()
    link.slots.append(Later([2.0]))
    link.feed(Data(1.0, b"a"), 1.0)
    assert (link.next_due(), taken(link, 2.9)) == (3.0, [])
    assert taken(link, 3.0) == [Data(3.0, b"a")]
    assert link.is_empty


@pytest.mark.parametrize("end", [Fin(1.0), Fin(1.0, full=True), Reset(1.0)])
def test_no_byte_follows_an_end(end):
    link = Link()
    link.slots.append(Later([]))
    link.feed(end, 1.0)
    link.feed(Data(2.0, b"late"), 2.0)
    link.push(b"later", 2.0)
    assert taken(link) == [end]


def test_only_a_stronger_end_follows_an_end():
    link = Link()
    ends = [Fin(1.0), Fin(2.0), Fin(3.0, full=True), Fin(4.0), Reset(5.0), Reset(6.0)]
    for end in ends:
        link.feed(end, end.due)
    assert taken(link) == [ends[0], ends[2], ends[4]]


def test_a_cut_overtakes_what_waits():
    link = Link()
    link.slots.append(Later([9.0]))
    link.feed(Data(1.0, b"lost"), 1.0)
    link.cut(Reset(2.0))
    link.cut(Reset(3.0))
    assert taken(link, 2.0) == [Reset(2.0)]
    assert link.is_cut
    assert link.held_bytes == 0


def test_expired_slots_emit_behind_themselves():
    link = Link()
    link.slots += [Holding(5.0), Later([1.0])]
    link.feed(Data(1.0, b"a"), 1.0)
    assert (link.next_deadline(), link.held_bytes) == (5.0, 1)
    link.expire(4.9)
    assert taken(link) == []
    link.expire(5.0)
    assert taken(link) == [Data(6.0, b"a")]


def test_injected_items_pass_only_the_slots_behind():
    link = Link()
    first, second = Holding(9.0), Later([1.0])
    link.slots += [first, second]
    link.inject(first, [Data(2.0, b"a")], 2.0)
    assert taken(link) == [Data(3.0, b"a")]


def test_what_slots_keep_and_what_is_on_its_way_have_limits_of_their_own():
    link = Link()
    link.slots.append(Holding(9.0))
    assert link.has_room
    link.feed(Data(1.0, b"x" * HELD_LIMIT_BYTES), 1.0)
    assert not link.has_room
    link.expire(9.0)
    assert link.has_room
    link.push(b"x" * (QUEUED_LIMIT_BYTES - HELD_LIMIT_BYTES), 9.0)
    assert not link.has_room
    taken(link)
    assert link.has_room
    assert link.is_empty


def test_a_link_without_slots_hands_straight_through():
    link = Link()
    link.feed(Data(1.0, b"a"), 1.0)
    link.feed(Data(1.0, b""), 1.0)
    assert taken(link, 1.0) == [Data(1.0, b"a")]
