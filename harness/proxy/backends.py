"""Where new connections go. Pure: the shell applies what is decided here to live connections."""

from __future__ import annotations

from dataclasses import dataclass, field

from harness.faults import BackendChange


@dataclass(frozen=True, slots=True)
class Address:
    """Where a backend listens."""

    host: str
    port: int


@dataclass(slots=True)
class Backends:
    """The backends by name, which one is in use, which are dead or retired."""

    addresses: dict[str, Address]
    round_robin: bool = False
    current: str = ""
    dead: set[str] = field(default_factory=set)
    retired: set[str] = field(default_factory=set)
    _turn: int = 0

    def __post_init__(self) -> None:
        self.current = self.current or next(iter(self.addresses))

    def choose(self) -> str:
        """The backend for the next connection."""
        if not self.round_robin:
            return self.current
        fit = [n for n in self.addresses if n not in self.dead and n not in self.retired]
        if not fit:
            return self.current
        self._turn += 1
        return fit[(self._turn - 1) % len(fit)]

    def in_service(self, name: str) -> bool:
        """Whether a connection may still go there."""
        return name not in self.dead and (name not in self.retired or name == self.current)

    def apply(self, change: BackendChange) -> tuple[str, str]:
        """Carry out a change; the backend taken out and the one now in use."""
        retired = change.retire or self.current
        if change.dead:
            self.dead.add(retired)
        else:
            self.retired.add(retired)
        if change.to is not None:
            self.current = change.to
        elif retired == self.current:
            self.current = self._successor(retired)
        self.retired.discard(self.current)
        return retired, self.current

    def revive(self, name: str) -> None:
        """A dead backend lives again; it is in use again if those that are left are dead."""
        self.dead.discard(name)
        if self.current in self.dead:
            self.current = name

    def _successor(self, name: str) -> str:
        """The next of the list that lives, if possible one that wasn't taken out before."""
        names = list(self.addresses)
        start = names.index(name)
        alive = [n for n in names[start + 1 :] + names[:start] if n not in self.dead]
        fresh = [n for n in alive if n not in self.retired]
        return next(iter(fresh or alive), name)
