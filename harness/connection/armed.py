"""One fault and one connection: waiting for its trigger, at work, or done.

``Armed`` is a fault of the run, shared by all connections. ``Work`` is what it does on one of
them, and has a ``WorkSlot`` in the link of each direction. The slot of the watched direction
splits data where the trigger's point stands; what comes behind the point meets the fault.
"""

from __future__ import annotations

import math
from collections.abc import Callable, Iterable, Iterator
from dataclasses import dataclass, field
from enum import Enum
from typing import TypeAlias

from harness.timeline import (
    Data,
    Direction,
    Draws,
    Fin,
    HoldingStage,
    Item,
    Reset,
    Side,
    Stage,
    TimedStage,
)
from harness.trigger import Gate, Life, Trigger, window_opens


@dataclass(frozen=True, slots=True)
class StageContext:
    """What a stage may know: its keyed draws, the instant it begins, the connection's life."""

    draws: Draws
    now: float
    life: Life


StageMaker: TypeAlias = Callable[[StageContext], Stage]
"""Makes the fault's stage for one direction of one connection."""


class Ending(Enum):
    """How a struck end of a connection ends."""

    FIN = "fin"
    HALF = "half_close"
    TRUNCATION = "truncation"
    RESET = "reset"

    def item(self, now: float) -> Fin | Reset:
        """The item that ends it so."""
        match self:
            case Ending.FIN:
                return Fin(now, full=True)
            case Ending.HALF:
                return Fin(now)
            case Ending.TRUNCATION:
                return Fin(now, full=True, notify=False)
            case Ending.RESET:
                return Reset(now)


@dataclass(slots=True, eq=False)
class Armed:
    """A fault of this run: a stage maker (it shapes), an ending (it strikes), or neither.

    With neither it only tells that it fired here, and the bytes pass: its work is elsewhere, on
    the packets that carry them.
    """

    index: int
    name: str
    trigger: Trigger
    draws: Draws
    directions: tuple[Direction, ...]
    watches: Direction
    maker: StageMaker | None = None
    ending: Ending | None = None
    sides: frozenset[Side] = frozenset(Side)
    whole_connection: bool = False  # once begun it lasts, even if its trigger names a message
    fired: int = 0
    healed: bool = False

    def may_fire(self) -> bool:
        """Whether it is neither healed nor used up."""
        return not self.healed and self.fired < self.trigger.limit

    @property
    def message_scoped(self) -> bool:
        """Whether it works on one request or response at a time."""
        counted = self.trigger.request is not None or self.trigger.response is not None
        return counted and not self.whole_connection

    def ending_for(self, side: Side, now: float) -> Fin | Reset | None:
        """What a strike sends to this end: the struck sides its own, the others an orderly end."""
        assert self.ending is not None
        if self.ending is Ending.HALF:
            return self.ending.item(now) if side.inbound in self.directions else None
        return self.ending.item(now) if side in self.sides else Fin(now, full=True)


@dataclass(slots=True, eq=False)
class Work:
    """One armed fault on one connection."""

    armed: Armed
    gate: Gate
    draws: Draws
    strike: Callable[[Work, Direction | None, float], None]
    note: Callable[[Work, str], None]
    blame: Callable[[Work, Direction, Fin | Reset], None]
    release: Callable[[WorkSlot, float], None]
    slots: dict[Direction, WorkSlot] = field(default_factory=dict)
    active: bool = False
    noted: bool = False
    struck: bool = False
    exchange: int = 0
    until: float = math.inf

    def moment(self, now: float) -> float | None:
        """When it begins by itself, or None."""
        waiting = not (self.active or self.struck) and self.armed.may_fire()
        return self.gate.moment(now) if waiting else None

    def begin(self, now: float, where: str, exchange: int, here: Direction | None = None) -> None:
        """Fire: strike the connection, set the stages to work, or just tell."""
        self.armed.fired += 1
        trigger = self.armed.trigger
        if self.armed.ending is not None:
            self.struck = True
            self.note(self, where)
            self.strike(self, here, now)
            return
        self.active, self.noted, self.exchange = True, False, exchange
        if trigger.for_s is not None:
            self.until = self._begins(now) + trigger.for_s
        for slot in self.slots.values():
            if slot.stage is not None:
                self.release(slot, now)  # it still worked on the message before
            slot.set_to_work(now, exchange)
        if self.armed.whole_connection:
            self.note_once(where)

    def _begins(self, now: float) -> float:
        """A window of the run is one for all, however late a connection opens."""
        opens = window_opens(self.armed.trigger, self.gate.scene)
        if not self.armed.trigger.only_window or opens is None:
            return now
        return now if opens == -math.inf else opens

    def note_once(self, where: str) -> None:
        """Tell that it fired, once for each time it began."""
        if not self.noted:
            self.noted = True
            self.note(self, where)

    def is_over(self, now: float) -> bool:
        """Whether it has worked long enough: its time is up or its phase has passed."""
        trigger, scene = self.armed.trigger, self.gate.scene
        wrong_phase = trigger.during is not None and scene.phase != trigger.during
        return self.active and (now >= self.until or wrong_phase)


class WorkSlot:
    """The place of one fault in one direction's link."""

    __slots__ = ("_exchange", "_holding", "_timed", "direction", "stage", "work")

    def __init__(self, work: Work, direction: Direction) -> None:
        self.work = work
        self.direction = direction
        self._exchange = 0
        self._employ(None)

    def set_to_work(self, now: float, exchange: int) -> None:
        """Make the stage, if the fault works in this direction."""
        armed = self.work.armed
        self._exchange = exchange
        if self.direction in armed.directions and armed.maker is not None:
            draws = self.work.draws.scoped(self.direction.value)
            self._employ(armed.maker(StageContext(draws, now, self.work.gate.life)))

    def _employ(self, stage: Stage | None) -> None:
        """Note once what a stage can do: asking a protocol for every byte is slow before 3.12."""
        self.stage, self._timed, self._holding = stage, None, None
        if stage is not None:
            self._timed = stage if isinstance(stage, TimedStage) else None
            self._holding = stage if isinstance(stage, HoldingStage) else None

    def rest(self, now: float) -> Iterable[Item]:
        """Stop working; what was held is let go."""
        stage = self.stage
        self._employ(None)
        return () if stage is None else stage.heal(now)

    def feed(self, item: Item, now: float) -> Iterator[Item]:
        """What leaves; data is split at the point where the trigger fires."""
        if not isinstance(item, Data):
            yield from self._through(item)
            return
        work = self.work
        if work.armed.message_scoped and item.place.exchange != self._exchange:
            # Each direction comes to its own message's end; the trigger waits again at the first.
            work.active = False
            yield from self.rest(now)
        watching = self.direction is work.armed.watches and not (work.active or work.struck)
        if watching and work.armed.may_fire():
            yield from self._watch(item, now)
        else:
            yield from self._through(item)

    def _watch(self, item: Data, now: float) -> Iterator[Item]:
        rest, work = item, self.work
        while not work.active and work.armed.may_fire():
            offset = work.gate.point(rest, now)
            if offset is None:
                break
            head, rest = rest.split(offset)
            if head.payload:
                yield from self._through(head)
            place = rest.place
            where = f"exchange {place.exchange} byte {place.message_byte}"
            work.begin(now, f"{self.direction} {where}", place.exchange, self.direction)
            if work.struck:
                ending = work.armed.ending_for(self.direction.sink, now)
                if ending is not None:
                    yield ending
                    return
        if rest.payload:
            yield from self._through(rest)

    def _through(self, item: Item) -> Iterable[Item]:
        if self.stage is None:
            return (item,)
        if isinstance(item, Data):
            self.work.note_once(f"{self.direction} exchange {item.place.exchange}")
        out = list(self.stage.feed(item))
        if isinstance(item, Data):
            self._blame_ending(out)
        return out

    def _blame_ending(self, items: list[Item]) -> None:
        """An end that the stage itself made is the fault's doing, not the peer's."""
        ending = next((item for item in items if not isinstance(item, Data)), None)
        if ending is not None:
            self.work.blame(self.work, self.direction, ending)

    def deadline(self) -> float | None:
        """When the stage wants to act by itself."""
        return None if self._timed is None else self._timed.deadline()

    def expire(self, now: float) -> Iterable[Item]:
        """What the stage lets go by itself."""
        assert self._timed is not None
        out = list(self._timed.expire(now))
        if out:
            self.work.note_once(f"{self.direction} exchange {self.work.gate.life.exchange}")
        self._blame_ending(out)
        return out

    @property
    def held_bytes(self) -> int:
        """What the stage keeps back."""
        return 0 if self._holding is None else self._holding.held_bytes
