"""Items, places, and draws that depend on what they are about and on nothing else."""

from hypothesis import given
from hypothesis import strategies as st

from harness.timeline import Data, Direction, Draws, Fin, Place, Reset, Side, postponed


def test_directions_and_sides_know_each_other():
    for direction in Direction:
        assert direction.opposite.opposite is direction
        assert direction.sink.inbound is direction
        assert direction.source is direction.opposite.sink
    assert Direction.UPSTREAM.sink is Side.BACKEND


@given(st.binary(max_size=50), st.integers(0, 60))
def test_both_parts_of_split_data_know_their_place(payload, offset):
    item = Data(1.0, payload, Place(3, 10, 100))
    head, rest = item.split(offset)
    assert head.payload + rest.payload == payload
    assert head.place == item.place
    assert rest.place == Place(3, 10 + offset, 100 + offset)
    assert head.due == rest.due == 1.0


def test_postponing_never_brings_forward():
    assert postponed(Data(3.0, b"a"), 2.0) == Data(3.0, b"a")
    assert postponed(Fin(1.0, full=True, notify=False), 2.0) == Fin(2.0, full=True, notify=False)
    assert postponed(Reset(1.0), 2.0) == Reset(2.0)


KEYS = st.lists(st.one_of(st.integers(), st.text(max_size=5)), min_size=1, max_size=3)


@given(st.integers(), KEYS)
def test_the_same_key_draws_the_same_whatever_was_drawn_before(seed, key):
    draws = Draws(seed, 1)
    first = draws.random(*key).random()
    draws.random("something else").random()
    assert draws.random(*key).random() == first
    assert Draws(seed).scoped(1).random(*key).random() == first


def test_other_seeds_scopes_and_keys_draw_otherwise():
    drawn = {
        draws.random(*key).random()
        for draws in (Draws(1), Draws(2), Draws(1).scoped(2), Draws(12))
        for key in ((1,), (2,), (1, 2), (12,))
    }
    # Draws(1).scoped(2) with key 1 is (1, 2, 1): of the sixteen only (1, 2, …) can coincide.
    assert len(drawn) >= 14


def test_chance_is_as_likely_as_it_says():
    hits = sum(Draws(7).chance(0.25, number) for number in range(2000))
    assert 400 < hits < 600
    assert Draws(7).chance(1.0, 1)
    assert not Draws(7).chance(0.0, 1)
