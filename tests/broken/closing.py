"""Pools that don't end well."""

from saboteur import broken

from harness.clients.reference import ReferenceClient
from harness.pool import Pool, PoolCore
from harness.pool import events as ev
from harness.pool.records import State
from harness.pool.work import Work


class CloseWaitsForCalls(ReferenceClient):
    """Closes once all calls in flight have ended, and nothing ends them."""

    client_class = broken(grace_s=3600.0)


class _LeavesIdle(PoolCore):
    def _advance_shutdown(self, now):
        for slot in self._all(State.IDLE):
            self._forget(slot)
        super()._advance_shutdown(now)


class _NeverSweeps(Work):
    def sweep(self):
        """What is still open stays open."""


class CloseLeaksIdle(ReferenceClient):
    """Closes the connections in use and forgets the list of idle ones."""

    client_class = broken(core=_LeavesIdle, work=_NeverSweeps)

    async def close(self):
        self._kept = self._client  # as a reference cycle does until the collector comes
        await super().close()


class _DiscardLeaks(Work):
    def _abort(self, conn):
        self._kept = [*getattr(self, "_kept", ()), self._connections.pop(conn, None)]
        self._submit(ev.Gone(conn))


class DiscardedNotClosed(ReferenceClient):
    """Takes a dead connection out of its list without closing the socket."""

    client_class = broken(work=_DiscardLeaks)

    async def close(self):
        self._kept = self._client
        await super().close()


class _LeavesWaiters(PoolCore):
    def _on_shutdown(self, event, now):
        queue, self._queue = self._queue, type(self._queue)()
        super()._on_shutdown(event, now)
        self._queue = queue


class CloseForgetsWaiters(ReferenceClient):
    """Closes without a word to those who wait for a connection."""

    client_class = broken(core=_LeavesWaiters)


class _FinishesConnects(PoolCore):
    def _drop(self, slot, reason, now):
        if reason != "shutdown" or slot.state is not State.CONNECTING:
            super()._drop(slot, reason, now)


class CloseWaitsForConnects(ReferenceClient):
    """Waits at its close for connections that it is still opening, to close them then."""

    client_class = broken(core=_FinishesConnects)


class _Cuts(Pool):
    async def aclose(self, *, grace_s=None):
        await super().aclose(grace_s=0.0)


class CloseCutsCalls(ReferenceClient):
    """Closes at once, in the middle of calls that would have ended in time."""

    client_class = broken(pool=_Cuts)
