"""The router's queue; what it does among real kernels is seen in tests/root."""

import pytest
import trio
from hypothesis import given
from hypothesis import strategies as st

from harness.fabric.netns import router
from harness.fabric.netns.ip import SYN, build, key_of, parse
from harness.fabric.netns.router import EARLY_S, Queue
from harness.fabric.netns.tracking import Tracker
from harness.timeline import Side


class Bench:
    """A queue in front of a device that writes down what leaves, with its instant; time is set."""

    def __init__(self):
        self.now = 100.0
        self.left = []
        self.alarms = []
        self.queue = Queue(self.call_at)

    def current_time(self):
        return self.now

    def call_at(self, when, call):
        alarm = Alarm(when, call)
        self.alarms.append(alarm)
        return alarm

    def write(self, raw):
        self.left.append((raw, self.now))

    def send(self, raw, half=None, delay_s=0.0):
        self.queue.send(self, raw, self.now, half, delay_s)

    def pass_until(self, until):
        while due := [a for a in self.alarms if not a.cancelled and a.when <= until]:
            alarm = min(due, key=lambda a: a.when)
            self.alarms.remove(alarm)
            self.now = max(self.now, alarm.when)
            alarm.call()
        self.now = until


class Alarm:
    def __init__(self, when, call):
        self.when = when
        self.call = call
        self.cancelled = False

    def cancel(self):
        self.cancelled = True


@pytest.fixture
def bench(monkeypatch):
    bench = Bench()
    monkeypatch.setattr(trio, "current_time", bench.current_time)
    return bench


def one_half():
    raw = build(key_of(("198.18.1.2", 1), ("198.18.31.2", 2)), SYN, seq=1)
    return Tracker(lambda client, server: Side.CLIENT).track(parse(raw))[0]


def test_what_has_no_delay_leaves_at_once(bench):
    bench.send(b"1", one_half())
    assert bench.left == [(b"1", 100.0)]
    assert bench.alarms == []


def test_what_waits_leaves_at_its_instant_after_an_alarm_that_is_early(bench):
    bench.send(b"1", delay_s=2.0)
    assert [alarm.when for alarm in bench.alarms] == [102.0 - EARLY_S]
    bench.pass_until(102.0)
    assert bench.left == [(b"1", 102.0)]
    assert len(bench.queue) == 0


def test_an_earlier_packet_sets_the_alarm_anew(bench):
    bench.send(b"1", delay_s=2.0)
    bench.send(b"2", delay_s=1.0)
    bench.pass_until(103.0)
    assert bench.left == [(b"2", 101.0), (b"1", 102.0)]


def test_a_direction_keeps_its_order_and_others_don_t_wait_for_it(bench):
    half, other = one_half(), one_half()
    bench.send(b"1", half, 2.0)
    bench.send(b"2", half)
    bench.send(b"3", other)
    bench.send(b"4", None)
    bench.pass_until(102.0)
    bench.send(b"5", half)
    assert [raw for raw, _ in bench.left] == [b"3", b"4", b"1", b"2", b"5"]


def test_what_is_due_is_not_overtaken_though_its_alarm_is_late(bench):
    half = one_half()
    bench.send(b"1", half, 2.0)
    bench.now = 103.0
    bench.send(b"2", half)
    assert [raw for raw, _ in bench.left] == [b"1", b"2"]


def test_many_that_are_due_leave_in_batches(bench, monkeypatch):
    monkeypatch.setattr(router, "BATCH_PACKETS", 2)
    for n in range(5):
        bench.send(bytes([n]), delay_s=1.0)
    bench.alarms.pop().call()
    bench.now = 101.0
    bench.alarms.pop().call()
    assert [raw for raw, _ in bench.left] == [b"\0", b"\1"]
    bench.pass_until(101.0)
    assert len(bench.left) == 5


def test_more_than_fit_are_counted_and_lost(bench, monkeypatch):
    monkeypatch.setattr(router, "QUEUE_LIMIT", 2)
    for n in range(5):
        bench.send(bytes([n]), delay_s=1.0)
    assert (len(bench.queue), bench.queue.dropped) == (2, 3)


def test_what_is_forgotten_never_leaves(bench):
    bench.send(b"1", delay_s=1.0)
    bench.queue.clear()
    bench.pass_until(200.0)
    assert bench.left == []


@given(
    st.lists(
        st.tuples(
            st.integers(0, 1),  # which direction
            st.sampled_from([0.0, 0.001, 0.25, 1.0]),  # delay
            st.sampled_from([0.0, 0.0004, 0.3]),  # until the next
        ),
        max_size=30,
    )
)
def test_no_packet_is_early_and_no_direction_out_of_order(sent):
    bench, halves = Bench(), [one_half(), one_half()]
    with pytest.MonkeyPatch.context() as patch:
        patch.setattr(trio, "current_time", bench.current_time)
        due = {}
        for n, (which, delay_s, pause_s) in enumerate(sent):
            due[bytes([which, n])] = bench.now + delay_s
            bench.send(bytes([which, n]), halves[which], delay_s)
            bench.pass_until(bench.now + pause_s)
        bench.pass_until(bench.now + 10)
    assert len(bench.left) == len(sent)
    assert all(at >= due[raw] for raw, at in bench.left)
    for which in (0, 1):
        ordinals = [raw[1] for raw, _ in bench.left if raw[0] == which]
        assert ordinals == sorted(ordinals)
