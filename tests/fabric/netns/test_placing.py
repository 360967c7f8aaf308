"""Which interface a shaping concerns, and what its counters mean."""

from dataclasses import replace

import pytest

from harness.fabric.netns.layout import layout
from harness.fabric.netns.placing import Place, Reading, kinds, merged, places, receiver
from harness.scenario.model import Topology
from harness.shape import Bursts, Shape, Shaping
from harness.timeline import Direction, Side

UP, DOWN = Direction.UPSTREAM, Direction.DOWNSTREAM
CLIENT, BACKEND = Side
LATE = Shape(delay_s=0.05)
NARROW = Shape(rate_bytes_per_s=1e6, shared=True)
WIDE = layout(Topology(clients=2, routers=2), ("blue", "green"))
SIDECAR = layout(Topology(proxy="client"), ("blue",))


def found(shape, side, direction, at=WIDE):
    shaping = Shaping(0, shape, "netem", frozenset({side}), (direction,))
    return [tuple(place) for place in places(at, shaping)]


def test_packets_are_shaped_where_a_router_sends_them_to_their_host():
    assert found(LATE, CLIENT, DOWN) == [("router-1", "client-1"), ("router-1", "client-2")]
    assert found(LATE, CLIENT, UP) == [("router-2", "proxy-front")]
    assert found(LATE, BACKEND, UP) == [("router-2", "b-blue"), ("router-2", "b-green")]
    assert found(LATE, BACKEND, DOWN) == [("router-2", "proxy-back")]


def test_what_is_shared_is_shaped_where_all_of_it_passes():
    assert found(NARROW, CLIENT, DOWN) == [("proxy", "front")]
    assert found(NARROW, CLIENT, UP) == [("router-2", "proxy-front")]
    assert found(NARROW, BACKEND, UP) == [("proxy", "back")]
    assert found(NARROW, BACKEND, DOWN) == [("router-2", "proxy-back")]


def test_a_sidecar_has_links_on_the_backends_side_alone():
    assert found(LATE, CLIENT, DOWN, SIDECAR) == []
    assert found(LATE, BACKEND, DOWN, SIDECAR) == [("router-1", "client-1")]
    assert found(NARROW, BACKEND, UP, SIDECAR) == [("router-1", "b-blue")]


def test_whom_an_interface_of_a_router_leads_to():
    assert receiver(WIDE, Place("router-1", "client-2")) == "client-2"
    assert receiver(WIDE, Place("router-2", "proxy-back")) == "proxy"
    assert receiver(WIDE, Place("proxy", "front")) == ""


def test_shapes_are_merged_into_one_that_does_what_all_do():
    late = Shape(delay_s=0.05, jitter_s=0.01, distribution="pareto")
    lossy = Shape(bursts=Bursts(p=0.1, r=0.5))
    both = replace(late, bursts=lossy.bursts, rate_bytes_per_s=1e6, shared=True)
    assert merged([late, lossy, NARROW]) == both
    assert merged([]) == Shape()


@pytest.mark.parametrize(
    ("wanted", "standing", "then"),
    [
        (["netem"], (), ("netem",)),
        (["tbf", "netem", "netem"], (), ("netem", "tbf")),
        ([], ("netem", "tbf"), ("netem", "tbf")),  # it stays and does nothing
        (["netem"], ("tbf",), ("netem", "tbf")),
        (["htb"], ("netem", "tbf"), ("netem", "htb")),
        ([], (), ()),
    ],
)
def test_what_stands_stays_unless_another_takes_its_place(wanted, standing, then):
    assert kinds(wanted, standing) == then


def test_each_shape_is_shown_by_a_counter_of_its_own():
    reading = Reading(passed=100, lost=7, early=60, through_bucket=50, copies=3, damaged=2)
    shapes = [
        LATE,
        Shape(loss=0.1),
        Shape(bursts=Bursts(p=0.1, r=0.5)),
        Shape(reorder=0.4, delay_s=0.01),
        NARROW,
        Shape(duplicate=0.1),
        Shape(corrupt=0.1),
    ]
    assert [reading.struck(shape) for shape in shapes] == [100, 7, 7, 40, 50, 3, 2]


def test_counters_that_began_anew_count_nothing_twice_and_nothing_backwards():
    assert Reading(passed=5).since(Reading(passed=9, lost=1)) == Reading()
    assert Reading(passed=9, lost=4).since(Reading(passed=5, lost=1)) == Reading(passed=4, lost=3)
