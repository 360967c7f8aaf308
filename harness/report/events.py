"""What an event says, in the words of the language: one line for each type.

A type of event without words here still shows, by its name and fields; a test sees to it that
none is forgotten.
"""

from __future__ import annotations

from dataclasses import fields
from functools import singledispatch

from harness import history as ev
from harness.units import format_duration, format_size

_HOW = {"fin": "with FIN", "reset": "with RST"}


@singledispatch
def happened(event: ev.Event) -> str:
    """What happened, as the rest of a line that begins with when and who saw it."""
    named = [f"{f.name}={getattr(event, f.name)}" for f in fields(event) if f.name != "at_s"]
    return " ".join([type(event).__name__, *named])


def _is(text: str, condition: bool) -> str:
    return text if condition else ""


def _to(connection: int) -> str:
    return f" on connection {connection}" if connection else ""


# --- the runner -----------------------------------------------------------------------------


@happened.register
def _(event: ev.RunStarted) -> str:
    slots = f"{event.pool_size}+{event.pool_max_overflow}"
    return f"run begins: client {event.client}, seed {event.seed}, pool {slots}"


@happened.register
def _(event: ev.PhaseStarted) -> str:
    return f"phase {event.phase} begins"


@happened.register
def _(event: ev.PhaseEnded) -> str:
    early = f", before its time: {event.cut_short}" if event.cut_short else ""
    return f"phase {event.phase} is over{early}"


@happened.register
def _(event: ev.Healed) -> str:  # noqa: ARG001 - its type says it all
    return "every fault is healed"


@happened.register
def _(event: ev.RecoveryProbed) -> str:
    return f"round {event.round} of probes: {event.ok} of {event.calls} answered"


@happened.register
def _(event: ev.Leaked) -> str:
    return f"left open after the client closed: {event.count} {event.what}" + _is(
        f" ({event.detail})", bool(event.detail)
    )


@happened.register
def _(event: ev.RunEnded) -> str:
    return "run is over" + _is(f"; had to be cancelled: {event.hung}", bool(event.hung))


# --- the client and its callers -------------------------------------------------------------


@happened.register
def _(event: ev.CallInvoked) -> str:
    kind = "unsafe call" if event.unsafe else "call"
    return f"{kind} {event.nonce} begins (caller {event.caller}, phase {event.phase})"


@happened.register
def _(event: ev.CallOk) -> str:
    text = f"call {event.nonce} ok after {format_duration(event.took_s)}"
    if event.reply_nonce != event.nonce:
        text += f", with the reply to {event.reply_nonce or 'nobody'}"
    if event.reply_bytes != event.expected_bytes:
        text += f", with {event.reply_bytes} of {event.expected_bytes} bytes"
    return text + _is(", with bytes that are not the origin's", not event.intact)


@happened.register
def _(event: ev.CallFailed) -> str:
    return f"call {event.nonce} failed after {format_duration(event.took_s)}: {_cause(event)}"


@happened.register
def _(event: ev.CallUnknown) -> str:
    took = format_duration(event.took_s)
    return f"call {event.nonce} perhaps done, given up after {took}: {_cause(event)}"


def _cause(event: ev.CallFailed | ev.CallUnknown | ev.ClientFailed) -> str:
    return event.kind + _is(f" ({event.message})", bool(event.message))


@happened.register
def _(event: ev.CallCancelled) -> str:
    return f"call {event.nonce} is cancelled {format_duration(event.after_s)} after it began"


@happened.register
def _(event: ev.ClientOpened) -> str:
    return f"client is open after {format_duration(event.took_s)}"


@happened.register
def _(event: ev.ClientFailed) -> str:
    return f"client failed during {event.during}: {_cause(event)}"


@happened.register
def _(event: ev.ClientClosing) -> str:
    return f"client is asked to close, with {event.in_flight} calls under way"


@happened.register
def _(event: ev.ClientClosed) -> str:
    return f"client is closed after {format_duration(event.took_s)}"


@happened.register
def _(event: ev.LeakReported) -> str:
    return f"client reports a connection never given back, acquired at {event.where}"


# --- the proxy ------------------------------------------------------------------------------


@happened.register
def _(event: ev.ConnectionOpened) -> str:
    port = _is(f" from port {event.client_port}", bool(event.client_port))
    return f"connection {event.connection} opened{port}" + _is(
        f" to {event.backend}", bool(event.backend)
    )


@happened.register
def _(event: ev.TlsEstablished) -> str:
    version = event.version or "TLS"
    return f"connection {event.connection} speaks {version}" + _is(", resumed", event.resumed)


@happened.register
def _(event: ev.TlsFailed) -> str:
    return f"connection {event.connection}: TLS handshake failed: {event.reason}"


@happened.register
def _(event: ev.DialFailed) -> str:
    return f"connection {event.connection}: backend {event.backend} not reached: {event.reason}"


@happened.register
def _(event: ev.ClientEndClosed) -> str:
    return f"connection {event.connection}: the client ended it {_HOW.get(event.how, event.how)}"


@happened.register
def _(event: ev.ConnectionClosed) -> str:
    how = _HOW.get(event.how, event.how)
    up, down = format_size(event.bytes_up), format_size(event.bytes_down)
    amount = f"{event.exchanges} exchanges, {up} up, {down} down"
    return f"connection {event.connection} closed by {event.by} {how} ({amount})"


@happened.register
def _(event: ev.FaultArmed) -> str:
    by = _is(f", performed by {event.means}", bool(event.means))
    return f"fault {event.fault} (#{event.index}) waits for its moment{by}"


@happened.register
def _(event: ev.FaultFired) -> str:
    where = _is(f", {event.where}", bool(event.where))
    return f"fault {event.fault} (#{event.index}) strikes{_to(event.connection)}{where}"


@happened.register
def _(event: ev.FaultHealed) -> str:
    return f"fault {event.fault} (#{event.index}) lets go"


@happened.register
def _(event: ev.BackendRetired) -> str:
    manner = "drained" if event.drain else "cut off"
    return f"backend {event.backend} is {manner}, {event.successor} takes over"


@happened.register
def _(event: ev.BackendRestored) -> str:
    return f"backend {event.backend} takes new connections again"


@happened.register
def _(event: ev.AcceptFailed) -> str:
    return f"the proxy could not accept: {event.reason}"


# --- the origin and the wire ----------------------------------------------------------------


@happened.register
def _(event: ev.Executed) -> str:
    kind = "unsafe call" if event.unsafe else "call"
    return f"{kind} {event.nonce} is executed" + _is(f" on {event.backend}", bool(event.backend))


@happened.register
def _(event: ev.DirtyCheckout) -> str:
    left = "an open transaction" if event.what == "transaction" else f"a changed {event.what}"
    return f"call {event.nonce} finds {left} of call {event.left_by or 'nobody'}" + _is(
        f" on {event.backend}", bool(event.backend)
    )


@happened.register
def _(event: ev.Dialed) -> str:
    took = format_duration(event.took_s)
    if event.outcome == "ok":
        return f"port {event.local_port} connected after {took}"
    return f"port {event.local_port} could not connect: {event.outcome} after {took}"


@happened.register
def _(event: ev.SocketClosed) -> str:
    return f"the client closed the socket on port {event.local_port}"
