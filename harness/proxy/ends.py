"""The two kinds of end a relay reads and writes: plain TCP, and TLS over it.

An end keeps apart what others mix up: ``receive`` returns ``b""`` for FIN and raises
``ConnectionResetError`` for RST; ``finish`` is FIN (after close_notify under TLS, unless told
not to) and ``reset`` is RST.
"""

from __future__ import annotations

import math
import ssl
from collections.abc import Awaitable, Callable, Iterator
from contextlib import suppress
from typing import Protocol

import trio

from harness.fabric import Bell, Fabric, Wire
from harness.timeline import Fin, Reset

READ_BYTES = 64 * 1024
DRAIN_LIMIT_BYTES = 1024 * 1024
"""What is read and thrown away before a close, so that the kernel sends FIN and not RST."""
UNSENT_LIMIT_S = 0.25
"""How long an end waits for its last bytes to be on the wire before a RST or close cuts them."""
UNSENT_STUCK_S = 0.03
"""It waits no longer once so long none has left: the peer's window is shut."""
UNSENT_POLL_S = 0.0005
LEFTOVER_LIMIT_BYTES = 8 * 1024 * 1024
"""What is still read of an end that can't be written to; kernels keep no more than this."""


class End(Protocol):
    """One end of a relay."""

    wire: Wire
    ragged: bool

    async def receive(self) -> bytes:
        """Bytes, or empty after FIN; ConnectionResetError after RST."""

    async def send(self, payload: bytes) -> None:
        """Send everything; ConnectionResetError if the peer is gone."""

    def leftovers(self) -> Iterator[bytes]:
        """What had arrived before the peer refused ours: a reply can overtake its request."""

    async def finish(self, *, full: bool, notify: bool) -> None:
        """FIN; with ``full`` the whole end is closed, else only our half."""

    async def reset(self) -> None:
        """RST, behind the bytes already sent."""


class PlainEnd:
    """TCP as it is; ``head`` is what was read from the wire before."""

    __slots__ = ("_fabric", "_head", "wire")
    ragged = False

    def __init__(self, wire: Wire, fabric: Fabric, head: bytes = b"") -> None:
        self.wire = wire
        self._fabric = fabric
        self._head = head

    @property
    def is_bare(self) -> bool:
        """Whether the wire alone holds everything, so that a fast relay may use it directly."""
        return not self._head

    async def receive(self) -> bytes:
        """Bytes, or empty after FIN."""
        if self._head:
            head, self._head = self._head, b""
            return head
        while True:
            try:
                return self.wire.recv(READ_BYTES)
            except BlockingIOError:
                await self.wire.wait_readable()
            except OSError as error:
                raise _as_reset(error) from error

    async def send(self, payload: bytes) -> None:
        """Send everything."""
        view = memoryview(payload)
        while view:
            try:
                view = view[self.wire.send(view) :]
            except BlockingIOError:
                await self.wire.wait_writable()
            except OSError as error:
                raise _as_reset(error) from error

    def try_send(self, payload: bytes) -> int:
        """How many bytes left at once; ConnectionResetError if the peer is gone."""
        try:
            return self.wire.send(payload)
        except BlockingIOError:
            return 0
        except OSError as error:
            raise _as_reset(error) from error

    def try_end(self, ending: Fin | Reset) -> bool:
        """End it so and say True; unless bytes must be waited for that have not left yet."""
        if isinstance(ending, Fin) and not ending.full:
            self._shut()
            return True
        if self.wire.unsent_bytes():
            return False
        if isinstance(ending, Reset):
            self.wire.reset()
        else:
            self._shut()
            self._discard_arrived()
            self.wire.close()
        return True

    async def finish(self, *, full: bool, notify: bool) -> None:  # noqa: ARG002 - TLS's farewell
        """FIN; closing whole reads what has arrived first, lest the kernel send RST instead."""
        self._shut()
        if full:
            await self._until_sent()
            self._discard_arrived()
            self.wire.close()

    async def reset(self) -> None:
        """RST, behind the bytes already sent."""
        await self._until_sent()
        self.wire.reset()

    def leftovers(self) -> Iterator[bytes]:
        """What had arrived before the peer refused ours."""
        head, self._head = self._head, b""
        if head:
            yield head
        yield from self._arrived(LEFTOVER_LIMIT_BYTES)

    def _shut(self) -> None:
        try:
            self.wire.shutdown_write()
        except OSError as error:
            raise _as_reset(error) from error

    def _discard_arrived(self) -> None:
        for _ in self._arrived(DRAIN_LIMIT_BYTES):
            pass

    def _arrived(self, limit_bytes: int) -> Iterator[bytes]:
        left_bytes = limit_bytes
        with suppress(OSError):  # nothing more has arrived, or the peer is gone
            while left_bytes > 0 and (chunk := self.wire.recv(READ_BYTES)):
                left_bytes -= len(chunk)
                yield chunk

    async def _until_sent(self) -> None:
        bell = Bell()
        now = trio.current_time()
        give_up, moved, least = now + UNSENT_LIMIT_S, now, math.inf
        while (unsent := self.wire.unsent_bytes()) and now < min(give_up, moved + UNSENT_STUCK_S):
            if unsent < least:
                moved, least = now, unsent
            self._fabric.call_at(now + UNSENT_POLL_S, bell.ring)
            await bell.wait()
            now = trio.current_time()


class TlsEnd:
    """TLS by memory buffers (PEP 644's SSLObject), so that FIN, RST and close_notify stay apart.

    ``ragged`` tells that the peer's FIN came without close_notify.
    """

    def __init__(
        self,
        plain: PlainEnd,
        context: ssl.SSLContext,
        *,
        server_side: bool,
        server_hostname: str | None = None,
    ) -> None:
        self.wire = plain.wire
        self.ragged = False
        self._plain = plain
        self._arrived = ssl.MemoryBIO()
        self._leaving = ssl.MemoryBIO()
        self._sending = trio.Lock()
        self._failure: ssl.SSLError | None = None
        self._tls = context.wrap_bio(
            self._arrived, self._leaving, server_side=server_side, server_hostname=server_hostname
        )

    async def handshake(self, half_way: Callable[[], Awaitable[bytes]] | None = None) -> None:
        """Complete the handshake; raises ssl.SSLError or ConnectionResetError if it fails.

        With ``half_way`` only half of our first flight is sent, and the rest after its return;
        it gives what the peer has sent meanwhile.
        """
        while not self._shake_hands():
            if half_way is not None and self._leaving.pending:
                await self._send_in_halves(half_way)
                half_way = None
            await self._flush()  # in the end this is the alert that says why
            if self._failure is not None:
                raise self._failure
            await self._feed()
        await self._flush()

    def _shake_hands(self) -> bool:
        """One step of the handshake; whether it is complete. What went wrong is kept."""
        try:
            self._tls.do_handshake()
        except ssl.SSLWantReadError:
            return False
        except ssl.SSLError as error:
            self._failure = error
            return False
        return True

    def version(self) -> str:
        """The protocol version that was agreed, e.g. ``TLSv1.3``."""
        return self._tls.version() or ""

    @property
    def resumed(self) -> bool:
        """Whether an earlier session was resumed, which costs less."""
        return bool(getattr(self._tls, "session_reused", False))

    async def receive(self) -> bytes:
        """Decrypted bytes, or empty after close_notify or FIN."""
        while True:
            try:
                payload = self._tls.read(READ_BYTES)
            except ssl.SSLWantReadError:
                await self._flush()
                if self.ragged:
                    return b""
                await self._feed(or_ragged=True)
            except ssl.SSLZeroReturnError:
                return b""
            except ssl.SSLError as error:
                if self.ragged:
                    return b""
                self._failure = error
                break
            else:
                await self._flush()
                return payload
        await self._flush()  # the alert that says why
        raise ConnectionResetError(*self._failure.args) from self._failure

    async def send(self, payload: bytes) -> None:
        """Encrypt and send everything."""
        try:
            self._tls.write(payload)
        except ssl.SSLError as error:
            raise ConnectionResetError(*error.args) from error
        await self._flush()

    def leftovers(self) -> Iterator[bytes]:
        """What had arrived before the peer refused ours, as far as it can be decrypted."""
        for raw in self._plain.leftovers():
            self._arrived.write(raw)
        with suppress(ssl.SSLError):  # no more whole records
            while payload := self._tls.read(READ_BYTES):
                yield payload

    async def finish(self, *, full: bool, notify: bool) -> None:
        """close_notify (unless told not to), then FIN."""
        if notify:
            with suppress(ssl.SSLError, ValueError):
                self._tls.unwrap()  # queues ours; the peer's own isn't waited for (RFC 8446 6.1)
            try:
                await self._flush()
            except ConnectionResetError:
                self.wire.close()
                return
        await self._plain.finish(full=full, notify=notify)

    async def reset(self) -> None:
        """RST, behind the bytes already sent."""
        await self._plain.reset()

    async def _feed(self, *, or_ragged: bool = False) -> None:
        raw = await self._plain.receive()
        if raw:
            self._arrived.write(raw)
            return
        self._arrived.write_eof()
        self.ragged = True
        if not or_ragged:
            raise ConnectionResetError("the peer closed the connection in the handshake")

    async def _flush(self) -> None:
        """Send what waits; one task at a time, so that records keep their order.

        Who has nothing to send doesn't wait for who has: reading goes on while a write is stuck.
        """
        if not self._leaving.pending:
            return
        async with self._sending:
            while self._leaving.pending:
                await self._plain.send(self._leaving.read())

    async def _send_in_halves(self, half_way: Callable[[], Awaitable[bytes]]) -> None:
        flight = self._leaving.read()
        middle = len(flight) // 2
        await self._plain.send(flight[:middle])
        self._arrived.write(await half_way())
        await self._plain.send(flight[middle:])


def _as_reset(error: OSError) -> OSError:
    """A dead socket has several errnos (ECONNRESET, EPIPE, ETIMEDOUT); a relay needs one."""
    if isinstance(error, ConnectionResetError):
        return error
    return ConnectionResetError(error.errno, error.strerror)
