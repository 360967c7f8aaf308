"""A run's history: the events in order, and their way to a file and back."""

from __future__ import annotations

import json
from collections.abc import Iterable, Iterator
from dataclasses import asdict, dataclass, field, fields, replace
from functools import cache
from typing import TypeVar

from pydantic import TypeAdapter

from harness.errors import InputError, Problem
from harness.history.events import CallEvent, Event, ProxyEvent


def _concrete(base: type[Event]) -> Iterator[type[Event]]:
    for kind in base.__subclasses__():
        yield kind
        yield from _concrete(kind)


_ABSTRACT = (CallEvent, ProxyEvent)
EVENT_TYPES: dict[str, type[Event]] = {
    kind.__name__: kind for kind in _concrete(Event) if kind not in _ABSTRACT
}


@cache
def _reader(name: str) -> TypeAdapter[Event]:
    return TypeAdapter(EVENT_TYPES[name])


EventT = TypeVar("EventT", bound=Event)


@dataclass(slots=True)
class History:
    """The events of one run in order; an event's id is its position."""

    events: list[Event] = field(default_factory=list)

    def add(self, event: Event) -> int:
        """Append an event and get its id, by which findings name it as evidence."""
        # A kept history has microseconds; a live one must not be judged by more.
        at_s = round(event.at_s, 6)
        self.events.append(event if at_s == event.at_s else replace(event, at_s=at_s))
        return len(self.events) - 1

    def of(self, kind: type[EventT]) -> list[tuple[int, EventT]]:
        """All events of a type, each with its id."""
        return [(i, event) for i, event in enumerate(self.events) if isinstance(event, kind)]

    def first(self, kind: type[EventT]) -> EventT | None:
        """The first event of a type, or None."""
        return next((event for event in self.events if isinstance(event, kind)), None)

    def __len__(self) -> int:
        return len(self.events)

    def to_jsonl(self) -> str:
        """One JSON object a line, each with its id, witness and type."""
        return "".join(line + "\n" for line in map(_to_json, range(len(self)), self.events))

    @classmethod
    def from_jsonl(cls, text: str, file: str = "history.jsonl") -> History:
        """The history those lines hold; raises InputError naming the lines that hold none."""
        history, problems = cls(), list[Problem]()
        for number, line in enumerate(_lines(text), start=1):
            try:
                history.events.append(_from_json(line))
            except (ValueError, TypeError, KeyError) as error:
                hint = "keep the file as `harness run --keep` wrote it"
                problems.append(
                    Problem(f"no event: {error}", hint=hint, file=file, line=number, column=1)
                )
        if problems:
            raise InputError(*problems)
        return history


def _lines(text: str) -> Iterable[str]:
    # JSON keeps U+2028 and the like as they are, so only a newline ends a line.
    return (line for line in text.split("\n") if line.strip())


def _to_json(event_id: int, event: Event) -> str:
    head = {"id": event_id, "witness": event.WITNESS, "type": type(event).__name__}
    values = asdict(event)
    return json.dumps(head | values, ensure_ascii=False, separators=(", ", ": "))


def _from_json(line: str) -> Event:
    values = json.loads(line)
    if not isinstance(values, dict):
        raise TypeError("a line is a JSON object")
    kind = EVENT_TYPES.get(str(values.get("type")))
    if kind is None:
        raise ValueError(f"unknown type {values.get('type')!r}")
    known = {f.name for f in fields(kind)}
    given = {name: value for name, value in values.items() if name in known}
    return _reader(kind.__name__).validate_python(given)
