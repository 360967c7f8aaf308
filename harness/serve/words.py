"""Faults and conditions as Python words: ``Latency(delay="20ms")``, ``Idle(2) & Connection(1)``.

They are the words of scenarios, carried as they are to the process that knows them. So a test
imports none of the harness's libraries, and a fault of a third party has its word here, too.
Durations are texts as in scenarios (``"20ms"``) or bare numbers, which are seconds.
"""

from __future__ import annotations

import pkgutil
from functools import cache
from importlib.metadata import entry_points
from pathlib import Path
from typing import Any, Self, TypeAlias

from harness.errors import InputError, Problem
from harness.registry import did_you_mean

Duration: TypeAlias = "str | float"
"""``"250ms"``, or seconds."""
Which: TypeAlias = "str | int"
"""``3``, ``First(2)`` or ``Every(10)``."""


# --- when -----------------------------------------------------------------------------------


class When:
    """Conditions that must hold together; ``&`` joins them. Raises InputError if one stands twice.

    ``When(idle="2s", connection=1)`` says the same as ``Idle("2s") & Connection(1)``.
    """

    def __init__(self, **words: Any) -> None:
        self.words = {word.rstrip("_"): value for word, value in words.items()}

    def __and__(self, other: When) -> When:
        twice = sorted(self.words.keys() & other.words.keys())
        if twice:
            raise InputError(Problem(f"{twice[0]} is given twice", "keep one"))
        return When(**self.words, **other.words)

    def __eq__(self, other: object) -> bool:
        return isinstance(other, When) and self.words == other.words

    def __hash__(self) -> int:
        return hash(tuple(sorted(self.words)))

    def __repr__(self) -> str:
        return f"When({_listed(self.words)})"


class At(When):
    """So long after the fault was armed."""

    def __init__(self, duration: Duration) -> None:
        super().__init__(at=duration)


class During(When):
    """Only while the proxy is in the phase that ``proxy.phase(name)`` began."""

    def __init__(self, phase: str) -> None:
        super().__init__(during=phase)


class Idle(When):
    """No byte for this long, and no reply awaited."""

    def __init__(self, duration: Duration) -> None:
        super().__init__(idle=duration)


class Age(When):
    """So long after the connection was opened."""

    def __init__(self, duration: Duration) -> None:
        super().__init__(age=duration)


class For(When):
    """The fault heals by itself after so long."""

    def __init__(self, duration: Duration) -> None:
        super().__init__(for_=duration)


class Connection(When):
    """By the order of accepting: ``Connection(2)``, ``Connection(First(3))``."""

    def __init__(self, which: Which) -> None:
        super().__init__(connection=which)


class Request(When):
    """In the N-th request of a connection."""

    def __init__(self, which: Which) -> None:
        super().__init__(request=which)


class Response(When):
    """In the N-th response of a connection."""

    def __init__(self, which: Which) -> None:
        super().__init__(response=which)


class Byte(When):
    """After so many bytes of the request or response, else of the direction."""

    def __init__(self, count: int) -> None:
        super().__init__(byte=count)


class Match(When):
    """After bytes that match this regular expression."""

    def __init__(self, pattern: str) -> None:
        super().__init__(match=pattern)


class Event(When):
    """At an instant of a connection's life: ``connected``, ``dialed``, ``tls_established``."""

    def __init__(self, name: str) -> None:
        super().__init__(event=name)


class Probability(When):
    """On this share of the occasions, chosen by the seed: ``0.05`` or ``"5%"``."""

    def __init__(self, share: str | float) -> None:
        super().__init__(probability=share)


class Times(When):
    """At most this often."""

    def __init__(self, count: int) -> None:
        super().__init__(times=count)


class Once(When):
    """At most once."""

    def __init__(self) -> None:
        super().__init__(once=True)


class Backend(When):
    """Only connections to the backend of this name."""

    def __init__(self, name: str) -> None:
        super().__init__(backend=name)


class Every(str):
    """Each N-th of a sequence: ``Response(Every(10))``."""

    __slots__ = ()

    def __new__(cls, number: int) -> Self:  # noqa: D102 - the class says it
        return super().__new__(cls, f"every {number}")


class First(str):
    """The first N of a sequence: ``Connection(First(2))``."""

    __slots__ = ()

    def __new__(cls, number: int) -> Self:  # noqa: D102 - the class says it
        return super().__new__(cls, f"first {number}")


# --- what -----------------------------------------------------------------------------------


class FaultWords:
    """A fault and its words, which ``harness explain`` tells: ``Latency(delay="20ms")``."""

    FAULT = ""

    def __init__(self, **words: Any) -> None:
        self.words = words

    @property
    def entry(self) -> dict[str, Any]:
        """What a scenario would say."""
        return {"fault": self.FAULT} | self.words

    def __eq__(self, other: object) -> bool:
        return isinstance(other, FaultWords) and self.entry == other.entry

    def __hash__(self) -> int:
        return hash(self.FAULT)

    def __repr__(self) -> str:
        return f"{type(self).__name__}({_listed(self.words)})"


@cache
def fault_classes() -> dict[str, str]:
    """The word of each fault by the name of its class; known from file names, so nothing is run."""
    home = Path(__file__).parent.with_name("faults")
    own = [info.name for info in pkgutil.iter_modules([str(home)]) if info.name[0] != "_"]
    foreign = [entry.name for entry in entry_points(group="harness.faults")]
    return {_camel(word): word for word in sorted([*own, *foreign])}


@cache
def fault_named(name: str) -> type[FaultWords]:
    """The class of a fault by its word or its class's name: ``reset``, ``Reset``.

    Raises InputError with what was meant if there is none.
    """
    known = fault_classes()
    class_name = name if name in known else _camel(name)
    if class_name not in known:
        raise InputError(Problem(f"there is no fault {name!r}", did_you_mean(class_name, known)))
    word = known[class_name]
    doc = f"The fault {word}; ``harness explain {word}`` says what it does and takes."
    return type(class_name, (FaultWords,), {"FAULT": word, "__doc__": doc, "__module__": __name__})


def _camel(word: str) -> str:
    return "".join(part.capitalize() for part in word.split("_"))


def _listed(words: dict[str, Any]) -> str:
    return ", ".join(f"{word}={value!r}" for word, value in words.items())
