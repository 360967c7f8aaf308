"""The events, each told by one witness."""

from __future__ import annotations

from dataclasses import dataclass
from typing import ClassVar


@dataclass(frozen=True, slots=True, kw_only=True)
class Event:
    """Something that happened ``at_s`` seconds after the run began."""

    WITNESS: ClassVar[str] = ""
    at_s: float


# --- the runner -----------------------------------------------------------------------------


@dataclass(frozen=True, slots=True, kw_only=True)
class RunStarted(Event):
    """The run begins: which scenario, seed and client, and the pool settings asked for.

    ``origin_tells`` is what the origin lets be known: the executions it counts, the names of
    calls that its replies repeat, and the sessions in which calls find what others left.
    """

    WITNESS: ClassVar[str] = "runner"
    scenario: str
    seed: int
    client: str
    fabric: str
    pool_size: int
    pool_max_overflow: int
    pool_timeout_s: float
    backends: tuple[str, ...] = ()
    supports: tuple[str, ...] = ()
    origin_tells: tuple[str, ...] = ("executions", "names")


@dataclass(frozen=True, slots=True, kw_only=True)
class PhaseStarted(Event):
    """A phase of the workload begins."""

    WITNESS: ClassVar[str] = "runner"
    phase: str


@dataclass(frozen=True, slots=True, kw_only=True)
class PhaseEnded(Event):
    """A phase of the workload is over; ``cut_short`` says why before all its calls were made."""

    WITNESS: ClassVar[str] = "runner"
    phase: str
    cut_short: str = ""


@dataclass(frozen=True, slots=True, kw_only=True)
class Healed(Event):
    """Every fault is healed; recovery is measured from here."""

    WITNESS: ClassVar[str] = "runner"


@dataclass(frozen=True, slots=True, kw_only=True)
class RecoveryProbed(Event):
    """A round of probes ended: ``calls`` at once, ``ok`` of them answered.

    With ``together`` the origin answered none before so many of them had arrived, so every
    slot of the pool had to be in use at the same time.
    """

    WITNESS: ClassVar[str] = "runner"
    round: int
    calls: int
    ok: int
    together: int = 0


@dataclass(frozen=True, slots=True, kw_only=True)
class Leaked(Event):
    """After the client was closed, this much was still open: sockets, tasks or descriptors."""

    WITNESS: ClassVar[str] = "runner"
    what: str
    count: int
    detail: str = ""


@dataclass(frozen=True, slots=True, kw_only=True)
class RunEnded(Event):
    """The run is over; ``hung`` names what didn't end by itself and had to be cancelled."""

    WITNESS: ClassVar[str] = "runner"
    hung: str = ""


# --- the client and its callers -------------------------------------------------------------


@dataclass(frozen=True, slots=True, kw_only=True)
class CallEvent(Event):
    """Something about one call, known by its nonce."""

    WITNESS: ClassVar[str] = "client"
    nonce: str


@dataclass(frozen=True, slots=True, kw_only=True)
class CallInvoked(CallEvent):
    """A caller asks: ``expected_bytes`` of reply are due."""

    caller: int
    phase: str
    unsafe: bool
    expected_bytes: int
    timeout_s: float | None = None


@dataclass(frozen=True, slots=True, kw_only=True)
class CallOk(CallEvent):
    """The client returned a reply: the nonce it names, and whether its bytes are the origin's."""

    took_s: float
    reply_nonce: str
    reply_bytes: int
    expected_bytes: int
    intact: bool = True


@dataclass(frozen=True, slots=True, kw_only=True)
class CallFailed(CallEvent):
    """The call certainly was not done."""

    took_s: float
    kind: str
    message: str


@dataclass(frozen=True, slots=True, kw_only=True)
class CallUnknown(CallEvent):
    """The call perhaps was done: cancelled or cut after the request left."""

    took_s: float
    kind: str
    message: str


@dataclass(frozen=True, slots=True, kw_only=True)
class CallCancelled(CallEvent):
    """The harness cancelled the caller, ``after_s`` into the call."""

    after_s: float


@dataclass(frozen=True, slots=True, kw_only=True)
class ClientOpened(Event):
    """The client is ready for calls."""

    WITNESS: ClassVar[str] = "client"
    took_s: float


@dataclass(frozen=True, slots=True, kw_only=True)
class ClientFailed(Event):
    """The client couldn't be opened or closed, or broke its contract: ``during`` says where."""

    WITNESS: ClassVar[str] = "client"
    during: str
    kind: str
    message: str


@dataclass(frozen=True, slots=True, kw_only=True)
class ClientClosing(Event):
    """The client is asked to close, with this many calls under way."""

    WITNESS: ClassVar[str] = "client"
    in_flight: int = 0


@dataclass(frozen=True, slots=True, kw_only=True)
class ClientClosed(Event):
    """The client's ``close`` returned."""

    WITNESS: ClassVar[str] = "client"
    took_s: float


@dataclass(frozen=True, slots=True, kw_only=True)
class LeakReported(Event):
    """The client itself reports a connection that was never given back."""

    WITNESS: ClassVar[str] = "client"
    where: str


# --- the proxy ------------------------------------------------------------------------------


@dataclass(frozen=True, slots=True, kw_only=True)
class ProxyEvent(Event):
    """Something the man in the middle saw or did; connections are known by their ordinal."""

    WITNESS: ClassVar[str] = "proxy"


@dataclass(frozen=True, slots=True, kw_only=True)
class ConnectionOpened(ProxyEvent):
    """The proxy accepted a connection."""

    connection: int
    client_port: int = 0
    backend: str = ""


@dataclass(frozen=True, slots=True, kw_only=True)
class TlsEstablished(ProxyEvent):
    """A TLS handshake between client and proxy completed."""

    connection: int
    version: str = ""
    resumed: bool = False


@dataclass(frozen=True, slots=True, kw_only=True)
class TlsFailed(ProxyEvent):
    """A TLS handshake between client and proxy did not complete."""

    connection: int
    reason: str


@dataclass(frozen=True, slots=True, kw_only=True)
class DialFailed(ProxyEvent):
    """The proxy could not reach a backend for this connection."""

    connection: int
    backend: str
    reason: str


@dataclass(frozen=True, slots=True, kw_only=True)
class ClientEndClosed(ProxyEvent):
    """The client's own FIN or RST arrived at the proxy: ``how`` is fin or reset."""

    connection: int
    how: str


@dataclass(frozen=True, slots=True, kw_only=True)
class ConnectionClosed(ProxyEvent):
    """Both ends are gone: who ended it first (client, backend, fault:NAME, proxy), and how.

    ``purpose`` is cancel if it was none of a pool's, but asked a server to cancel a query.
    """

    connection: int
    by: str
    how: str
    bytes_up: int = 0
    bytes_down: int = 0
    exchanges: int = 0
    purpose: str = ""


@dataclass(frozen=True, slots=True, kw_only=True)
class FaultArmed(ProxyEvent):
    """A fault waits for its trigger; ``index`` counts the scenario's faults from 0.

    ``means`` is what will perform it (proxy, router, netem, tbf, htb, host, port), where there was
    a choice.
    """

    index: int
    fault: str
    means: str = ""


@dataclass(frozen=True, slots=True, kw_only=True)
class FaultFired(ProxyEvent):
    """A fault struck: on which connection (0: none in particular), and where.

    ``ends`` tells that it ended the client's end of the connection, whole.
    """

    index: int
    fault: str
    connection: int = 0
    where: str = ""
    ends: bool = False


@dataclass(frozen=True, slots=True, kw_only=True)
class FaultHealed(ProxyEvent):
    """A fault let go."""

    index: int
    fault: str


@dataclass(frozen=True, slots=True, kw_only=True)
class BackendRetired(ProxyEvent):
    """New connections no longer go to this backend."""

    backend: str
    successor: str
    drain: bool


@dataclass(frozen=True, slots=True, kw_only=True)
class BackendRestored(ProxyEvent):
    """A backend that was taken out may serve again."""

    backend: str


@dataclass(frozen=True, slots=True, kw_only=True)
class AcceptFailed(ProxyEvent):
    """The listener could not accept (EMFILE and the like), and went on."""

    reason: str


# --- the origin -----------------------------------------------------------------------------


@dataclass(frozen=True, slots=True, kw_only=True)
class Executed(Event):
    """The origin began to execute a call, before it thinks (``slow``): on which backend."""

    WITNESS: ClassVar[str] = "origin"
    nonce: str
    backend: str
    unsafe: bool


@dataclass(frozen=True, slots=True, kw_only=True)
class DirtyCheckout(Event):
    """A call found what another one had left in its connection.

    ``what`` is transaction (an open one, of the call ``left_by``) or session (a changed setting).
    """

    WITNESS: ClassVar[str] = "origin"
    nonce: str
    backend: str
    left_by: str
    what: str


# --- the wire -------------------------------------------------------------------------------


@dataclass(frozen=True, slots=True, kw_only=True)
class Dialed(Event):
    """A client socket tried to connect.

    ``outcome`` is ok, refused, reset, timeout, unreachable, no_port, cancelled or other.
    """

    WITNESS: ClassVar[str] = "wire"
    local_port: int
    outcome: str
    took_s: float


@dataclass(frozen=True, slots=True, kw_only=True)
class SocketClosed(Event):
    """A client socket that had tried to connect was closed by the client."""

    WITNESS: ClassVar[str] = "wire"
    local_port: int
