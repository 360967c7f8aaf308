"""Random socket programs: what a program might do, more likely the more it makes sense."""

from __future__ import annotations

from random import Random

from arms_sockets import Step

STEPS = 24
SIZES = (0, 1, 2, 7, 100, 1_448, 2_000)
"""Little enough that no buffer fills: their sizes are each arm's own."""
DIALERS, CHILDREN, PORTS = "abc", "xyz", "lm"
BEGINNINGS: tuple[tuple[Step, ...], ...] = (
    (),
    (("connect", "a", "l"),),
    (("connect", "a", "l"), ("accept", "l", "x")),
    (("connect", "a", "l"), ("accept", "l", "x")),
    (("connect", "a", "l"), ("accept", "l", "x"), ("send", "a", 7), ("send", "x", 100)),
    (("connect", "a", "l"), ("connect", "b", "l"), ("accept", "l", "x")),
)


class Writer:
    """Writes one program; it remembers which names mean something by now."""

    def __init__(self, rng: Random) -> None:
        self._rng = rng
        self.steps: list[Step] = []
        self._names: list[str] = []
        for name in ("l", "a", "b"):
            self._add(("socket", name))
        self._add(("bind", "l"))
        self._add(("listen", "l"))

    def write(self) -> list[Step]:
        rng = self._rng
        for step in rng.choice(BEGINNINGS):
            self._add(step)
        for _ in range(rng.randrange(2, STEPS)):
            self._add(rng.choices(MAKERS, WEIGHTS)[0](self))
        return self.steps

    def _add(self, step: Step) -> None:
        self.steps.append(step)
        made = {"socket": step[1], "accept": step[-1]}.get(step[0])
        if made is not None and made not in self._names:
            self._names.append(made)

    def _end(self) -> str:
        known = [name for name in self._names if name not in PORTS]
        return self._rng.choice(known if self._rng.random() < 0.95 else self._names)

    def _any(self) -> str:
        return self._rng.choice(self._names)

    def send(self) -> Step:
        return ("send", self._end(), self._rng.choice(SIZES))

    def receive(self) -> Step:
        verb = self._rng.choice(("recv", "recv", "peek", "recv_into"))
        return (verb, self._end(), self._rng.choice(SIZES))

    def shut_down(self) -> Step:
        return ("shutdown", self._end(), self._rng.choice((0, 1, 1, 1, 2)))

    def end(self) -> Step:
        return (self._rng.choice(("close", "close", "abort")), self._end())

    def ask(self) -> Step:
        verb = self._rng.choice(("error", "error", "error", "peername", "listening", "sockname"))
        return (verb, self._end() if verb == "error" else self._any())

    def connect(self) -> Step:
        name = self._rng.choice(DIALERS)
        if name not in self._names:
            return ("socket", name)
        if self._rng.random() < 0.3:
            return ("accept", "l", self._rng.choice(CHILDREN))
        return ("connect", name, self._rng.choice("lllm" + DIALERS))

    def replace(self) -> Step:
        return ("socket", self._rng.choice(DIALERS + PORTS))

    def open(self) -> Step:
        name = self._any()
        known = self._rng.choice(PORTS + DIALERS)
        choices: tuple[Step, ...] = (
            ("bind", name),
            ("bind", name, known),
            ("bind", name, known),
            ("option", name, "reuse_address", self._rng.randrange(2)),
            ("listen", name),
            ("accept", name, self._rng.choice(CHILDREN)),
            ("shutdown", name, self._rng.choice((0, 1, 2))),
            ("close", self._rng.choice(PORTS) if "m" in self._names else name),
        )
        return self._rng.choice(choices)


MAKERS = (
    Writer.send,
    Writer.receive,
    Writer.shut_down,
    Writer.end,
    Writer.ask,
    Writer.connect,
    Writer.replace,
    Writer.open,
)
WEIGHTS = (24, 22, 12, 7, 9, 11, 4, 11)


def random_program(rng: Random) -> list[Step]:
    """A program, the same one for the same seed."""
    return Writer(rng).write()
