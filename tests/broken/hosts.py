"""Pools at a loss on a host whose links, addresses, ports and sockets don't stay as they are."""

import errno
from contextlib import suppress

import trio
from saboteur import broken

from harness.causes import chain
from harness.clients.reference import ReferenceClient
from harness.pool import Exchange, HttpClient, PoolCore
from harness.pool.http_connector import HttpConnector
from harness.pool.translate import kind_of


class _Hammers(PoolCore):
    def _pause_s(self):
        return 0.001 if kind_of(self._error) == "unreachable" else super()._pause_s()


class HammersTheUnreachable(ReferenceClient):
    """Pauses after a connect that was refused, and hardly after one that found no way."""

    client_class = broken(core=_Hammers)


class _Impatient(HttpConnector):
    async def _open_stream(self):
        with trio.fail_after(0.5):
            return await super()._open_stream()


class GivesUpBeforeTheSecondSyn(ReferenceClient):
    """Allows a connect half a second, so one lost SYN is never sent again."""

    client_class = broken(connector=_Impatient)


class _TakesNoPortForGood(HttpConnector):
    def is_permanent(self, error):
        return kind_of(error) == "no_port" or super().is_permanent(error)


class NoPortIsPermanent(ReferenceClient):
    """Fails all waiting callers when its host has no port left to dial from."""

    client_class = broken(connector=_TakesNoPortForGood)


class _Socket(HttpConnector):
    async def _open_stream(self):
        socket = trio.socket.socket(trio.socket.AF_INET, trio.socket.SOCK_STREAM)
        try:
            await self._prepare(socket)
            await socket.connect((self._host, self._port))
        except BaseException as error:
            self._dispose(socket, error)
            raise
        return trio.SocketStream(socket)

    async def _prepare(self, socket):
        pass

    def _dispose(self, socket, error):
        socket.close()


class _StaysAtHome(_Socket):
    _home = None

    async def _prepare(self, socket):
        if self._home is not None:
            await socket.bind((self._home, 0))

    async def _open_stream(self):
        stream = await super()._open_stream()
        self._home = self._home or stream.socket.getsockname()[0]
        return stream


class BindsToItsFirstAddress(ReferenceClient):
    """Dials from the address its first connection had, though the host may have moved since."""

    client_class = broken(connector=_StaysAtHome)


class _LeaksAtOnce(_Socket):
    def __init__(self, *args, **kwargs):
        super().__init__(*args, **kwargs)
        self._forgotten = []

    def _dispose(self, socket, error):
        if getattr(error, "errno", None) in {errno.ENETUNREACH, errno.EADDRNOTAVAIL}:
            self._forgotten.append(socket)
        else:
            super()._dispose(socket, error)


class UnroutableLeaksSocket(ReferenceClient):
    """Forgets to close a socket whose connect failed in its own host, before a packet left."""

    client_class = broken(connector=_LeaksAtOnce)


class _HurriesTheKernel(_Socket):
    async def _prepare(self, socket):
        with suppress(OSError):  # unknown where the network is simulated
            socket.setsockopt(trio.socket.IPPROTO_TCP, trio.socket.TCP_USER_TIMEOUT, 100)


class UserTimeoutTooShort(ReferenceClient):
    """Has the kernel end a connection that waits 100 ms for an acknowledgement."""

    client_class = broken(connector=_HurriesTheKernel)


class _LetsCloseBlock(_Socket):
    async def _prepare(self, socket):
        with suppress(OSError):  # unknown where the network is simulated
            linger = (1).to_bytes(4, "little") + (1).to_bytes(4, "little")
            socket.setsockopt(trio.socket.SOL_SOCKET, trio.socket.SO_LINGER, linger)


class LingersOnClose(ReferenceClient):
    """Has close wait a second for the last acknowledgement, in the event loop."""

    client_class = broken(connector=_LetsCloseBlock)


def _was_aborted(error):
    return any(getattr(link, "errno", None) == errno.ECONNABORTED for link in chain(error))


class _RetriesAborted(HttpClient):
    def _may_retry(self, call, error):
        again = _was_aborted(error) and call.retries < self.limits.max_retries
        return again or super()._may_retry(call, error)


class RetriesAbortedCalls(ReferenceClient):
    """Takes ECONNABORTED for proof that nothing was sent, and makes the call again."""

    client_class = broken(client=_RetriesAborted)


class _KnowsNoAbort(Exchange):
    def _kind_of(self, error):
        return "other" if _was_aborted(error) else super()._kind_of(error)


class AbortedIsNoReset(ReferenceClient):
    """Knows ECONNRESET and EPIPE, and takes ECONNABORTED for no end of a connection at all."""

    client_class = broken(exchange=_KnowsNoAbort)
