"""Pools that connect too fast, too slowly or never again."""

import trio
from saboteur import broken

from harness.clients.reference import ReferenceClient
from harness.pool import PoolCore
from harness.pool.http_connection import HttpConnection, Transport
from harness.pool.http_connector import HttpConnector
from harness.pool.records import State


class UnboundedConnect(ReferenceClient):
    """Waits for a connect or a handshake for as long as its caller does."""

    client_class = broken(connect_timeout_s=3600.0, timeout_s=0.6)  # so that callers wait less


class _Impatient(PoolCore):
    def _pause_s(self):
        return 0.0


class NoBackoff(ReferenceClient):
    """Tries again the moment a connect has failed."""

    client_class = broken(core=_Impatient)


class _AllAtOnce(PoolCore):
    def _may_try(self, now):
        return True


class ThunderingReconnects(ReferenceClient):
    """Lets every waiting caller connect for itself while the server is down."""

    client_class = broken(core=_AllAtOnce)


class _Uncapped(PoolCore):
    def _pause_s(self):
        return 0.02 * 20.0**self._failures


class BackoffWithoutCap(ReferenceClient):
    """Makes each pause twenty times as long as the last, so a short outage is felt for minutes."""

    client_class = broken(core=_Uncapped)


class _GivesUp(PoolCore):
    def _may_try(self, now):
        return self._failures < 4 and super()._may_try(now)


class BreakerNeverCloses(ReferenceClient):
    """Stops connecting after four failures in a row, and never tries whether that is over."""

    client_class = broken(core=_GivesUp)


class _NeverForgives(PoolCore):
    def _on_connected(self, event, now):
        failures = self._failures
        super()._on_connected(event, now)
        self._failures = failures


class FailuresNeverForgotten(ReferenceClient):
    """Counts failed connects from its start on, so that its pauses only ever grow."""

    client_class = broken(core=_NeverForgives)


class _OneThingAtATime(PoolCore):
    def _balance(self, now):
        if not self._by_state[State.CONNECTING]:
            super()._balance(now)


class LockedWhileConnecting(ReferenceClient):
    """Connects under the pool's lock, so one slow connect keeps all callers waiting."""

    client_class = broken(core=_OneThingAtATime)


class _NeverRetries(HttpConnector):
    def is_permanent(self, error):
        return True


class ConnectNotRetried(ReferenceClient):
    """Fails every waiting caller as soon as one connect fails, though they would have waited."""

    client_class = broken(connector=_NeverRetries)


class _LeavesOpen(HttpConnector):
    async def connect(self):
        if self._ssl_context is None:
            return await super().connect()
        stream = await self._open_stream()
        secured = trio.SSLStream(
            Transport(stream), self._ssl_context, server_hostname=self._server_hostname
        )
        self._kept = [*getattr(self, "_kept", ()), stream]  # as a traceback in a log keeps it
        await secured.do_handshake()
        return HttpConnection(secured, stream.socket, self._limits)


class HandshakeLeaksSocket(ReferenceClient):
    """Leaves the socket open when the TLS handshake on it fails or takes too long."""

    client_class = broken(connector=_LeavesOpen)
