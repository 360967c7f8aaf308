"""Pools that are at a loss when packets are: silent peers, lost SYNs, unreachable networks."""

import errno
from dataclasses import replace
from math import inf

import trio
from saboteur import broken

from harness.causes import chain
from harness.clients.reference import ReferenceClient
from harness.errors import CallFailed
from harness.pool import Exchange, HttpClient, Pool, PoolCore
from harness.pool.http_connector import HttpConnector
from harness.pool.translate import kind_of


class _TrustsOnce(PoolCore):
    def __init__(self, settings, random):
        super().__init__(settings, random)
        self._trusted = set()

    def _on_checked(self, event, now):
        if event.pinged and event.failure is None:
            self._trusted.add(event.conn)
        super()._on_checked(event, now)

    def _needs_ping(self, slot, now):
        return slot.conn not in self._trusted and super()._needs_ping(slot, now)


class PingsOnlyOnce(ReferenceClient):
    """Trusts a connection for ever once it has answered a ping."""

    client_class = broken(core=_TrustsOnce)


class _OneByOne(PoolCore):
    def _no_better_than(self, slot):
        return []


class PingsOneByOne(ReferenceClient):
    """Waits for a ping on each of its dead connections before it opens a new one."""

    client_class = broken(core=_OneByOne)


class _Unalarmed(Exchange):
    def __exit__(self, exc_type, exc, traceback):
        if isinstance(exc, CallFailed) and exc.kind == "timeout":
            self._lease.discard()
            self._lease.release()
        super().__exit__(exc_type, exc, traceback)


class SilenceIsNoSuspicion(ReferenceClient):
    """Learns nothing from a connection that fell silent: each of its kind costs a timeout."""

    client_class = broken(exchange=_Unalarmed)


class _RetriesUnacknowledged(HttpClient):
    def _may_retry(self, call, error):
        gave_up = any(getattr(link, "errno", None) == errno.ETIMEDOUT for link in chain(error))
        again = gave_up and call.retries < self.limits.max_retries
        return again or super()._may_retry(call, error)


class RetriesUnacknowledgedCalls(ReferenceClient):
    """Takes the kernel's ETIMEDOUT for proof that nothing arrived, and makes the call again."""

    client_class = broken(client=_RetriesUnacknowledged)


class _Hedges(HttpClient):
    async def request(self, method, target, *, timeout_s=None, **rest):
        with trio.move_on_after(10.0):
            return await super().request(method, target, timeout_s=timeout_s, **rest)
        left_s = (timeout_s or self.limits.call_timeout_s) - 10.0
        return await super().request(method, target, timeout_s=left_s, **rest)


class HedgesUnsafeCalls(ReferenceClient):
    """Makes a call elsewhere if ten seconds bring no reply, whether or not it may run twice."""

    client_class = broken(client=_Hedges)


class _TakesUnreachableForGone(HttpConnector):
    def is_permanent(self, error):
        return kind_of(error) == "unreachable" or super().is_permanent(error)


class UnreachableIsPermanent(ReferenceClient):
    """Fails all waiting callers when a router says that the host is unreachable now."""

    client_class = broken(connector=_TakesUnreachableForGone)


class _RemembersNoRoute(HttpConnector):
    _no_route = None

    async def connect(self):
        if self._no_route is not None:
            await trio.lowlevel.checkpoint()
            raise OSError(*self._no_route.args)
        try:
            return await super().connect()
        except OSError as error:
            self._no_route = error if error.errno == errno.ENETUNREACH else None
            raise


class NoRouteRemembered(ReferenceClient):
    """Keeps the error of a connect that found no network, and never looks for one again."""

    client_class = broken(connector=_RemembersNoRoute)


class _Dawdles(PoolCore):
    def _pause_s(self):
        return min(600.0, 0.05 * 2.0**self._failures)


class BackoffOfMinutes(ReferenceClient):
    """Doubles its pauses up to ten minutes, so a minute's outage lasts two for its callers."""

    client_class = broken(core=_Dawdles)


class _GivesUp(PoolCore):
    def _may_try(self, now):
        return self._failures < 20 and super()._may_try(now)

    def _retry_due(self):
        return super()._retry_due() if self._failures < 20 else inf


class GivesUpAfterTwenty(ReferenceClient):
    """Takes the twentieth failed connect in a row for the end, and never tries again."""

    client_class = broken(core=_GivesUp)


class _KeepsLimit(Pool):
    def __init__(self, connector, settings, **rest):
        connector.limit_s = settings.connect_timeout_s
        super().__init__(connector, replace(settings, connect_timeout_s=3600.0), **rest)


class _BoundsHandshakes(HttpConnector):
    async def connect(self):
        with trio.fail_after(inf if self._ssl_context is None else self.limit_s):
            return await super().connect()


class ConnectTimeoutForTlsOnly(ReferenceClient):
    """Bounds the TLS handshake, and leaves the connect below it to the kernel's two minutes."""

    client_class = broken(pool=_KeepsLimit, connector=_BoundsHandshakes)
