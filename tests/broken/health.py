"""Pools that don't see, or don't care, that a connection is dead."""

from contextlib import suppress

import h11
import trio
from saboteur import broken

from harness.clients.reference import ReferenceClient
from harness.errors import CallFailed
from harness.pool import Pool, PoolCore
from harness.pool.http_connection import HttpConnection
from harness.pool.http_connector import HttpConnector
from harness.pool.records import State


class _Blind(HttpConnector):
    async def is_stale(self, connection):
        await trio.lowlevel.checkpoint()
        return False

    async def wait_stale(self, connection):
        await trio.sleep_forever()


class NoIdleCheck(ReferenceClient):
    """Hands out idle connections without a look, as if a connection once open stayed so."""

    client_class = broken(connector=_Blind)


class _Peeking(HttpConnection):
    """Looks by itself at a plain socket, and is never told by a watcher."""

    async def wait_stale(self):
        await trio.sleep_forever()

    async def peeked(self):
        """Return what there is to read (``b""`` is FIN), or None; raises on RST."""
        with trio.CancelScope() as scope:
            scope.deadline = trio.current_time()
            return await self._socket.recv(1, trio.socket.MSG_PEEK)
        return None


class _DeafToFin(_Peeking):
    async def is_stale(self):
        try:
            return bool(await self.peeked())
        except OSError:
            return True


class FinUnnoticed(ReferenceClient):
    """Takes a readable socket for stale only if it yields bytes or an error, so a FIN passes."""

    client_class = broken(connection=_DeafToFin)


class _DeafToReset(_Peeking):
    async def is_stale(self):
        try:
            return await self.peeked() is not None
        except OSError:
            return False


class ResetUnnoticed(ReferenceClient):
    """Swallows the error that its look at the socket raises, and with it the only sign of RST."""

    client_class = broken(connection=_DeafToReset)


class _DeafToBytes(_Peeking):
    async def is_stale(self):
        try:
            return await self.peeked() == b""
        except OSError:
            return True


class UnreadBytesUnnoticed(ReferenceClient):
    """Looks for the end of a connection only: bytes nobody asked for become the next reply."""

    client_class = broken(connection=_DeafToBytes)


class _DistrustsTickets(_Peeking):
    async def is_stale(self):
        try:
            return await self.peeked() is not None
        except OSError:
            return True


class TakesTicketsForTheEnd(ReferenceClient):
    """Looks at the socket below TLS, where a session ticket looks like something gone wrong."""

    client_class = broken(connection=_DistrustsTickets)


class _LooksOnlyAtHandout(HttpConnector):
    async def wait_stale(self, connection):
        await trio.sleep_forever()


class LooksOnlyAtHandout(ReferenceClient):
    """Looks at a connection only when somebody wants it, so dead ones pile up in quiet times."""

    client_class = broken(connector=_LooksOnlyAtHandout)


class _PrePingIgnored(PoolCore):
    def _needs_ping(self, slot, now):
        return False


class PrePingIgnored(ReferenceClient):
    """Accepts the setting ``pre_ping`` and never pings."""

    client_class = broken(core=_PrePingIgnored)


class _PingsItsCallersConnection(Pool):
    async def lease(self, **budget):
        lease = await super().lease(**budget)
        if lease.reused and not await self._answers(lease.connection):
            lease.discard()
            lease.release()
            raise CallFailed("the connection didn't answer its ping", kind="timeout")
        return lease

    async def _answers(self, connection):
        with suppress(Exception), trio.move_on_after(self.settings.ping_timeout_s):
            return await self._work._connector.ping(connection)
        return False


class PingAfterHandout(ReferenceClient):
    """Pings a connection once its caller has it, so what the ping finds is the caller's error."""

    client_class = broken(core=_PrePingIgnored, pool=_PingsItsCallersConnection)


class _PingIgnored(HttpConnector):
    async def ping(self, connection):
        with trio.move_on_after(0.1):
            return await super().ping(connection) or True
        connection._h11 = h11.Connection(h11.CLIENT)
        return True


class PingResultIgnored(ReferenceClient):
    """Pings, and hands the connection out whether or not there was an answer."""

    client_class = broken(connector=_PingIgnored)


class UnboundedPing(ReferenceClient):
    """Waits for the answer to a ping for as long as it takes."""

    client_class = broken(ping_timeout_s=3600.0, timeout_s=0.3)  # so that callers wait less


class _Unsuspecting(PoolCore):
    def _on_release(self, event, now):
        super()._on_release(type(event)(event.conn, event.reusable), now)


class NoSuspicion(ReferenceClient):
    """Finds its dead connections one by one, each at the cost of another retry."""

    client_class = broken(core=_Unsuspecting)


class _KeepAliveIgnored(HttpConnection):
    def _note_headers(self, headers):
        super()._note_headers([(name, value) for name, value in headers if name != b"keep-alive"])


class KeepAliveIgnored(ReferenceClient):
    """Doesn't read ``Keep-Alive: timeout``, so it meets every announced close on the way."""

    client_class = broken(connection=_KeepAliveIgnored)


class _CloseIgnored(HttpConnection):
    def next_cycle(self):
        if self._h11.their_state is h11.MUST_CLOSE:
            self._h11 = h11.Connection(h11.CLIENT)
            return True
        return super().next_cycle()


class ConnectionCloseIgnored(ReferenceClient):
    """Doesn't read ``Connection: close`` and keeps a connection that its server is closing."""

    client_class = broken(connection=_CloseIgnored)


class _RecycleIgnored(PoolCore):
    def _recycle_at(self, slot):
        return float("inf")


class RecycleIgnored(ReferenceClient):
    """Keeps connections whatever their age."""

    client_class = broken(core=_RecycleIgnored)


class _RecycledByUse(PoolCore):
    def _recycle_at(self, slot):
        recycle_s = self.settings.recycle_s
        return float("inf") if recycle_s is None else slot.alive_at + recycle_s


class RecycleCountsFromUse(ReferenceClient):
    """Counts a connection's age from its last use, so that a busy one never grows old."""

    client_class = broken(core=_RecycledByUse)


class _RecyclesInUse(PoolCore):
    def next_deadline(self):
        ages = [self._recycle_at(slot) for slot in self._all(State.IN_USE)]
        return min([*ages, super().next_deadline() or float("inf")])

    def _evict(self, now):
        super()._evict(now)
        for slot in self._all(State.IN_USE):
            if now >= self._recycle_at(slot):
                self._drop(slot, "recycle", now)


class RecyclesInUse(ReferenceClient):
    """Closes connections that have grown too old in the middle of their calls."""

    client_class = broken(core=_RecyclesInUse)


class _IdleSinceOpening(PoolCore):
    def _idle_until(self, slot):
        idle_timeout_s = self.settings.idle_timeout_s
        return float("inf") if idle_timeout_s is None else slot.since + idle_timeout_s


class IdleTimeoutCountsFromOpening(ReferenceClient):
    """Counts a connection's idle time from its opening, so that busy ones are thrown away."""

    client_class = broken(core=_IdleSinceOpening)


class _IdleTimeoutIgnored(PoolCore):
    def _idle_until(self, slot):
        return float("inf")


class IdleTimeoutIgnored(ReferenceClient):
    """Keeps connections however long nobody has used them."""

    client_class = broken(core=_IdleTimeoutIgnored)
