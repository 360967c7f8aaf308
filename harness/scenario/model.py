"""What a scenario says, as frozen values. ``reader`` makes one from YAML; nothing here reads it."""

from __future__ import annotations

import math
from dataclasses import dataclass, field
from typing import Annotated, Any, ClassVar, Literal, TypeAlias

from pydantic import Field

from harness.checks import Check
from harness.faults import FaultSpec, PacketFault
from harness.scenario.fabrics import FABRICS, FabricWord, Need, needs_of
from harness.units import YAML_CONFIG, DurationS, Fraction, FrequencyPerS, SizeBytes

CALLERS_LIMIT = 5_000
CALLS_LIMIT = 1_000_000
REPLY_LIMIT_BYTES = 64 * 2**20

Level: TypeAlias = Literal["must", "should", "info"]
ProxyTls: TypeAlias = Literal["off", "passthrough", "terminate"]
CLIENT_HOSTS_LIMIT = 16
ROUTERS_LIMIT = 16
ServeWord: TypeAlias = Literal["http", "echo", "postgres", "redis"]
BUILT_IN: tuple[ServeWord, ...] = ("http", "echo")
"""What the harness serves itself; the others are real servers, in processes of their own."""
DATABASES: tuple[ServeWord, ...] = ("postgres", "redis")
"""Servers that are asked afterwards what they executed."""


@dataclass(frozen=True, slots=True, kw_only=True)
class OwnServer:
    """A server of the user's own, by its address; it is there before the run and after it."""

    __pydantic_config__: ClassVar[Any] = YAML_CONFIG

    address: Annotated[
        str,
        Field(
            description="host and port of your own server; who you are there say PGUSER, "
            "PGPASSWORD, PGDATABASE and REDIS_PASSWORD in the environment",
            examples=["10.9.0.2:5432"],
        ),
    ]
    protocol: Annotated[ServeWord, Field(description="what your own server speaks")]

    def __post_init__(self) -> None:
        if not self.host or not 1 <= self.port <= 65_535:
            raise ValueError(f"{self.address!r} is no address; write 10.9.0.2:5432 or [::1]:5432")

    @property
    def host(self) -> str:
        """The name or number before the port."""
        return self.address.rpartition(":")[0].removeprefix("[").removesuffix("]")

    @property
    def port(self) -> int:
        """The port; 0 if there is none."""
        digits = self.address.rpartition(":")[2]
        return int(digits) if digits.isascii() and digits.isdecimal() and len(digits) <= 5 else 0


@dataclass(frozen=True, slots=True, kw_only=True)
class Origin:
    """What stands behind the proxy."""

    __pydantic_config__: ClassVar[Any] = YAML_CONFIG

    serve: Annotated[
        ServeWord | OwnServer,
        Field(description="what the backends speak, or where your own server is"),
    ] = "http"
    backends: Annotated[
        tuple[str, ...], Field(min_length=1, description="one server each; the first is in use")
    ] = ("blue",)
    tls: Annotated[bool, Field(description="TLS between proxy and backend")] = False
    keep_alive_s: Annotated[
        DurationS | None,
        Field(description="the server closes connections idle for longer, and says so from 1s on"),
    ] = None

    @property
    def protocol(self) -> ServeWord:
        """What the backends speak."""
        return self.serve.protocol if isinstance(self.serve, OwnServer) else self.serve

    @property
    def own(self) -> OwnServer | None:
        """The user's own server, if there is one."""
        return self.serve if isinstance(self.serve, OwnServer) else None

    @property
    def is_built_in(self) -> bool:
        """Whether the harness serves it itself, so that it runs in virtual time as well."""
        return self.serve in BUILT_IN

    @property
    def outside(self) -> str:
        """What a program of its own serves, in words; empty if the harness does."""
        if self.is_built_in:
            return ""
        return "a server of your own" if self.own else self.protocol

    @property
    def tells(self) -> tuple[str, ...]:
        """What it lets be known, in the words of the history's ``RunStarted.origin_tells``."""
        told = {
            "executions": self.is_built_in or self.protocol in DATABASES,
            "names": self.own is None or self.protocol != "http",
            "sessions": self.protocol == "postgres",
        }
        return tuple(word for word, is_told in told.items() if is_told)


@dataclass(frozen=True, slots=True, kw_only=True)
class Proxy:
    """The man in the middle."""

    __pydantic_config__: ClassVar[Any] = YAML_CONFIG

    tls: Annotated[ProxyTls, Field(description="what the proxy does with TLS")] = "off"
    balance: Annotated[
        Literal["first", "round_robin"], Field(description="which backend a new connection gets")
    ] = "first"


@dataclass(frozen=True, slots=True, kw_only=True)
class Topology:
    """Which hosts there are between and around, each a network namespace of its own."""

    __pydantic_config__: ClassVar[Any] = YAML_CONFIG

    clients: Annotated[
        int,
        Field(ge=1, le=CLIENT_HOSTS_LIMIT, description="hosts with a client each; callers in turn"),
    ] = 1
    routers: Annotated[
        int, Field(ge=1, le=ROUTERS_LIMIT, description="in a row between clients and the rest")
    ] = 1
    proxy: Annotated[
        Literal["host", "client"],
        Field(description="on a host of its own, or beside the client as a sidecar"),
    ] = "host"

    def __post_init__(self) -> None:
        if self.proxy == "client" and self.clients > 1:
            raise ValueError("a sidecar serves the client beside it alone; write clients: 1")


@dataclass(frozen=True, slots=True, kw_only=True)
class PoolWords:
    """Pool settings in SQLAlchemy's words; an adapter maps them to its library's own."""

    __pydantic_config__: ClassVar[Any] = YAML_CONFIG

    size: Annotated[int, Field(ge=1, le=CALLERS_LIMIT, description="connections kept")] = 4
    max_overflow: Annotated[int, Field(ge=0, le=CALLERS_LIMIT, description="more under load")] = 0
    timeout_s: Annotated[DurationS, Field(description="how long a caller waits for one")] = 5.0
    recycle_s: Annotated[DurationS | None, Field(description="never used when older")] = None
    idle_timeout_s: Annotated[DurationS | None, Field(description="closed when idle longer")] = None
    pre_ping: Annotated[bool, Field(description="asked whether it lives before use")] = False
    connect_timeout_s: Annotated[DurationS, Field(description="for one attempt to connect")] = 2.0
    grace_s: Annotated[DurationS, Field(description="for calls under way when it is closed")] = 5.0
    min_idle: Annotated[int, Field(ge=0, description="kept ready in the background")] = 0


@dataclass(frozen=True, slots=True, kw_only=True)
class ClientSettings:
    """What the client under test is asked to be."""

    __pydantic_config__: ClassVar[Any] = YAML_CONFIG

    pool: PoolWords = PoolWords()


@dataclass(frozen=True, slots=True, kw_only=True)
class CancelWords:
    """Which calls are cancelled, and when in the call."""

    __pydantic_config__: ClassVar[Any] = YAML_CONFIG

    probability: Annotated[Fraction, Field(description="this share of the calls")] = 1.0
    after_s: Annotated[DurationS | None, Field(description="this long into the call")] = None
    step: Annotated[int | None, Field(ge=1, description="at its N-th checkpoint")] = None
    to: Annotated[
        int | None,
        Field(ge=2, description="each call a step later than the one before, up to this, and anew"),
    ] = None

    def step_of(self, index: int) -> int | None:
        """The step at which the phase's call of this index is cancelled, or None."""
        if self.step is None or self.to is None:
            return self.step
        return self.step + index % (self.to - self.step + 1)


@dataclass(frozen=True, slots=True, kw_only=True)
class AbandonWords:
    """Which calls the caller walks away from in the middle of the reply, and how."""

    __pydantic_config__: ClassVar[Any] = YAML_CONFIG

    probability: Annotated[Fraction, Field(description="this share of the calls")] = 1.0
    how: Annotated[
        Literal["exception", "reference"],
        Field(description="the caller raises, or loses the only reference to the reply"),
    ] = "exception"


@dataclass(frozen=True, slots=True, kw_only=True)
class PhaseWords:
    """One phase of the workload: calls, or a pause."""

    __pydantic_config__: ClassVar[Any] = YAML_CONFIG

    phase: Annotated[
        str, Field(min_length=1, description="its name, for during: and reports", examples=["load"])
    ]
    pause_s: Annotated[DurationS | None, Field(description="nobody calls for this long")] = None
    callers: Annotated[int, Field(ge=1, le=CALLERS_LIMIT, description="who call at once")] = 1
    calls: Annotated[
        int | None, Field(ge=1, le=CALLS_LIMIT, description="how many in all, over the callers")
    ] = None
    every_s: Annotated[
        DurationS | None, Field(description="a caller begins its next call no sooner than this")
    ] = None
    rate_per_s: Annotated[
        FrequencyPerS | None,
        Field(description="calls begin at this rate, whether or not earlier ones have ended"),
    ] = None
    unsafe: Annotated[Fraction, Field(description="share of calls that must not run twice")] = 0.0
    session: Annotated[
        Fraction, Field(description="share of calls that change the session they run in")
    ] = 0.0
    timeout_s: Annotated[DurationS | None, Field(description="the caller's limit for a call")] = (
        10.0
    )
    size_bytes: Annotated[
        SizeBytes, Field(le=REPLY_LIMIT_BYTES, description="bytes of a reply")
    ] = 256
    request_bytes: Annotated[
        SizeBytes, Field(le=REPLY_LIMIT_BYTES, description="bytes of an unsafe call's body")
    ] = 0
    slow_s: Annotated[DurationS | None, Field(description="how long the origin thinks")] = None
    framing: Annotated[
        Literal["length", "chunked", "eof"], Field(description="how a reply's end is told")
    ] = "length"
    cancel: Annotated[CancelWords | None, Field(description="cancelled callers")] = None
    abandon: Annotated[AbandonWords | None, Field(description="callers who walk away")] = None
    close_after_s: Annotated[
        DurationS | None,
        Field(alias="close_after", description="the client is closed this long into the phase"),
    ] = None

    @property
    def least_s(self) -> float:
        """How long it takes at least."""
        if self.pause_s is not None:
            return self.pause_s
        calls = self.calls or 0
        if self.rate_per_s:
            return calls / self.rate_per_s
        return (self.every_s or 0.0) * max(0, math.ceil(calls / self.callers) - 1)


@dataclass(frozen=True, slots=True, kw_only=True)
class Perturb:
    """Small shifts of time, drawn from the seed, under which the same must hold."""

    __pydantic_config__: ClassVar[Any] = YAML_CONFIG

    think_s: Annotated[
        DurationS, Field(description="every call waits up to this long before it begins")
    ] = 0.0
    grid_s: Annotated[
        DurationS | None,
        Field(description="waits are multiples of this, so that callers act at one instant"),
    ] = None
    delay_s: Annotated[
        DurationS,
        Field(description="every packet is late by up to this; only the virtual fabric has it"),
    ] = 0.0


@dataclass(frozen=True, slots=True, kw_only=True)
class Sweep:
    """One condition of one fault, and the values it takes: one run for each.

    ``fault`` is the fault's index; values are seconds, or bytes for ``byte``.
    """

    fault: int
    word: str
    first: float | int
    step: float | int
    count: int

    @property
    def values(self) -> tuple[float | int, ...]:
        """Every value, in order, without the digits that binary floats add."""
        return tuple(round(self.first + n * self.step, 9) for n in range(self.count))


UNPERTURBED = Perturb()


@dataclass(frozen=True, slots=True, kw_only=True)
class Scenario:
    """A whole scenario: what stands where, who calls, what breaks, what is expected."""

    id: str
    name: str
    about: str = ""
    level: Level = "must"
    seed: int = 0
    origin: Origin = Origin()
    proxy: Proxy = Proxy()
    client: ClientSettings = ClientSettings()
    workload: tuple[PhaseWords, ...] = ()
    faults: tuple[FaultSpec, ...] = ()
    checks: tuple[Check, ...] = ()
    perturb: Perturb = UNPERTURBED
    recovery: bool = True
    fabric: FabricWord | None = None
    topology: Topology | None = None
    sweep: Sweep | None = None
    value: str = ""
    notes: tuple[str, ...] = field(default=(), compare=False)
    source: str = field(default="", compare=False)
    file: str = field(default="", compare=False)

    @property
    def needs_packets(self) -> bool:
        """Whether one of its faults strikes packets."""
        return any(isinstance(spec.fault, PacketFault) for spec in self.faults)

    @property
    def needs(self) -> tuple[Need, ...]:
        """What not every fabric has of what it needs."""
        faults = [(spec.fault, ("faults", n)) for n, spec in enumerate(self.faults)]
        return tuple(
            needs_of(
                faults,
                server=self.origin.outside,
                delay=bool(self.perturb.delay_s),
                hosts=self.topology is not None,
            )
        )

    @property
    def fabrics(self) -> tuple[FabricWord, ...]:
        """The fabrics that can play it, the first being where it belongs."""
        needs = self.needs
        return tuple(f for f in FABRICS if all(f in need.fabrics for need in needs))

    @property
    def home(self) -> FabricWord:
        """The fabric on which it runs when nobody says otherwise."""
        return self.fabric if self.fabric is not None else next(iter(self.fabrics), FABRICS[0])

    @property
    def least_s(self) -> float:
        """How long it takes at least in real time: pauses, and calls that wait for their turn."""
        return sum(phase.least_s for phase in self.workload)

    @property
    def base_id(self) -> str:
        """Its id without the value of a sweep, which ``value`` holds: ``idle=1.9805s``."""
        return self.id.removesuffix(f"[{self.value}]")

    @property
    def family(self) -> str:
        """The first part of its id."""
        return self.id.partition("/")[0]
