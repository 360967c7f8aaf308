"""Where a scenario's faults can be placed, learnt from what is said in a dry run."""

from __future__ import annotations

from collections.abc import Iterator, Mapping
from copy import deepcopy
from dataclasses import dataclass, field, replace
from typing import Literal

from harness.campaign.conversation import Conversation, byte_places, record_places, taps
from harness.campaign.instants import NAME, Instant, instants
from harness.campaign.points import Place, Series, base_document, can_be_placed, shorten
from harness.checks.errors import Errors
from harness.faults import FaultSpec, HandshakeFault
from harness.history import History
from harness.scenario import Document, Scenario, read_text, written
from harness.scenario.grammar import TRIGGER_WORDS
from harness.timeline import Direction

HANDSHAKE_EXCHANGES = 3
"""Turns of a TLS connection from the hello to the first reply, TLS 1.2 included (RFC 5246 7.3)."""


@dataclass(frozen=True, slots=True)
class Rehearsal:
    """A dry run, and what follows from what was said in it.

    Run ``dry``, which fills ``heard``; then ask for ``series``, and for ``instants`` with the
    history of that run.
    """

    scenario: Scenario
    document: Document
    spec: FaultSpec
    entry: Document
    name: str
    records: bool
    heard: Conversation = field(default_factory=Conversation)

    @property
    def dry(self) -> Scenario:
        """What is run: the scenario without the fault, tapped."""
        plain = read_text(written(self.document), file="", id=self.scenario.base_id)
        return replace(plain, faults=(*plain.faults, *taps(self.heard)))

    def series(self) -> list[Series]:
        """The points that were found; none if nothing was said."""
        return list(self._records() if self.records else self._messages())

    def instants(self, history: History) -> Iterator[Series]:
        """The series of instants of the dry run; its connections are struck whole, so no bytes."""
        places = instants(history)
        if places and not self.records:
            document = deepcopy(self.document)
            if any(isinstance(c, Errors) and c.at_most == 0 for c in self.scenario.checks):
                document["expect"]["errors"] = 0
            about = "at each instant at which something happens, and between them"
            series = self._series(NAME, about, "instant", places)
            yield replace(series, document=document, may_miss=True)

    def _messages(self) -> Iterator[Series]:
        chosen = self.heard.usual_exchange()
        if chosen is None:
            return
        connection, exchange = chosen
        for way, word in _WORDS.items():
            message = self.heard.message(connection, way, exchange)
            places = {
                byte: Place(connection, word, exchange, byte) for byte in byte_places(message)
            }
            where = f"{word} {exchange} of connection {connection}"
            about = f"after each of the {len(message)} bytes of {where}"
            if len(places) <= len(message):
                about = f"after {len(places)} of the {len(message)} bytes of {where}"
            yield self._series(word, about, "byte", places)

    def _records(self) -> Iterator[Series]:
        connection = min((key.connection for key in self.heard.messages), default=0)
        found: list[Place] = []
        for way, word in _WORDS.items():
            turns = range(1, HANDSHAKE_EXCHANGES + 1)
            stream = [self.heard.message(connection, way, exchange) for exchange in turns]
            found += [
                Place(connection, word, turns[message], byte)
                for message, byte in record_places(stream)
            ]
        ordered = sorted(set(found), key=lambda place: (place.exchange, place.word, place.byte))
        if ordered:
            where = f"at and within the TLS records that connection {connection} begins with"
            yield self._series("records", where, "place", dict(enumerate(ordered, start=1)))

    def _series(
        self,
        part: str,
        where: str,
        noun: str,
        places: Mapping[int, Place] | Mapping[int, Instant],
    ) -> Series:
        return Series(
            name=f"{self.name}/{part}",
            about=f"{self.spec.name} {where}",
            noun=noun,
            id=self.scenario.base_id,
            document=self.document,
            entry=self.entry,
            places=places,
        )


_WORDS: dict[Direction, Literal["request", "response"]] = {
    Direction.UPSTREAM: "request",
    Direction.DOWNSTREAM: "response",
}


def rehearsals(scenario: Scenario, seed: int) -> Iterator[Rehearsal]:
    """The dry runs that a scenario's faults need: one for each fault that can be placed.

    Under TLS there is another one, without the proxy's termination, whose points are the borders
    of records; there a fault strikes the handshake, too.
    """
    base = base_document(scenario, seed)
    placed = [index for index, spec in enumerate(scenario.faults) if can_be_placed(spec)]
    entries = [_without_conditions(base["faults"][index]) for index in placed]
    others = [entry for i, entry in enumerate(base.get("faults", [])) if i not in placed]
    if not others:
        shorten(base)
    names = _distinct([scenario.faults[index].name for index in placed])
    for index, entry, name in zip(placed, entries, names, strict=True):
        spec = scenario.faults[index]
        mode = scenario.proxy.tls
        if mode != "passthrough":
            yield Rehearsal(scenario, base | {"faults": others}, spec, entry, name, records=False)
        if mode != "off" and not _reads_inside(spec):
            hidden = _passed_through(scenario, base, others)
            yield Rehearsal(scenario, hidden, spec, entry, name, records=True)


def _distinct(names: list[str]) -> list[str]:
    """The names, with their ordinals where one stands there again."""
    return [
        name if names.count(name) == 1 else f"{name}-{names[: place + 1].count(name)}"
        for place, name in enumerate(names)
    ]


def _reads_inside(spec: FaultSpec) -> bool:
    """Whether a fault must read or shape what TLS encloses."""
    fault = spec.fault
    return (
        isinstance(fault, HandshakeFault)
        or getattr(fault, "NEEDS_TERMINATION", False)
        or getattr(fault, "PROTOCOL", None) is not None
    )


def _passed_through(scenario: Scenario, base: Document, others: list[Document]) -> Document:
    """The document with TLS between client and backend, so that records pass as they are."""
    inside = {spec.name for spec in scenario.faults if _reads_inside(spec)}
    return base | {
        "origin": base.get("origin", {}) | {"tls": True},
        "proxy": base.get("proxy", {}) | {"tls": "passthrough"},
        "faults": [entry for entry in others if entry.get("fault") not in inside],
    }


def _without_conditions(entry: Document) -> Document:
    """A fault's entry without what says when it strikes, but for how long it lasts."""
    when = dict(entry.get("when") or {})
    lasting = entry.get("for", when.get("for"))
    dropped = {*TRIGGER_WORDS, "sweep", "when"}
    kept = {key: value for key, value in entry.items() if key not in dropped}
    return kept if lasting is None else kept | {"when": {"for": lasting}}
