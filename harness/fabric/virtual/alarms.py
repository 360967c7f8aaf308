"""The clockwork of one end: when to send again, when to ask for signs of life, when to give up.

One timer serves the handshake, retransmission (RFC 6298) and zero-window probes (RFC 9293,
section 3.8.6.1), for an end does one of them at a time. Another does keepalive (RFC 1122, section
4.2.3.6). Nothing is due while nothing is awaited, so that a network in which nothing can happen
any more is known by an empty schedule.
"""

from __future__ import annotations

import errno
from collections.abc import Callable
from typing import Protocol

from harness.fabric.virtual import linux
from harness.fabric.virtual.options import Options
from harness.fabric.virtual.schedule import Due

_GRAIN_S = 1e-6
"""Sums of intervals are not exact."""


class Calendar(Protocol):
    """Knows the time."""

    now: float

    def call_at(self, when: float, call: Callable[[], None]) -> Due:
        """Make a call later."""


class Timed(Protocol):
    """What is asked of an end when its time has come."""

    @property
    def awaits(self) -> bool:
        """Whether what it sent is unanswered."""

    @property
    def starved(self) -> bool:
        """Whether it has something to send and the other end no room."""

    @property
    def orphaned(self) -> bool:
        """Whether no program holds it any more."""

    def resend(self, attempt: int) -> None:
        """Send again what is unanswered the longest."""

    def probe(self) -> None:
        """Make the other end say where it stands."""

    def give_up(self, code: int, *, politely: bool = False) -> None:
        """End it with this errno."""


class RoundTrip:
    """The retransmission timeout from measured round trips: RFC 6298, with Linux's least of 0.2 s.

    On Linux it is the variance that is never below the least, so the timeout is the smoothed
    round trip and at least 0.2 s more.
    """

    __slots__ = ("_smoothed_s", "_variance_s", "timeout_s")

    def __init__(self) -> None:
        self.timeout_s = linux.RTO_INITIAL_S
        self._smoothed_s = -1.0
        self._variance_s = 0.0

    def sample(self, measured_s: float) -> None:
        """Take a measurement into account."""
        if self._smoothed_s < 0:
            self._smoothed_s, self._variance_s = measured_s, measured_s / 2
        else:
            off_s = abs(self._smoothed_s - measured_s)
            self._variance_s += (off_s - self._variance_s) / 4
            self._smoothed_s += (measured_s - self._smoothed_s) / 8
        wait_s = self._smoothed_s + max(4 * self._variance_s, linux.RTO_MIN_S)
        self.timeout_s = min(wait_s, linux.RTO_MAX_S)


class Alarms:
    """The two timers of one end."""

    __slots__ = (
        "_calendar",
        "_due",
        "_end",
        "_instants_s",
        "_keep_due",
        "_keep_probes",
        "_options",
        "_retries",
        "_silent_since",
        "_since",
        "heard_at",
        "round_trip",
        "soft_error",
    )

    def __init__(self, calendar: Calendar, end: Timed, options: Options) -> None:
        self.round_trip = RoundTrip()
        self.soft_error = 0
        """What ICMP said meanwhile; the reason if it comes to giving up."""
        self._calendar = calendar
        self._end = end
        self._options = options
        self._due: Due | None = None
        self._since = self._silent_since = 0.0
        self._retries = 0
        self._instants_s: tuple[float, ...] = ()
        self._keep_due: Due | None = None
        self._keep_probes = 0
        self.heard_at = calendar.now
        """When the other end last gave a sign of life."""

    # --- sending again ----------------------------------------------------------------------

    def handshake(self, instants_s: tuple[float, ...]) -> None:
        """Send again at these instants from now, and give up at the last."""
        self._instants_s = instants_s
        self._start()

    def established(self) -> None:
        """The handshake is through."""
        self._instants_s = ()
        self.heard_at = self._calendar.now
        self._stop()

    def watch(self) -> None:
        """Something was sent, or can't be: see that it goes on if nobody answers."""
        if self._due is None and (self._end.awaits or self._end.starved):
            self._start()

    def answered(self) -> None:
        """The other end has got something new, or has room again: patience begins anew."""
        self.soft_error = 0
        self._stop()
        self.watch()

    def stop(self) -> None:
        """Nothing is awaited any more."""
        self._stop()
        if self._keep_due is not None:
            self._keep_due.cancel()
            self._keep_due = None

    def _start(self) -> None:
        self._since = self._silent_since = self._calendar.now
        self._retries = 0
        self._arm()

    def _stop(self) -> None:
        if self._due is not None:
            self._due.cancel()
            self._due = None

    def _arm(self) -> None:
        when = self._next_instant()
        if self._options.user_timeout_ms:
            when = min(when, self._since + self._options.user_timeout_ms / 1000)
        self._due = self._calendar.call_at(max(when, self._calendar.now), self._ring)

    def _next_instant(self) -> float:
        if self._instants_s:
            return self._since + self._instants_s[self._retries]
        doubled_s = self.round_trip.timeout_s * 2.0 ** min(self._retries, linux.RETRIES)
        return self._calendar.now + min(doubled_s, linux.RTO_MAX_S)

    def _ring(self) -> None:
        self._due = None
        end = self._end
        if not (self._instants_s or end.awaits or end.starved):
            return
        if self._is_hopeless():
            end.give_up(self.soft_error or errno.ETIMEDOUT)
            return
        self._retries += 1
        self._arm()
        if self._instants_s or end.awaits:
            end.resend(self._retries)
        else:
            end.probe()

    def _is_hopeless(self) -> bool:
        now = self._calendar.now + _GRAIN_S
        limit_ms = self._options.user_timeout_ms
        if limit_ms and now - self._since >= limit_ms / 1000:
            return True
        if self._instants_s:
            return now - self._since >= self._instants_s[-1]
        if self._end.orphaned:
            return self._retries >= linux.ORPHAN_RETRIES
        return now - self._silent_since >= linux.GIVE_UP_S

    # --- signs of life ----------------------------------------------------------------------

    def heard(self) -> None:
        """The other end is alive."""
        self.heard_at = self._calendar.now
        self._keep_probes = 0

    def probe_answered(self) -> None:
        """The other end has no room, but is there: go on asking."""
        if self._due is not None and not self._end.awaits:
            self._silent_since = self._calendar.now

    def keep_alive(self) -> None:
        """Ask for signs of life from now on if the options say so."""
        if self._options.keepalive and self._keep_due is None:
            self._keep_in(self.heard_at + self._options.keep_idle_s - self._calendar.now)

    def _keep_in(self, wait_s: float) -> None:
        when = self._calendar.now + max(wait_s, 0.0)
        self._keep_due = self._calendar.call_at(when, self._keep)

    def _keep(self) -> None:
        self._keep_due = None
        options, end = self._options, self._end
        if not options.keepalive:
            return
        silent_s = self._calendar.now - self.heard_at
        if end.awaits or end.starved:
            self._keep_in(options.keep_idle_s)
        elif silent_s < options.keep_idle_s - _GRAIN_S:
            self._keep_in(options.keep_idle_s - silent_s)
        elif self._has_probed_enough(silent_s):
            end.give_up(self.soft_error or errno.ETIMEDOUT, politely=True)
        else:
            self._keep_probes += 1
            self._keep_in(options.keep_interval_s)
            end.probe()

    def _has_probed_enough(self, silent_s: float) -> bool:
        options = self._options
        if options.user_timeout_ms:
            return self._keep_probes > 0 and silent_s >= options.user_timeout_ms / 1000
        return self._keep_probes >= options.keep_count
