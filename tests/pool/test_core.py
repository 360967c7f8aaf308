"""Laws of the pure core, under any order of events that a shell could bring."""

import errno
from collections import Counter
from random import Random

import pytest
from hypothesis import settings as profile
from hypothesis import strategies as st
from hypothesis.stateful import RuleBasedStateMachine, invariant, precondition, rule

from harness.pool import PoolCore, PoolSettings
from harness.pool import events as ev
from harness.pool.records import State

GRID_S = 0.25
REFUSED = ConnectionRefusedError(errno.ECONNREFUSED, "refused")


class PoolLaws(RuleBasedStateMachine):
    """A shell without time of its own: hypothesis decides what comes of each effect, and when."""

    settings = PoolSettings(
        size=2,
        max_overflow=1,
        timeout_s=3,
        min_idle=1,
        recycle_s=8,
        idle_timeout_s=3,
        pre_ping=True,
        bypass_window_s=0.5,
        backoff_base_s=1,
        backoff_cap_s=2,
    )

    def __init__(self):
        super().__init__()
        self.core = PoolCore(self.settings, Random(0))
        self.now = 0.0
        self.number = 0
        self.waiting = {}  # waiter -> deadline, in the order they came
        self.in_use = {}  # conn -> waiter
        self.doing = {}  # conn -> the order being carried out
        self.dead = set()
        self.news = Counter()
        self.send(ev.Start())

    # -------------------------------------------------------- the shell

    def send(self, event):
        for effect in self.core.on(event, self.now):
            self.perform(effect)

    def perform(self, effect):
        match effect:
            case ev.Grant():
                assert next(iter(self.waiting)) == effect.waiter, "first come, first served"
                assert self.now < self.waiting.pop(effect.waiter)
                assert effect.conn not in self.in_use
                assert effect.conn not in self.dead
                assert self.doing.pop(effect.conn, None) is None
                self.in_use[effect.conn] = effect.waiter
            case ev.Refuse():
                deadline = self.waiting.pop(effect.waiter)
                if effect.reason in {"timeout", "connect"} and effect.error is None:
                    assert self.now == deadline
                assert self.now <= deadline
            case ev.Tell():
                self.news[type(effect.news)] += 1
            case ev.Finish():
                pass
            case _:
                assert effect.conn not in self.in_use or isinstance(
                    effect, ev.Watch | ev.Close | ev.Abort
                )
                self.in_use.pop(effect.conn, None)
                self.doing[effect.conn] = effect

    def finish(self, conn, event):
        del self.doing[conn]
        self.send(event)

    def of(self, *kinds):
        return sorted(conn for conn, order in self.doing.items() if isinstance(order, kinds))

    def pick(self, data, *kinds):
        return data.draw(st.sampled_from(self.of(*kinds)))

    # -------------------------------------------------------- what can happen

    @rule(timeout_s=st.integers(1, 12).map(lambda n: n * GRID_S))
    def acquire(self, timeout_s):
        self.number += 1
        self.waiting[self.number] = self.now + timeout_s
        self.send(ev.Acquire(self.number, self.now + timeout_s))

    @precondition(lambda self: self.waiting)
    @rule(data=st.data())
    def give_up(self, data):
        waiter = data.draw(st.sampled_from(sorted(self.waiting)))
        del self.waiting[waiter]
        self.send(ev.GiveUp(waiter))

    @precondition(lambda self: self.in_use)
    @rule(data=st.data())
    def give_up_in_the_tick_of_the_grant(self, data):
        conn = data.draw(st.sampled_from(sorted(self.in_use)))
        self.send(ev.GiveUp(self.in_use.pop(conn)))

    @precondition(lambda self: self.in_use)
    @rule(data=st.data(), reusable=st.booleans(), suspicious=st.booleans())
    def release(self, data, reusable, suspicious):
        conn = data.draw(st.sampled_from(sorted(self.in_use)))
        del self.in_use[conn]
        if not reusable:
            self.dead.add(conn)
        self.send(ev.Release(conn, reusable, suspicious))

    @precondition(lambda self: self.in_use)
    @rule(data=st.data())
    def lose(self, data):
        conn = data.draw(st.sampled_from(sorted(self.in_use)))
        del self.in_use[conn]
        self.dead.add(conn)
        self.send(ev.Lost(conn, "here.py:1"))

    @precondition(lambda self: self.of(ev.Connect))
    @rule(data=st.data())
    def connect(self, data):
        conn = self.pick(data, ev.Connect)
        self.finish(conn, ev.Connected(conn))

    @precondition(lambda self: self.of(ev.Connect))
    @rule(data=st.data(), permanent=st.booleans())
    def fail_to_connect(self, data, permanent):
        conn = self.pick(data, ev.Connect)
        self.dead.add(conn)
        self.finish(conn, ev.ConnectError(conn, REFUSED, permanent))

    @precondition(lambda self: self.of(ev.Check))
    @rule(data=st.data(), failure=st.sampled_from([None, None, "stale", "ping_failed"]))
    def check(self, data, failure):
        conn = self.pick(data, ev.Check)
        if failure is not None:
            self.dead.add(conn)
        self.finish(conn, ev.Checked(conn, self.doing[conn].ping, failure))

    @precondition(lambda self: self.of(ev.Watch, ev.Check))
    @rule(data=st.data())
    def die_while_idle(self, data):
        conn = self.pick(data, ev.Watch, ev.Check)
        self.dead.add(conn)
        self.send(ev.WentStale(conn))

    @precondition(lambda self: self.of(ev.Close, ev.Abort))
    @rule(data=st.data())
    def be_gone(self, data):
        conn = self.pick(data, ev.Close, ev.Abort)
        self.dead.add(conn)
        self.finish(conn, ev.Gone(conn))

    @rule()
    def drain(self):
        self.send(ev.Drain())

    @rule(steps=st.integers(1, 8))
    def pass_time(self, steps):
        target = self.now + steps * GRID_S
        while (due := self.core.next_deadline()) is not None and due <= target:
            self.now = max(self.now, due)
            self.send(ev.Tick())
            later = self.core.next_deadline()
            assert later is None or later > self.now, "a tick leaves nothing due"
        self.now = target

    # -------------------------------------------------------- what must hold

    @invariant()
    def every_connection_is_in_exactly_one_state(self):
        by_state = self.core._by_state
        members = [conn for slots in by_state.values() for conn in slots]
        assert sorted(members) == sorted(self.core._slots)
        assert all(slot.state is state for state in State for slot in by_state[state].values())
        assert sorted(by_state[State.IN_USE]) == sorted(self.in_use)
        assert sorted(by_state[State.IDLE]) == self.of(ev.Watch)
        assert sorted(by_state[State.CHECKING]) == self.of(ev.Check)
        assert sorted(by_state[State.CONNECTING]) == self.of(ev.Connect)
        assert sorted(by_state[State.CLOSING]) == self.of(ev.Close, ev.Abort)

    @invariant()
    def there_are_never_more_than_the_limit(self):
        assert len(self.core._slots) <= self.settings.limit

    @invariant()
    def no_waiter_is_forgotten(self):
        assert list(self.core._queue) == list(self.waiting)
        if not self.waiting:
            return
        assert self.core.next_deadline() <= min(self.waiting.values())
        underway = len(self.of(ev.Connect, ev.Check))
        full = len(self.core._slots) == self.settings.limit
        pausing = self.core._failures > 0
        assert underway >= len(self.waiting) or full or pausing
        if pausing and not full and underway < len(self.waiting):
            assert self.of(ev.Connect) or self.core._retry_at >= self.now

    @invariant()
    def nothing_idle_is_withheld(self):
        if len(self.waiting) > len(self.of(ev.Check)):
            assert not self.of(ev.Watch)

    def teardown(self):
        """Everybody leaves: every slot comes back."""
        for waiter in list(self.waiting):
            del self.waiting[waiter]
            self.send(ev.GiveUp(waiter))
        for conn in list(self.in_use):
            del self.in_use[conn]
            self.send(ev.Release(conn, reusable=True))
        assert self.core.stats().in_use == self.core.stats().waiters == 0
        self.send(ev.Shutdown(self.now + 1))
        for conn in self.of(ev.Close, ev.Abort):
            self.finish(conn, ev.Gone(conn))
        assert self.core._finished
        assert not self.core._slots
        assert self.core.next_deadline() is None


TestPoolLaws = PoolLaws.TestCase
TestPoolLaws.settings = profile(max_examples=150, stateful_step_count=50, deadline=None)


def make_core(**settings):
    return PoolCore(PoolSettings(**settings), Random(1))


def test_an_event_that_cannot_follow_names_itself_and_the_state():
    core = make_core()
    core.on(ev.Acquire(1, 10.0), 0.0)
    with pytest.raises(RuntimeError, match="Release can't follow: connection 1 is connecting"):
        core.on(ev.Release(1, reusable=True), 0.0)


def test_late_news_of_a_closed_connection_changes_nothing():
    core = make_core()
    core.on(ev.Acquire(1, 10.0), 0.0)
    core.on(ev.Connected(1), 0.0)
    core.on(ev.Release(1, reusable=False), 0.0)
    core.on(ev.Gone(1), 0.0)
    for event in (ev.Gone(1), ev.Release(1, reusable=True), ev.Checked(1, True, None)):
        assert core.on(event, 1.0) == []


def test_failures_side_by_side_lengthen_the_pause_once():
    core = make_core(backoff_base_s=1, backoff_cap_s=60)
    for waiter in range(4):
        core.on(ev.Acquire(waiter, 100.0), 0.0)
    for conn in range(1, 5):
        core.on(ev.ConnectError(conn, REFUSED, permanent=False), 1.0)
    assert core._failures == 1
    assert 1.0 <= core.next_deadline() <= 2.0


def test_a_timeout_behind_busy_connections_does_not_blame_an_old_connect_failure():
    core = make_core(size=1, max_overflow=0)
    core.on(ev.Acquire(1, 100.0), 0.0)
    core.on(ev.ConnectError(1, REFUSED, permanent=False), 0.0)
    core.on(ev.Tick(), core.next_deadline())
    core.on(ev.Connected(2), 5.0)
    core.on(ev.Acquire(2, 10.0), 6.0)
    [refusal] = [e for e in core.on(ev.Tick(), 10.0) if isinstance(e, ev.Refuse)]
    assert refusal.reason == "timeout"
