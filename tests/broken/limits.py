"""Pools that open more or fewer connections than they were told."""

from saboteur import broken

from harness.clients.reference import ReferenceClient
from harness.pool import Exchange, PoolCore
from harness.pool.records import State


class _Hoards(PoolCore):
    def _is_surplus(self):
        return False


class OverflowNeverClosed(ReferenceClient):
    """Keeps the connections that it opened for a rush, for ever."""

    client_class = broken(core=_Hoards)


class _Churns(PoolCore):
    def _on_release(self, event, now):
        if len(self._slots) > self.settings.size:
            event = type(event)(event.conn, reusable=False)
        super()._on_release(event, now)


class OverflowUsedOnce(ReferenceClient):
    """Closes an overflow connection after one call, though others wait, and opens the next."""

    client_class = broken(core=_Churns)


class _CountsOpenOnes(PoolCore):
    def _has_room(self):
        return len(self._slots) - len(self._by_state[State.CONNECTING]) < self.settings.limit


class LimitExceededByRace(ReferenceClient):
    """Compares its limit with the connections that are open, not with those being opened."""

    client_class = broken(core=_CountsOpenOnes)


class _NoOverflow(PoolCore):
    def _has_room(self):
        return len(self._slots) < self.settings.size


class OverflowIgnored(ReferenceClient):
    """Accepts the setting ``max_overflow`` and never opens more than ``size``."""

    client_class = broken(core=_NoOverflow)


class _NoReserve(PoolCore):
    def _wants_connection(self):
        underway = len(self._by_state[State.CHECKING]) + len(self._by_state[State.CONNECTING])
        return len(self._by_state[State.IDLE]) + underway < len(self._queue)


class MinIdleIgnored(ReferenceClient):
    """Accepts the setting ``min_idle`` and opens connections only on demand."""

    client_class = broken(core=_NoReserve)


class _SingleUse(Exchange):
    def _may_be_reused(self):
        return False


class ConnectionPerCall(ReferenceClient):
    """Is a pool in name only: every call opens a connection and closes it."""

    client_class = broken(exchange=_SingleUse)


class _Eager(PoolCore):
    def _wants_connection(self):
        spare = len(self._by_state[State.IDLE]) - len(self._queue)
        return super()._wants_connection() or (spare < 0 and self._is_below_size())


class ConnectsForEveryWaiter(ReferenceClient):
    """Starts a connect whenever somebody asks, also while an idle connection is being checked."""

    client_class = broken(core=_Eager)


class _FirstInFirstOut(PoolCore):
    def _next_idle(self):
        return next(iter(self._by_state[State.IDLE].values()))


class IdleUsedInTurn(ReferenceClient):
    """Uses idle connections in turn, so that none ever reaches ``idle_timeout`` in quiet times."""

    client_class = broken(core=_FirstInFirstOut)
