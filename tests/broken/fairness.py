"""Pools that serve their waiting callers late, in the wrong order or never."""

from saboteur import broken

from harness.clients.reference import ReferenceClient
from harness.pool import PoolCore


class _Lifo(PoolCore):
    def _next_waiter(self):
        return next(reversed(self._queue.values()))


class LifoWaiters(ReferenceClient):
    """Serves the caller who came last, so that under load the first ones starve."""

    client_class = broken(core=_Lifo)


class _Forgetful(PoolCore):
    """Does nothing for those who wait, until something else happens."""

    _distracted = False

    def _balance(self, now):
        if self._distracted:
            self._distracted = False
        else:
            super()._balance(now)


class _ForgetsOnRelease(_Forgetful):
    def _on_release(self, event, now):
        super()._on_release(event, now)
        self._distracted = True


class WaiterForgottenOnRelease(ReferenceClient):
    """Puts a released connection aside without waking one of those who wait for it."""

    client_class = broken(core=_ForgetsOnRelease, timeout_s=1.0)  # so that callers wait less


class _ForgetsOnClose(_Forgetful):
    def _on_gone(self, event):
        super()._on_gone(event)
        self._distracted = True


class WaiterForgottenOnDiscard(ReferenceClient):
    """Wakes a waiting caller when a connection comes back, but not when one is thrown away."""

    client_class = broken(core=_ForgetsOnClose)


class _ForgetsOnFailure(_Forgetful):
    def _on_connect_error(self, event, now):
        super()._on_connect_error(event, now)
        self._distracted = True

    def _retry_due(self):
        return float("inf")


class WaiterForgottenOnFailedConnect(ReferenceClient):
    """Tells of a failed connect to nobody: the caller it was for waits for a second one."""

    client_class = broken(core=_ForgetsOnFailure, timeout_s=1.0)  # so that callers wait less


class _NeverTimesOut(PoolCore):
    def _has_timed_out(self, waiter, now):
        return False


class PoolTimeoutIgnored(ReferenceClient):
    """Lets callers queue for a connection without a limit."""

    client_class = broken(core=_NeverTimesOut)
