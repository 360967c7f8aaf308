"""When a fault fires: conditions, and the gate that watches one connection for them.

All conditions of a trigger must hold together. They are of three sorts:

* **scopes** say where to look: ``during``, ``connection``, ``backend``, ``probability``, ``times``;
* **times** are thresholds: ``at`` (since the workload began), ``age`` (since the connection
  opened), ``idle`` (since the last byte, while no reply is awaited);
* **points** stand in the byte stream: ``request``, ``response``, ``byte``, ``match``, ``event``.

Without a point, a fault fires at the first instant when all scopes and times hold. With one, it
fires when that point passes while the rest holds; ``idle`` then means the pause before that
exchange began. A point is byte-exact: the bytes before it pass, a write is split there.

``for`` is no condition. It counts from the instant at which the fault begins: from ``at`` or the
beginning of the phase where one of them is given, else from the instant it fires.
"""

from __future__ import annotations

import math
import re
import warnings
from collections.abc import Iterator
from dataclasses import dataclass, field
from typing import Annotated, Any, ClassVar, Literal, NamedTuple, TypeAlias, get_args

from pydantic import BeforeValidator, Field, WithJsonSchema

from harness.pattern import PatternFinder, surroundings
from harness.timeline import Data, Direction, Draws
from harness.units import YAML_CONFIG, DurationS, Fraction, yaml_name

EventWord: TypeAlias = Literal["connected", "dialed", "tls_established", "half_closed"]
EVENTS: tuple[str, ...] = get_args(EventWord)
"""The instants of a connection's life that ``event:`` can name."""


class Ordinals(NamedTuple):
    """Which of a counted sequence: ``3``, ``first 2`` or ``every 10``."""

    how: Literal["exactly", "first", "every"]
    number: int

    def __contains__(self, ordinal: object) -> bool:
        if not isinstance(ordinal, int) or ordinal < 1:  # a greeting belongs to no exchange: 0
            return False
        match self.how:
            case "exactly":
                return ordinal == self.number
            case "first":
                return ordinal <= self.number
            case "every":
                return ordinal % self.number == 0

    def __str__(self) -> str:
        return str(self.number) if self.how == "exactly" else f"{self.how} {self.number}"


def parse_ordinals(value: Any) -> Ordinals:
    """Ordinals from ``3``, ``first 2`` or ``every 10``; raises ValueError with what is right."""
    if isinstance(value, Ordinals):
        return value
    match = re.fullmatch(r"(?:(first|every)\s+)?([1-9]\d*)", str(value).strip())
    if match is None or isinstance(value, bool):
        raise ValueError(f"{value!r} doesn't count anything; write 3, first 2 or every 10")
    how: Literal["exactly", "first", "every"] = "exactly"
    if match[1] == "first":
        how = "first"
    elif match[1] == "every":
        how = "every"
    return Ordinals(how, int(match[2]))


def parse_pattern(value: Any) -> str:
    """A regular expression over bytes, as text; raises ValueError if it doesn't compile."""
    if not isinstance(value, str) or not value:
        raise ValueError("a pattern is a text that is not empty; write HTTP/1")
    try:
        with warnings.catch_warnings():
            warnings.simplefilter("error")  # '[[a]' only warns today, and changes its meaning later
            compiled = re.compile(value.encode())
    except (re.error, Warning) as error:
        raise ValueError(f"{value!r} is no regular expression: {error}; write HTTP/1") from None
    except (OverflowError, RecursionError):
        raise ValueError("the pattern is too large to work with; write HTTP/1") from None
    if compiled.match(b""):
        raise ValueError(f"{value!r} matches nothing at all, so everywhere; let it match a byte")
    if word := surroundings(value):
        raise ValueError(f"a stream has no lines and no end yet; leave {word} out of {value!r}")
    return value


OrdinalsField = Annotated[
    Ordinals,
    BeforeValidator(parse_ordinals),
    WithJsonSchema(
        {
            "anyOf": [
                {"type": "integer", "minimum": 1},
                {"type": "string", "pattern": r"^((first|every)\s+)?[1-9]\d*$"},
            ],
            "examples": ["every 10"],
        }
    ),
]
PatternField = Annotated[str, BeforeValidator(parse_pattern), WithJsonSchema({"type": "string"})]


@dataclass(frozen=True, slots=True, kw_only=True)
class Trigger:
    """When a fault fires. Every field is a condition; all that are given must hold."""

    __pydantic_config__: ClassVar[Any] = YAML_CONFIG

    at_s: Annotated[DurationS | None, Field(description="since the workload began")] = None
    during: Annotated[str | None, Field(description="only in the phase of this name")] = None
    idle_s: Annotated[
        DurationS | None, Field(description="no byte for this long, and no reply awaited")
    ] = None
    age_s: Annotated[DurationS | None, Field(description="since the connection opened")] = None
    for_s: Annotated[DurationS | None, Field(description="heals by itself after this long")] = None
    connection: Annotated[
        OrdinalsField | None, Field(description="by the order in which connections were accepted")
    ] = None
    request: Annotated[
        OrdinalsField | None, Field(description="in the N-th request of a connection")
    ] = None
    response: Annotated[
        OrdinalsField | None, Field(description="in the N-th response of a connection")
    ] = None
    byte: Annotated[
        int | None,
        Field(ge=0, description="after this many bytes of the message, else of the direction"),
    ] = None
    match: Annotated[
        PatternField | None, Field(description="after bytes that match this pattern")
    ] = None
    event: Annotated[
        EventWord | None,
        Field(description="at this instant of a connection's life"),
    ] = None
    probability: Annotated[
        Fraction | None, Field(description="on this share of the occasions, chosen by the seed")
    ] = None
    times: Annotated[int | None, Field(ge=1, description="at most this often in a run")] = None
    once: Annotated[bool, Field(description="the same as times: 1")] = False
    backend: Annotated[str | None, Field(description="only connections to this backend")] = None

    @property
    def limit(self) -> float:
        """How often it may fire in a run."""
        return 1 if self.once else math.inf if self.times is None else self.times

    @property
    def has_point(self) -> bool:
        """Whether it waits for a point in the byte stream or in the connection's life."""
        return self.event is not None or self.has_byte_point

    @property
    def has_byte_point(self) -> bool:
        """Whether it waits for a point in the byte stream."""
        points = (self.request, self.response, self.byte, self.match)
        return any(point is not None for point in points)

    @property
    def only_window(self) -> bool:
        """Whether its instants are those of the run alone, the same for all connections."""
        return self.idle_s is None and self.age_s is None and not self.has_point

    def given(self) -> frozenset[str]:
        """The names, as users write them, of the conditions that are given."""
        values = ((name, getattr(self, name)) for name in self.__slots__)
        names = (name for name, value in values if value is not None and value is not False)
        return frozenset(yaml_name(name) for name in names)

    def contradictions(self) -> Iterator[tuple[str, str]]:
        """Pairs of (key, why) for conditions that make no sense together."""
        if self.once and self.times is not None:
            yield "once", "once and times say the same thing twice; keep one"
        if self.request is not None and self.response is not None:
            yield "response", "a point is in a request or in a response, never in both"
        if self.match is not None and self.byte is not None:
            yield "byte", "match and byte both choose the byte; keep one"
        if self.event is not None and self.has_byte_point:
            yield "event", "an event has no bytes; drop event, or drop request, response and byte"
        if self.event is not None and self.idle_s is not None:
            yield "event", "an event begins or ends activity, so nothing was idle; drop one"


@dataclass(slots=True)
class Scene:
    """What gates need to know of the run: when the workload began and which phase it is in."""

    zero: float | None = None
    phase: str | None = None
    phase_ordinal: int = 0
    phase_began: float = 0.0

    def enter(self, phase: str | None, now: float) -> None:
        """Note that a phase begins; the first one starts the run's clock."""
        if self.zero is None:
            self.zero = now
        self.phase = phase
        self.phase_ordinal += 1
        self.phase_began = now


def window_opens(trigger: Trigger, scene: Scene) -> float | None:
    """Since when the run's own conditions (``at``, ``during``) hold, or from when they will.

    Minus infinity if there are none, None as long as nobody can know.
    """
    if trigger.at_s is None and trigger.during is None:
        return -math.inf
    if scene.zero is None or (trigger.during is not None and scene.phase != trigger.during):
        return None
    opens = -math.inf if trigger.at_s is None else scene.zero + trigger.at_s
    return opens if trigger.during is None else max(opens, scene.phase_began)


def window_closes(trigger: Trigger, scene: Scene) -> float:
    """When the window that is open, or will be, closes by ``for``; infinity if it doesn't."""
    opens = window_opens(trigger, scene)
    if opens is None or opens == -math.inf or trigger.for_s is None:
        return math.inf
    return opens + trigger.for_s


def window_ready(trigger: Trigger, scene: Scene, now: float) -> float | None:
    """When the run's own conditions hold: an instant in the past, now or later, or never."""
    opens = window_opens(trigger, scene)
    if opens is None or (trigger.only_window and now >= window_closes(trigger, scene)):
        return None
    return now if opens == -math.inf else opens


@dataclass(slots=True)
class Life:
    """What is known of a connection's life so far; the gate reads it, the connection writes it."""

    ordinal: int
    opened: float
    backend: str = ""
    exchange: int = 0
    last_byte: float = 0.0
    awaiting_reply: bool = False
    pause_before: float = 0.0  # idle time before the present exchange began
    protocol: str = "http"

    def idle_since(self) -> float | None:
        """Since when the connection is idle, or None while a reply is awaited."""
        return None if self.awaiting_reply else self.last_byte


@dataclass(slots=True)
class Gate:
    """Watches one connection for one trigger, and says where and when it fires.

    Decisions of chance are keyed by connection and exchange, so each occasion has one answer
    however often it is asked.
    """

    trigger: Trigger
    scene: Scene
    life: Life
    draws: Draws
    watches: Direction
    _last_occasion: object = None
    _finder: PatternFinder | None = field(default=None)

    def __post_init__(self) -> None:
        if self.trigger.match is not None:
            self._finder = PatternFinder(self.trigger.match)

    def in_scope(self) -> bool:
        """Whether this connection is one of those the trigger speaks of."""
        trigger = self.trigger
        if trigger.connection is not None and self.life.ordinal not in trigger.connection:
            return False
        return trigger.backend is None or trigger.backend == self.life.backend

    def moment(self, now: float) -> float | None:
        """The instant at which a trigger without a point fires: past, present, future or never."""
        if self.trigger.has_point or not self.in_scope():
            return None
        ready = window_ready(self.trigger, self.scene, now)
        if ready is None or self._occasion() == self._last_occasion:
            return None
        if self.trigger.age_s is not None:
            ready = max(ready, self.life.opened + self.trigger.age_s)
        if self.trigger.idle_s is not None:
            idle_since = self.life.idle_since()
            if idle_since is None:
                return None
            ready = max(ready, idle_since + self.trigger.idle_s)
        # Not keyed by the occasion itself: chance must not depend on the clock.
        return (
            ready if self._lucky("moment", self.scene.phase_ordinal, self.life.exchange) else None
        )

    def spend(self) -> None:
        """Note that the present occasion is used; the same one doesn't fire twice."""
        self._last_occasion = self._occasion()

    def _occasion(self) -> object:
        idle = self.life.last_byte if self.trigger.idle_s is not None else None
        during = self.scene.phase_ordinal if self.trigger.during is not None else None
        return (idle, during, True)

    def point(self, item: Data, now: float) -> int | None:
        """How many bytes of ``item`` pass before the trigger fires, or None if it doesn't."""
        if not self.trigger.has_byte_point or not self.in_scope():
            return None
        for offset in self._offsets(item):
            key = (item.place.exchange, self._nth_point(item, offset))
            if key != self._last_occasion and self._holds(now) and self._lucky("point", *key):
                self._last_occasion = key
                return offset
        return None

    def occurs(self, event: str, now: float) -> bool:
        """Whether it fires at this event of the connection's life."""
        if self.trigger.event != event or not self.in_scope() or not self._holds(now):
            return False
        return self._lucky("event", event)

    def _nth_point(self, item: Data, offset: int) -> int:
        """One point a message, or one for each place that a pattern matches."""
        return 0 if self._finder is None else item.place.stream_byte + offset

    def _holds(self, now: float) -> bool:
        ready = window_ready(self.trigger, self.scene, now)
        if ready is None or now < ready:
            return False
        if self.trigger.age_s is not None and now < self.life.opened + self.trigger.age_s:
            return False
        return self.trigger.idle_s is None or self.life.pause_before >= self.trigger.idle_s

    def _offsets(self, item: Data) -> Iterator[int]:
        """Where in ``item`` points stand, one after the other."""
        trigger, place = self.trigger, item.place
        counted = trigger.request if self.watches is Direction.UPSTREAM else trigger.response
        if counted is not None and place.exchange not in counted:
            return
        in_message = trigger.request is not None or trigger.response is not None
        begin = place.message_byte if in_message else place.stream_byte
        if self._finder is not None:
            passed = 0
            while (found := self._finder.find(begin + passed, item.payload[passed:])) is not None:
                passed += found
                yield passed
            return
        wanted = trigger.byte or 0
        if begin < wanted <= begin + len(item.payload) or wanted == begin == 0:
            yield wanted - begin

    def _lucky(self, *key: object) -> bool:
        probability = self.trigger.probability
        return probability is None or self.draws.chance(probability, *key)
