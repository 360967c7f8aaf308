"""Pools that are right for minutes and wrong for hours, days or weeks."""

from math import inf

import trio
from saboteur import broken

from harness.clients.reference import ReferenceClient
from harness.pool import HttpClient, Pool, PoolCore
from harness.pool import events as ev
from harness.pool.http_connection import HttpConnection
from harness.pool.work import Work

HOUR_S = 3600.0
DAY_S = 24 * HOUR_S
TIMER_LIMIT_S = 2**31 / 1000
"""The longest time that milliseconds in a signed 32-bit number can say: 24.8 days."""


class _AgeWraps(PoolCore):
    def _recycle_at(self, slot):
        recycle_s = self.settings.recycle_s
        return inf if recycle_s is None or recycle_s >= HOUR_S else slot.since + recycle_s


class AgeWrapsEachHour(ReferenceClient):
    """Takes the age of a connection from minutes and seconds, which never come to an hour."""

    client_class = broken(core=_AgeWraps)


class _LosesDays(PoolCore):
    def _recycle_at(self, slot):
        recycle_s = self.settings.recycle_s
        return inf if recycle_s is None else slot.since + recycle_s % DAY_S


class RecycleLosesDays(ReferenceClient):
    """Takes the seconds of a timedelta for all of it, so that one day is no time at all."""

    client_class = broken(core=_LosesDays)


class _Overflows(PoolCore):
    def _idle_until(self, slot):
        idle_timeout_s = self.settings.idle_timeout_s or 0.0
        overflows = idle_timeout_s >= TIMER_LIMIT_S
        return slot.alive_at + 0.001 if overflows else super()._idle_until(slot)


class IdleTimerOverflows(ReferenceClient):
    """Counts milliseconds in 32 bits, so that a limit of more than 24 days is over at once."""

    client_class = broken(core=_Overflows)


class _MinuteAtMost(PoolCore):
    def _idle_until(self, slot):
        return min(super()._idle_until(slot), slot.alive_at + 60.0)


class IdleForAMinuteAtMost(ReferenceClient):
    """Closes connections after a minute without use, whatever longer time it was told."""

    client_class = broken(core=_MinuteAtMost)


class _FiveSeconds(HttpConnection):
    def next_cycle(self):
        ready = super().next_cycle()
        self._reuse_until = min(self._reuse_until, trio.current_time() + 5.0)
        return ready


class OwnKeepAliveWins(ReferenceClient):
    """Keeps connections for its own default of five seconds, though the server offers more."""

    client_class = broken(connection=_FiveSeconds)


class _TwoDigits(HttpConnection):
    def _note_headers(self, headers):
        short = [(k, v[: len(b"timeout=99")] if k == b"keep-alive" else v) for k, v in headers]
        super()._note_headers(short)


class KeepAliveOfTwoDigits(ReferenceClient):
    """Reads two digits of ``Keep-Alive: timeout=120``, and so takes two minutes for 12 s."""

    client_class = broken(connection=_TwoDigits)


class _FiveMinutesInAll(HttpClient):
    def _call(self, method, target, headers, body, timeout_s):
        return super()._call(method, target, headers, body, min(timeout_s or inf, 300.0))


class FiveMinutesInAll(ReferenceClient):
    """Ends every call after a default of five minutes, also if its caller has allowed more."""

    client_class = broken(client=_FiveMinutesInAll)


class _HalfAMinute(Pool):
    async def lease(self, *, timeout_s=inf):
        return await super().lease(timeout_s=min(timeout_s, 30.0))


class QueueOfHalfAMinute(ReferenceClient):
    """Lets nobody wait in its queue for longer than a default of half a minute."""

    client_class = broken(pool=_HalfAMinute)


class _SleepsAfterAnHour(PoolCore):
    _used_at = _now = 0.0

    def on(self, event, now):
        self._now = now
        if isinstance(event, ev.Start | ev.Acquire):
            self._used_at = now
        return super().on(event, now)

    def _wants_connection(self):
        asleep = not self._queue and self._now - self._used_at > HOUR_S
        return not asleep and super()._wants_connection()


class SleepsAfterAnHour(ReferenceClient):
    """Stops looking after its reserve once nobody has called for an hour."""

    client_class = broken(core=_SleepsAfterAnHour)


class _LeaksNowAndThen(Work):
    _closed = 0

    def _abort(self, conn):
        self._closed += 1
        if self._closed % 150 == 0:
            self._kept = [*getattr(self, "_kept", ()), self._connections.pop(conn, None)]
        super()._abort(conn)


class LeaksNowAndThen(ReferenceClient):
    """Leaves one socket in 150 open, by a path that is seldom taken."""

    client_class = broken(work=_LeaksNowAndThen)

    async def close(self):
        self._kept = self._client  # as a reference cycle does until the collector comes
        await super().close()
