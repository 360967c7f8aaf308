"""The connection owns both of its links and both of its ends, and couples them.

A relay made of two independent pumps loses the difference between FIN, RST and half-close, and
crashes when one side resets while the other still reads. Here one object knows all of it: what
arrives at one end enters the link towards the other as ``Data``, ``Fin`` or ``Reset``, passes
the faults in the scenario's order, and the shell performs what is due at the far end.

It is pure: instants are arguments, and what it decides is read by the shell from ``take_due``,
``next_deadline`` and ``take_fired``.
"""

from __future__ import annotations

import math
from collections.abc import Iterator
from typing import NamedTuple

from harness.connection.armed import Armed, Work, WorkSlot
from harness.connection.ends import EndEvent, EndState, after
from harness.link import Link
from harness.timeline import Data, Direction, Fin, Item, Place, Reset, Side
from harness.trigger import Gate, Life, Scene

UP, DOWN = Direction.UPSTREAM, Direction.DOWNSTREAM


class Fired(NamedTuple):
    """A fault struck here, and works until then."""

    armed: Armed
    where: str
    until: float = math.inf


class Connection:
    """The pure half of a proxied connection; ``now`` is the shell's clock in seconds."""

    def __init__(self, life: Life, scene: Scene) -> None:
        self.life = life
        self.scene = scene
        self.links = {UP: Link(), DOWN: Link()}
        self.ends = {Side.CLIENT: EndState.OPEN, Side.BACKEND: EndState.OPEN}
        self.works: list[Work] = []
        self.passed_bytes = {UP: 0, DOWN: 0}
        self.ended_by = ""
        self.ended_how = ""
        self._message_bytes = {UP: 0, DOWN: 0}
        self._fired: list[Fired] = []
        life.last_byte = life.opened

    # --- what arrives -----------------------------------------------------------------------

    def count(self, direction: Direction, count_bytes: int, now: float) -> Place:
        """Note bytes that arrived, and learn where they stand in the conversation."""
        life = self.life
        if direction is UP and not life.awaiting_reply:
            life.exchange += 1
            life.pause_before = now - life.last_byte
            life.awaiting_reply = True
            self._message_bytes[UP] = self._message_bytes[DOWN] = 0
        elif direction is DOWN:
            life.awaiting_reply = False
        life.last_byte = now
        place = Place(life.exchange, self._message_bytes[direction], self.passed_bytes[direction])
        self._message_bytes[direction] += count_bytes
        self.passed_bytes[direction] += count_bytes
        return place

    def receive(self, direction: Direction, payload: bytes, now: float) -> None:
        """Bytes arrived from the end where this direction begins."""
        self.tick(now)  # a deadline that passed while nothing arrived comes first
        place = self.count(direction, len(payload), now)
        self.links[direction].feed(Data(now, payload, place), now)

    def receive_fin(self, side: Side, now: float, *, notify: bool = True) -> None:
        """This end sent FIN: the other end gets one, in order, and without TLS's farewell too."""
        if self.ends[side].is_over:
            return
        self._end(side, EndEvent.PEER_FIN)
        self.blame(side.value, "fin")
        self.links[side.inbound.opposite].feed(Fin(now, notify=notify), now)
        if side is Side.CLIENT:
            self.event("half_closed", now)

    def receive_reset(self, side: Side, now: float) -> None:
        """This end sent RST, or its socket failed: the other end gets RST."""
        if self.ends[side].is_over:
            return
        self._end(side, EndEvent.PEER_RESET)
        self.blame(side.value, "reset")
        self.links[side.inbound].cut(Reset(now))  # nobody is left to receive what was held
        self.links[side.inbound.opposite].feed(Reset(now), now)

    def event(self, name: str, now: float) -> None:
        """Something of the names in ``trigger.EVENTS`` happened."""
        for work in tuple(self.works):
            waiting = not (work.active or work.struck) and work.armed.may_fire()
            if waiting and work.gate.occurs(name, now):
                work.begin(now, f"at {name}", self.life.exchange)

    # --- faults -----------------------------------------------------------------------------

    def attach(self, armed: Armed, now: float) -> None:
        """Put a fault to work on this connection, from now on."""
        draws = armed.draws.scoped(self.life.ordinal)
        gate = Gate(armed.trigger, self.scene, self.life, draws, armed.watches)
        work = Work(armed, gate, draws, self._strike, self._note, self._stage_ends, self._release)
        for direction in dict.fromkeys((*armed.directions, armed.watches)):
            work.slots[direction] = WorkSlot(work, direction)
            self.links[direction].slots.append(work.slots[direction])
        self.works.append(work)
        self.tick(now)

    def heal(self, armed: Armed, now: float) -> None:
        """Take a fault away; what it held is let go, what it ended stays ended."""
        for work in [w for w in self.works if w.armed is armed]:
            self._rest(work, now)
            for direction, slot in work.slots.items():
                self.links[direction].slots.remove(slot)
            self.works.remove(work)

    def tick(self, now: float) -> None:
        """Let everything act whose instant has come."""
        for work in tuple(self.works):
            if work.is_over(now):
                self._rest(work, now)
            moment = work.moment(now)
            if moment is not None and moment <= now:
                work.gate.spend()
                work.begin(now, self._whereabouts(now), self.life.exchange)
        for link in self.links.values():
            link.expire(now)

    def next_deadline(self, now: float) -> float | None:
        """When ``tick`` has something to do, or None."""
        instants = [w.moment(now) for w in self.works]
        instants += [w.until for w in self.works if w.active]
        instants += [link.next_deadline() for link in self.links.values()]
        return min((instant for instant in instants if instant is not None), default=None)

    # --- what leaves ------------------------------------------------------------------------

    def take_due(self, direction: Direction, now: float) -> Iterator[Item]:
        """The items to perform now at the end where this direction leads."""
        return self.links[direction].take_due(now)

    def performed(self, side: Side, ending: Fin | Reset, now: float) -> None:
        """The shell has ended this end so; if that closed it whole, the other end closes too."""
        if isinstance(ending, Reset):
            self._end(side, EndEvent.SEND_RESET)
        elif ending.full:
            self._end(side, EndEvent.CLOSE)
        elif self.ends[side].can_send:
            self._end(side, EndEvent.SEND_FIN)
        if self.ends[side].is_over:
            self.links[side.inbound.opposite].feed(Fin(now, full=True), now)

    def take_fired(self) -> list[Fired]:
        """The faults that struck since the last call."""
        fired, self._fired = self._fired, []
        return fired

    @property
    def is_over(self) -> bool:
        """Whether both ends are gone."""
        return all(state.is_over for state in self.ends.values())

    @property
    def is_plain(self) -> bool:
        """Whether no fault is at work or waiting, so that bytes may take the fast path."""
        return not self.works and all(link.is_empty for link in self.links.values())

    def close(self, by: str, how: Fin | Reset, now: float) -> None:
        """End both sides from here: ``how`` to the client, an orderly end or RST to the backend."""
        self.blame(by, "reset" if isinstance(how, Reset) else "fin")
        for link in self.links.values():
            if isinstance(how, Reset):
                link.cut(how)
            else:
                link.feed(how, now)

    def blame(self, by: str, how: str) -> None:
        """Note who ended it and how; the first counts."""
        if not self.ended_by:
            self.ended_by, self.ended_how = by, how

    # --- inside -----------------------------------------------------------------------------

    def _strike(self, work: Work, here: Direction | None, now: float) -> None:
        """End the connection as the fault says; ``here`` is ended by the slot itself, in order."""
        assert work.armed.ending is not None
        self.blame(f"fault:{work.armed.name}", work.armed.ending.value)
        for direction, link in self.links.items():
            ending = work.armed.ending_for(direction.sink, now)
            if direction is here or ending is None:
                continue
            if isinstance(ending, Reset):
                link.cut(ending)
            else:
                link.feed(ending, now)  # a FIN stands behind every byte, held or not

    def _rest(self, work: Work, now: float) -> None:
        work.active = False
        for slot in work.slots.values():
            self._release(slot, now)

    def _release(self, slot: WorkSlot, now: float) -> None:
        self.links[slot.direction].inject(slot, slot.rest(now), now)

    def _note(self, work: Work, where: str) -> None:
        self._fired.append(Fired(work.armed, where, work.until))

    def _stage_ends(self, work: Work, here: Direction, ending: Fin | Reset) -> None:
        """A stage closed its direction's end whole: nothing from there counts any more."""
        self.blame(f"fault:{work.armed.name}", "reset" if isinstance(ending, Reset) else "fin")
        if isinstance(ending, Reset) or ending.full:
            self.links[here.opposite].feed(Fin(ending.due, full=True), ending.due)

    def _whereabouts(self, now: float) -> str:
        idle = now - self.life.last_byte
        state = "awaiting a reply" if self.life.awaiting_reply else f"idle {idle * 1000:.0f} ms"
        return f"age {(now - self.life.opened) * 1000:.0f} ms, {state}"

    def _end(self, side: Side, event: EndEvent) -> None:
        self.ends[side] = after(self.ends[side], event)
