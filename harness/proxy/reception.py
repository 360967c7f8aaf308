"""What happens between accepting a connection and relaying it: faults, TLS, the dial."""

from __future__ import annotations

import errno
import math
from contextlib import suppress
from functools import partial
from typing import Literal, Protocol

import trio

from harness.fabric import Fabric, Wire
from harness.faults import Admission, Delay, HandshakeEnding, PresentCertificate
from harness.history import ClientEndClosed, DialFailed, Event, TlsEstablished, TlsFailed
from harness.proxy.authority import Authority
from harness.proxy.backends import Backends
from harness.proxy.charge import Charge
from harness.proxy.ends import READ_BYTES, End, PlainEnd, TlsEnd
from harness.proxy.injector import Injector
from harness.proxy.negotiation import ALPN, ask_for_tls, negotiate, refuse_plain_text
from harness.proxy.orders import Orders
from harness.proxy.settings import ProxySettings
from harness.trigger import Life, Scene
from harness.wire.postgres_opening import Opening

DIAL_LIMIT_S = 5.0
HANDSHAKE_LIMIT_S = 30.0
HUNG_LIMIT_BYTES = 64 * 1024
"""What a hung connection takes in while nobody serves it."""


class Refused(Exception):  # noqa: N818 - an outcome, not an error: the connection is not relayed
    """The connection ended before it could be relayed: by whom, and how."""

    def __init__(self, by: str, how: Literal["fin", "reset"]) -> None:
        super().__init__(by, how)
        self.by = by
        self.how = how


class House(Protocol):
    """What a reception needs of the proxy it works for."""

    settings: ProxySettings
    fabric: Fabric
    injector: Injector
    backends: Backends
    orders: Orders
    scene: Scene
    open_connections: int

    def at_s(self) -> float:
        """Seconds since the run began."""

    def tell(self, event: Event) -> None:
        """Write an event into the history."""


class Reception:
    """Receives connections for a proxy."""

    def __init__(self, proxy: House, authority: Authority | None) -> None:
        self._proxy = proxy
        self._authority = authority
        self._hung = 0

    async def receive(self, wire: Wire, life: Life) -> tuple[End, End]:
        """The two ends, ready to relay; raises Refused if it doesn't come to that."""
        head = await self._admit(wire, life)
        plain = PlainEnd(wire, self._proxy.fabric, head)
        opening = None
        if self._proxy.settings.protocol == "postgres" and self._proxy.settings.tls != "off":
            plain, opening = await self._negotiated(plain, life)
        client = plain if opening in _PLAIN else await self._shake_hands(plain, life)
        try:
            return client, await self._dial(life, opening)
        except OSError as error:
            failure = error
        self._proxy.tell(
            DialFailed(
                at_s=self._proxy.at_s(),
                connection=life.ordinal,
                backend=life.backend,
                reason=failure.strerror or str(failure),
            )
        )
        await client.reset()
        raise Refused("backend", "reset") from failure

    def tell_client_end(self, ordinal: int, how: str) -> None:
        """The client's own FIN or RST has arrived."""
        self._proxy.tell(ClientEndClosed(at_s=self._proxy.at_s(), connection=ordinal, how=how))

    # --- admission --------------------------------------------------------------------------

    async def _admit(self, wire: Wire, life: Life) -> bytes:
        """Let accept faults strike; what was read of the client meanwhile."""
        proxy = self._proxy
        decision, charge = proxy.injector.on_accept(
            life.ordinal,
            life.backend,
            proxy.open_connections - self._hung - 1,
            trio.current_time(),
        )
        if charge is None:
            return b""
        by = f"fault:{charge.spec.name}"
        match decision:
            case Admission.RESET:
                wire.reset()
                raise Refused(by, "reset")
            case Admission.CLOSE:
                await PlainEnd(wire, proxy.fabric).finish(full=True, notify=False)
                raise Refused(by, "fin")
            case Admission.HANG:
                return await self._hang(wire, life, charge)
            case Delay():
                await self._delay(decision.delay_s, charge)
        return b""

    async def _delay(self, delay_s: float, charge: Charge) -> None:
        until = trio.current_time() + delay_s
        while trio.current_time() < until and not charge.healed:
            await self._proxy.orders.wait(until)

    async def _hang(self, wire: Wire, life: Life, charge: Charge) -> bytes:
        """Take in what the client sends and do nothing, until healed or the client gives up."""
        taken = bytearray()
        ended: Literal["fin", "reset"] | None = None
        self._hung += 1
        try:
            async with trio.open_nursery() as nursery:
                nursery.start_soon(self._let_go, charge, nursery.cancel_scope)
                ended = await self._take_in(wire, taken)
                nursery.cancel_scope.cancel()
        finally:
            self._hung -= 1
        if ended is not None:
            self.tell_client_end(life.ordinal, ended)
            raise Refused("client", ended)
        return bytes(taken)

    async def _let_go(self, charge: Charge, hang: trio.CancelScope) -> None:
        """End a hang once its fault is healed, or its own window (``during``, ``for``) is over."""
        scene, orders = self._proxy.scene, self._proxy.orders
        over = charge.lets_go(scene, trio.current_time())
        while (now := trio.current_time()) < over and charge.in_window(scene, now):
            if charge.healed:
                break
            await orders.wait(over)
        hang.cancel()

    async def _take_in(self, wire: Wire, taken: bytearray) -> Literal["fin", "reset"] | None:
        """Read until the client ends (how), or until no more is taken: then wait for ever."""
        while len(taken) < HUNG_LIMIT_BYTES:
            try:
                await wire.wait_readable()
                chunk = wire.recv(READ_BYTES)
            except BlockingIOError:
                continue
            except OSError:
                return "reset"
            if not chunk:
                return "fin"
            taken += chunk
        await trio.sleep_forever()
        return None

    # --- TLS --------------------------------------------------------------------------------

    async def _negotiated(self, plain: PlainEnd, life: Life) -> tuple[PlainEnd, Opening]:
        """PostgreSQL's client has asked for TLS, if it does; or Refused, if that must be."""
        proxy = self._proxy
        try:
            with trio.fail_after(HANDSHAKE_LIMIT_S):
                plain, opening = await negotiate(plain, proxy.fabric)
                if opening is not Opening.STARTUP or proxy.settings.tls != "terminate":
                    return plain, opening
                await refuse_plain_text(plain)
        except ConnectionResetError as error:
            raise Refused("client", "reset") from error
        except (EOFError, trio.TooSlowError) as error:
            raise Refused("client" if isinstance(error, EOFError) else "proxy", "fin") from error
        reason = "the client doesn't ask for TLS"
        proxy.tell(TlsFailed(at_s=proxy.at_s(), connection=life.ordinal, reason=reason))
        raise Refused("proxy", "fin")

    async def _shake_hands(self, plain: PlainEnd, life: Life) -> End:
        proxy = self._proxy
        if proxy.settings.tls == "off":
            return plain
        decision, charge = proxy.injector.on_handshake(
            life.ordinal, life.backend, trio.current_time()
        )
        if charge is not None and isinstance(decision, HandshakeEnding):
            plain = await self._disturb(plain, life, decision, charge)
        if proxy.settings.tls == "passthrough":
            return plain
        problem = decision.problem if isinstance(decision, PresentCertificate) else None
        assert self._authority is not None, "terminating TLS needs an authority"
        context = self._authority.server_context(problem)
        if proxy.settings.protocol == "postgres":
            context.set_alpn_protocols([ALPN])
        end = TlsEnd(plain, context, server_side=True)
        hangs = decision is HandshakeEnding.HANG_AFTER_SERVER_HELLO
        try:
            with trio.fail_after(HANDSHAKE_LIMIT_S) as limit:
                await end.handshake(
                    partial(self._hang_half_way, plain.wire, life, charge, limit)
                    if hangs and charge is not None
                    else None
                )
        except (OSError, trio.TooSlowError) as error:
            raise await self._handshake_failed(end, plain, life, error) from error
        proxy.tell(
            TlsEstablished(
                at_s=proxy.at_s(),
                connection=life.ordinal,
                version=end.version(),
                resumed=end.resumed,
            )
        )
        return end

    async def _hang_half_way(
        self, wire: Wire, life: Life, charge: Charge, limit: trio.CancelScope
    ) -> bytes:
        limit.deadline = math.inf
        taken = await self._hang(wire, life, charge)
        limit.deadline = trio.current_time() + HANDSHAKE_LIMIT_S
        return taken

    async def _handshake_failed(
        self, end: TlsEnd, plain: PlainEnd, life: Life, error: Exception
    ) -> Refused:
        """Tell that a handshake failed, and end the connection so that our alert arrives."""
        proxy = self._proxy
        reason = getattr(error, "reason", None) or str(error) or type(error).__name__
        proxy.tell(TlsFailed(at_s=proxy.at_s(), connection=life.ordinal, reason=str(reason)))
        if isinstance(error, ConnectionResetError) and not end.ragged:
            return Refused("client", "reset")
        with suppress(ConnectionResetError):
            await plain.finish(full=True, notify=False)
        return Refused("proxy" if isinstance(error, trio.TooSlowError) else "client", "fin")

    async def _disturb(
        self, plain: PlainEnd, life: Life, decision: HandshakeEnding, charge: Charge
    ) -> PlainEnd:
        """Wait for the ClientHello, then reset or fall silent."""
        if decision is HandshakeEnding.HANG_AFTER_SERVER_HELLO:
            return plain
        try:
            hello = await plain.receive()
        except ConnectionResetError as error:
            raise Refused("client", "reset") from error
        if not hello:
            raise Refused("client", "fin")
        if decision is HandshakeEnding.RESET:
            await plain.reset()
            raise Refused(f"fault:{charge.spec.name}", "reset")
        hello += await self._hang(plain.wire, life, charge)
        return PlainEnd(plain.wire, self._proxy.fabric, hello)

    # --- the backend ------------------------------------------------------------------------

    async def _dial(self, life: Life, opening: Opening | None) -> End:
        """The backend's end; a backend that was taken out since the accept is not used."""
        backends = self._proxy.backends
        while True:
            if not backends.in_service(life.backend):
                life.backend = backends.choose()
            if life.backend in backends.dead:
                raise ConnectionRefusedError(errno.ECONNREFUSED, f"{life.backend} is dead")
            end = await self._connect(life.backend, opening)
            if backends.in_service(life.backend):
                return end
            end.wire.close()

    async def _connect(self, backend: str, opening: Opening | None) -> End:
        proxy = self._proxy
        address = proxy.backends.addresses[backend]
        wire = await proxy.fabric.dial(address.host, address.port, DIAL_LIMIT_S)
        plain = PlainEnd(wire, proxy.fabric)
        try:
            with trio.fail_after(HANDSHAKE_LIMIT_S):
                return await self._encrypted(plain, backend, opening)
        except trio.TooSlowError as error:
            wire.close()
            why = f"{backend} doesn't complete its handshake"
            raise TimeoutError(errno.ETIMEDOUT, why) from error
        except BaseException:
            wire.close()
            raise

    async def _encrypted(self, plain: PlainEnd, backend: str, opening: Opening | None) -> End:
        """The backend's end with TLS, where that is ours to do, or ready for the client's own."""
        settings = self._proxy.settings
        context = settings.origin_tls
        is_asked_for = context is not None or opening is Opening.TLS_REQUEST
        if opening in _PLAIN or (context is None and settings.tls != "passthrough"):
            return plain
        if settings.protocol == "postgres" and is_asked_for:
            await ask_for_tls(plain, backend)
        if context is None:
            return plain
        end = TlsEnd(plain, context, server_side=False, server_hostname=settings.origin_hostname)
        await end.handshake()
        return end


_PLAIN = frozenset({Opening.CANCEL, Opening.STARTUP})
"""What PostgreSQL takes without encryption."""
