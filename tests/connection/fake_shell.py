"""A shell without sockets: plays a connection on a clock that only moves when told."""

from __future__ import annotations

from typing import Any

from harness.connection import Connection
from harness.faults import FaultSpec, all_faults
from harness.timeline import Data, Direction, Fin, Item, Reset, Side
from harness.trigger import Life, Scene, Trigger, parse_ordinals

UP, DOWN = Direction.UPSTREAM, Direction.DOWNSTREAM
STEPS_LIMIT = 200_000


def when(**conditions: Any) -> Trigger:
    """A trigger in a few words: ordinals as users write them."""
    for name in ("connection", "request", "response"):
        if name in conditions:
            conditions[name] = parse_ordinals(conditions[name])
    return Trigger(**conditions)


def fault(name: str, trigger: Trigger = Trigger(), **fields: Any) -> FaultSpec:  # noqa: B008
    """A fault with its trigger; ``direction`` and ``side`` are the scenario's."""
    scopes = {key: fields.pop(key) for key in ("direction", "side") if key in fields}
    return FaultSpec(all_faults()[name](**fields), trigger, **scopes)


class Play:
    """One connection, its faults, and what came out at both ends."""

    def __init__(
        self,
        *specs: FaultSpec,
        seed: int = 0,
        ordinal: int = 1,
        at: float = 0.0,
        protocol: str = "http",
    ) -> None:
        self.now = at
        self.scene = Scene()
        self.connection = Connection(Life(ordinal, at, "blue", protocol=protocol), self.scene)
        self.armed = [spec.arm(index, seed) for index, spec in enumerate(specs)]
        self.out: dict[Direction, list[tuple[float, Item]]] = {UP: [], DOWN: []}
        self.fired: list[tuple[str, str]] = []
        for armed in self.armed:
            self.connection.attach(armed, at)
        self.settle()

    def phase(self, name: str) -> Play:
        self.scene.enter(name, self.now)
        return self.settle()

    def send(self, direction: Direction, payload: bytes) -> Play:
        self.connection.receive(direction, payload, self.now)
        return self.settle()

    def ask(self, payload: bytes = b"?") -> Play:
        return self.send(UP, payload)

    def reply(self, payload: bytes = b"!") -> Play:
        return self.send(DOWN, payload)

    def fin(self, side: Side, *, notify: bool = True) -> Play:
        self.connection.receive_fin(side, self.now, notify=notify)
        return self.settle()

    def reset(self, side: Side) -> Play:
        self.connection.receive_reset(side, self.now)
        return self.settle()

    def heal(self, index: int = 0) -> Play:
        self.armed[index].healed = True
        self.connection.heal(self.armed[index], self.now)
        return self.settle()

    def wait(self, seconds: float) -> Play:
        """Let time pass, performing everything when it is due."""
        until = self.now + seconds
        for _ in range(STEPS_LIMIT):
            instant = self._next()
            if instant is None or instant > until:
                self.now = until
                return self.settle()
            self.now = max(self.now, instant)
            self.settle()
        raise AssertionError("the connection never comes to rest")

    def settle(self) -> Play:
        """Perform everything that is due now."""
        for _ in range(STEPS_LIMIT):
            self.connection.tick(self.now)
            if not any(self._perform(direction) for direction in (UP, DOWN)):
                break
        self.fired += [(f.armed.name, f.where) for f in self.connection.take_fired()]
        return self

    def _perform(self, direction: Direction) -> bool:
        items = list(self.connection.take_due(direction, self.now))
        for item in items:
            if self.connection.ends[direction.sink].is_over:
                continue
            if not isinstance(item, Data):
                self.connection.performed(direction.sink, item, self.now)
            elif not self.connection.ends[direction.sink].can_send:
                continue
            self.out[direction].append((self.now, item))
        return bool(items)

    def _next(self) -> float | None:
        instants = [self.connection.next_deadline(self.now)]
        instants += [link.next_due() for link in self.connection.links.values()]
        return min((i for i in instants if i is not None), default=None)

    def passed(self, direction: Direction) -> bytes:
        return b"".join(i.payload for _, i in self.out[direction] if isinstance(i, Data))

    def ends(self, direction: Direction) -> list[str]:
        """How the end where this direction leads was ended, in order."""
        names = []
        for _, item in self.out[direction]:
            match item:
                case Reset():
                    names.append("reset")
                case Fin(full=True, notify=True):
                    names.append("close")
                case Fin(full=True):
                    names.append("truncation")
                case Fin(notify=True):
                    names.append("fin")
                case Fin():
                    names.append("ragged fin")
        return names

    def instants(self, direction: Direction) -> list[float]:
        """When each byte came out."""
        return [
            at for at, item in self.out[direction] if isinstance(item, Data) for _ in item.payload
        ]

    @property
    def held_bytes(self) -> int:
        return sum(link.held_bytes for link in self.connection.links.values())
