"""The protocol's own farewell, then the end."""

from __future__ import annotations

from collections.abc import Iterator
from dataclasses import dataclass, field
from typing import Annotated, Any, ClassVar

from pydantic import Field

from harness.connection import StageContext
from harness.faults._base import DirectionWord
from harness.faults._postgres import PostgresGoodbyeStage
from harness.faults._replies import Replies
from harness.timeline import Data, Fin, Item, Place
from harness.trigger import Life
from harness.units import YAML_CONFIG, DurationS


@dataclass(frozen=True, slots=True, kw_only=True)
class Goodbye:
    """Says farewell in the protocol's own words, then closes as it said.

    To HTTP without ``timeout`` a reply gets ``Connection: close`` and FIN follows its last byte
    (RFC 9112 section 9.6). With it, replies get ``Keep-Alive: timeout=N`` and the connection is
    closed once it was idle that long (RFC 2068 section 19.7.1.1; N is in whole seconds).

    To PostgreSQL it is the error 57P01 of a server that is shut down, then FIN: at once if the
    connection is idle or its query unanswered, else behind the reply that is under way. What
    follows the login's first exchange is such a reply, too.
    """

    NAME: ClassVar[str] = "goodbye"
    ALIASES: ClassVar[tuple[str, ...]] = ()
    EXAMPLES: ClassVar[tuple[str, ...]] = (
        "{fault: goodbye, when: {response: every 5}}",
        "{fault: goodbye, timeout: 1s}",
        "{fault: goodbye, when: {idle: 1s}}",
    )
    DIRECTION: ClassVar[DirectionWord] = "downstream"
    ALTERS: ClassVar[bool] = True
    PROTOCOL: ClassVar[str] = "http"
    ALSO_SPEAKS: ClassVar[tuple[str, ...]] = ("postgres",)
    __pydantic_config__: ClassVar[Any] = YAML_CONFIG

    timeout_s: Annotated[
        DurationS | None, Field(description="announced, and kept: closed when idle this long")
    ] = None

    def __post_init__(self) -> None:
        if self.timeout_s is not None and (self.timeout_s < 1 or self.timeout_s % 1):
            raise ValueError("HTTP counts this timeout in whole seconds; write 1s or 5s")

    def stage(
        self,
        context: StageContext,
        shared: object,  # noqa: ARG002 - the contract's argument
    ) -> GoodbyeStage | PostgresGoodbyeStage:
        """Rewrites heads of HTTP's replies, or adds PostgreSQL's last message."""
        if context.life.protocol == "postgres":
            return PostgresGoodbyeStage(context.life, context.now)
        return GoodbyeStage(self.timeout_s, context.life)


@dataclass(slots=True)
class GoodbyeStage:
    """Speaks in the head of each reply; closes at a reply's end, or when idle."""

    timeout_s: float | None
    life: Life
    _replies: Replies = field(init=False)
    _place: Place = field(default_factory=Place)
    _replied: bool = False

    def __post_init__(self) -> None:
        if self.timeout_s is None:
            self._replies = Replies(b"Connection", b"close")
        else:
            self._replies = Replies(b"Keep-Alive", b"timeout=%d" % self.timeout_s)

    def feed(self, item: Item) -> Iterator[Item]:
        """The item, its reply's head rewritten; after a last reply, the end."""
        if not isinstance(item, Data):
            yield from self.heal(item.due)
            yield item
            return
        if item.place.exchange != self._place.exchange:
            yield from self.heal(item.due)  # the reply before had no body, as HEAD's has none
        rest, place = item.payload, item.place
        while rest:
            if not self.held_bytes:
                self._place = place
            passing, rest, self._replied = self._replies.take(rest)
            if passing:
                yield Data(item.due, passing, self._place)
            if self._replied and self.timeout_s is None:
                yield Fin(item.due, full=True)
                return
            place = item.place.after(len(item.payload) - len(rest))

    def deadline(self) -> float | None:
        """When the announced time is over."""
        idle_since = self.life.idle_since()
        if self.timeout_s is None or not self._replied or idle_since is None:
            return None
        return idle_since + self.timeout_s

    def expire(self, now: float) -> tuple[Item, ...]:
        """The end that was announced."""
        self._replied = False
        return (Fin(now, full=True),)

    def heal(self, now: float) -> tuple[Item, ...]:
        """The part of a head that was held."""
        head = self._replies.restart()
        return (Data(now, head, self._place),) if head else ()

    @property
    def held_bytes(self) -> int:
        """The part of a head that is held."""
        return self._replies.held_bytes
