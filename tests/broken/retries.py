"""Clients that make calls again when they must not, or wait for the wrong time."""

import trio
from saboteur import broken

from harness.clients.reference import ReferenceClient
from harness.errors import CallFailed, PoolError
from harness.pool import Exchange, HttpClient, Pool, PoolTimeout
from harness.pool.retry import CONNECTION_FAILURES


class _RetriesUnsafe(HttpClient):
    def _may_retry(self, call, error):
        return error.kind in CONNECTION_FAILURES and call.retries < self.limits.max_retries


class RetriesUnsafeCalls(ReferenceClient):
    """Makes every call again whose connection broke, whether or not it may run twice."""

    client_class = broken(client=_RetriesUnsafe)


class _RetriesTimeouts(HttpClient):
    def _may_retry(self, call, error):
        if error.kind == "timeout" and call.retries < self.limits.max_retries:
            call.deadline = trio.current_time() + 0.4
            return True
        return super()._may_retry(call, error)


class RetriesTimeouts(ReferenceClient):
    """Makes a call again that took too long, with a new timeout: more load for a slow server."""

    client_class = broken(client=_RetriesTimeouts)


class _NeverGivesUp(HttpClient):
    def _may_retry(self, call, error):
        call.retries = 0
        return super()._may_retry(call, error)


class RetriesForEver(ReferenceClient):
    """Makes a call again for as long as it fails, at once and without a limit."""

    client_class = broken(client=_NeverGivesUp)


class _NoRetries(HttpClient):
    def _may_retry(self, call, error):
        return False


class NoRetries(ReferenceClient):
    """Tells its callers of every stale connection, also for calls that are safe to repeat."""

    client_class = broken(client=_NoRetries)


def _keeps_after(is_it):
    class KeepsConnection(Exchange):
        def __exit__(self, exc_type, exc, traceback):
            if exc is not None and is_it(exc):
                self._connection._h11 = type(self._connection._h11)(self._connection._h11.our_role)
                self._lease.release()
            super().__exit__(exc_type, exc, traceback)

    return broken(exchange=KeepsConnection)


class ReusedAfterCancel(ReferenceClient):
    """Puts the connection of a cancelled call back, and the late reply goes to the next caller."""

    client_class = _keeps_after(lambda exc: isinstance(exc, trio.Cancelled))


class ReusedAfterTimeout(ReferenceClient):
    """Puts the connection of a call that timed out back, with its reply still on the way."""

    client_class = _keeps_after(lambda exc: isinstance(exc, CallFailed) and exc.kind == "timeout")


class _Patient(HttpClient):
    def _call(self, method, target, headers, body, timeout_s):
        return super()._call(method, target, headers, body, 3600.0)


class NoCallTimeout(ReferenceClient):
    """Has a timeout for connecting and for the queue, and none for the reply."""

    client_class = broken(client=_Patient)


class _QueuesWithoutLimit(Pool):
    async def lease(self, **budget):
        return await super().lease()


class QueueIgnoresCallTimeout(ReferenceClient):
    """Starts a call's timeout once it has a connection, however long that took."""

    client_class = broken(pool=_QueuesWithoutLimit)


class _RestartsItsTimeout(Exchange):
    async def begin(self):
        self._patience_s = self._call.deadline - trio.current_time()
        await super().begin()

    async def read_chunk(self):
        self._call.deadline = trio.current_time() + self._patience_s
        return await super().read_chunk()


class TimeoutRestarts(ReferenceClient):
    """Starts its timeout anew whenever a byte arrives, so a dribble never ends."""

    client_class = broken(exchange=_RestartsItsTimeout)


class ErrorKindSwallowed(ReferenceClient):
    """Raises one bare error for whatever went wrong."""

    async def call(self, call):
        try:
            return await super().call(call)
        except PoolError:
            raise RuntimeError("request failed") from None


class SaysNotSent(ReferenceClient):
    """Says of a call whose reply was lost that it has certainly not been made."""

    async def call(self, call):
        try:
            return await super().call(call)
        except CallFailed as error:
            raise CallFailed(str(error), kind=error.kind, sent=False) from error


class _BlamesItself(Pool):
    @staticmethod
    def _connect_failed(effect):
        return PoolTimeout(f"no connection became free {effect.detail}")


class BlamesThePool(ReferenceClient):
    """Says that the pool is exhausted when it is the server that can't be reached."""

    client_class = broken(pool=_BlamesItself)
