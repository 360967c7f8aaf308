"""Reading the open sets: an entry of ``faults`` and an entry of ``expect``."""

from __future__ import annotations

from collections.abc import Mapping
from dataclasses import dataclass, field, replace
from typing import Any, TypeAlias, get_args

from harness.checks import Check, all_checks
from harness.faults import (
    PACKET_TRIGGERS,
    DirectionWord,
    Fault,
    FaultSpec,
    SideWord,
    all_faults,
    allowed_triggers,
    fault_aliases,
    own_side,
    site,
)
from harness.registry import did_you_mean
from harness.scenario.grammar import TRIGGER_WORDS, fields_of, takes_direction, takes_side
from harness.scenario.model import Sweep
from harness.scenario.nodes import Entry, ListNode, MapNode, Node, plain
from harness.scenario.problems import Path, Report, shorten
from harness.scenario.sweep import SWEPT, first_value, read_sweep
from harness.scenario.wording import shown, unknown_key, validated
from harness.trigger import Trigger
from harness.units import yaml_name

_HEAD = ("fault", "when", "direction", "side")
_SCOPES = ("direction", "side")
SWEEP = "sweep"


@dataclass(frozen=True, slots=True)
class ReadFault:
    """A fault as read, and where in the text each of its conditions stands."""

    spec: FaultSpec
    path: Path
    places: Mapping[str, Path] = field(default_factory=dict)
    sweep: Sweep | None = None


@dataclass(frozen=True, slots=True)
class _Draft:
    """An entry taken apart: the fault's own fields, the conditions and the scopes."""

    kind: type[Any]
    path: Path
    own: dict[str, Node]
    conditions: dict[str, Node]
    scopes: dict[str, Node]
    places: dict[str, Path]
    sweeps: dict[Path, Node] = field(default_factory=dict)


def read_fault(node: Node, path: Path, report: Report, notes: list[str]) -> ReadFault | None:
    """The fault that an entry asks for; None, and problems reported, if it can't be made out."""
    if not isinstance(node, MapNode):
        example = f"{{fault: {plain(node)}}}" if isinstance(plain(node), str) else "{fault: close}"
        report.on(path, f"{shown(plain(node))} is not a fault", f"write {shorten(example, 60)}")
        return None
    kind = _fault_named(node, path, report, notes)
    if kind is None:
        return None
    draft = _taken_apart(kind, node, path, report)
    fault = validated(kind, _plain(draft.own), report, path)
    when = validated(
        Trigger,
        _plain(draft.conditions),
        report,
        lambda location: _place(draft, location),
    )
    direction = _scope(draft, "direction", DirectionWord, report)
    side: SideWord = _scope(draft, "side", SideWord, report) or own_side(kind)
    if fault is None or when is None:
        return None
    spec = FaultSpec(fault=_typed(fault), when=when, direction=direction, side=side)
    sweep = _read_sweep(draft, report)
    if sweep is not None:
        spec = replace(spec, when=first_value(sweep, when))
    return ReadFault(spec, path, draft.places, sweep)


def _read_sweep(draft: _Draft, report: Report) -> Sweep | None:
    """The sweep among the conditions, if there is one that can be read."""
    if len(draft.sweeps) > 1:
        place = list(draft.sweeps)[1]
        report.on(place, "sweep stands under when and beside it", "keep one", key=True)
    for place, node in list(draft.sweeps.items())[:1]:
        allowed = [word for word in SWEPT if word in allowed_triggers(draft.kind)]
        if not allowed:
            report.on(place, f"{draft.kind.NAME} has no condition to sweep", "drop it", key=True)
            return None
        sweep = read_sweep(node, int(draft.path[-1]), place, allowed, report)
        if sweep is not None and sweep.word in draft.conditions:
            message = f"{sweep.word} is given, so it can't be swept"
            report.on((*place, sweep.word), message, "keep one", key=True)
        elif sweep is not None:
            draft.places[sweep.word] = (*place, sweep.word)
        return sweep
    return None


def _typed(fault: Any) -> Fault:
    typed: Fault = fault
    return typed


def _plain(nodes: Mapping[str, Node]) -> dict[str, Any]:
    return {name: plain(node) for name, node in nodes.items()}


def _place(draft: _Draft, location: Path) -> Path:
    if not location:
        return (*draft.path, "when")
    return (*draft.places.get(str(location[0]), draft.path), *location[1:])


def _fault_named(node: MapNode, path: Path, report: Report, notes: list[str]) -> type[Any] | None:
    entry = node.entries.get("fault")
    if entry is None:
        report.on(path, "the key 'fault' is missing", "name one, such as fault: close")
        return None
    name = plain(entry.value)
    known, place = all_faults(), (*path, "fault")
    if isinstance(name, str) and name in known:
        return known[name]
    if isinstance(name, str) and name in fault_aliases():
        became = fault_aliases()[name]
        notes.append(report.note(place, f"{name!r} is called {became!r} here"))
        return known[became]
    hint = did_you_mean(name, known) if isinstance(name, str) else "write one such as close"
    report.on(place, f"unknown fault {shown(name)}", hint)
    return None


def _taken_apart(kind: type[Any], node: MapNode, path: Path, report: Report) -> _Draft:
    draft = _Draft(kind, path, {}, {}, {}, {})
    own = fields_of(kind)
    for name, entry in node.entries.items():
        place = (*path, name)
        if name in own:
            draft.own[name] = entry.value
        elif name in TRIGGER_WORDS:
            _condition(draft, name, entry, place, report)
        elif name in _SCOPES:
            draft.scopes[name] = entry.value
        elif name == SWEEP:
            draft.sweeps[place] = entry.value
        elif name not in _HEAD:
            known = [*own, *_scopes_of(kind), "when", *sorted(allowed_triggers(kind))]
            unknown_key(report, place, known)
    _read_when(draft, node.entries.get("when"), report)
    return draft


def _scopes_of(kind: type[Any]) -> list[str]:
    known = {"direction": takes_direction(kind), "side": takes_side(kind)}
    return [name for name, taken in known.items() if taken]


def _read_when(draft: _Draft, when: Entry | None, report: Report) -> None:
    path = (*draft.path, "when")
    if when is None or plain(when.value) is None:
        return
    if not isinstance(when.value, MapNode):
        message = f"{shown(plain(when.value))} says nothing about when"
        report.on(path, message, "write when: {idle: 2s}")
        return
    for name, entry in when.value.entries.items():
        place = (*path, name)
        if name == SWEEP:
            draft.sweeps[place] = entry.value
        elif name not in TRIGGER_WORDS:
            unknown_key(report, place, sorted({SWEEP, *allowed_triggers(draft.kind)}))
        elif name in draft.conditions:
            report.on(place, f"{name} stands under when and beside it", "keep one", key=True)
        else:
            _condition(draft, name, entry, place, report)


def _condition(draft: _Draft, name: str, entry: Entry, place: Path, report: Report) -> None:
    draft.places[name] = place
    allowed = allowed_triggers(draft.kind)
    if name in allowed:
        draft.conditions[name] = entry.value
        return
    word = draft.kind.NAME
    message = f"{word} strikes {_what(draft.kind, name)}, so {name} means nothing to it"
    takes = ", ".join(sorted(allowed)) or "no conditions"
    report.on(place, message, f"{word} takes {takes}", key=True)


def _what(kind: type[Any], condition: str) -> str:
    """What a fault strikes, in words that show why a condition means nothing to it."""
    cut = condition in {"byte", "match"} and hasattr(kind, "policy")
    cut = cut and allowed_triggers(kind) == PACKET_TRIGGERS
    return "packets, which are not cut to the byte" if cut else site(kind)


_MEANINGLESS = {
    "direction": "works on no single direction",
    "side": "doesn't end one side alone",
}
_OF_THE_LINK = {
    "direction": "strikes both directions",
    "side": "strikes the client's link",
}
_INSTEAD = {
    "direction": "leave direction out; latency, stall and half_close take one",
    "side": "leave side out; close and reset take one",
}


def _scope(draft: _Draft, name: str, words: TypeAlias, report: Report) -> Any:
    """``direction`` or ``side`` where the fault takes it, else None."""
    if name not in draft.scopes:
        return None
    place, value = (*draft.path, name), plain(draft.scopes[name])
    if name not in _scopes_of(draft.kind):
        why = _OF_THE_LINK if hasattr(draft.kind, "policy") else _MEANINGLESS
        message = f"{draft.kind.NAME} {why[name]}"
        report.on(place, message, _INSTEAD[name], key=True)
        return None
    choices = get_args(words)
    if value not in choices:
        report.on(place, f"unknown value {shown(value)}", f"it is one of {', '.join(choices)}")
        return None
    return value


@dataclass(frozen=True, slots=True)
class ReadCheck:
    """A check as read, and where it stands."""

    check: Check
    path: Path


def read_checks(node: Node, path: Path, report: Report) -> list[ReadCheck]:
    """The checks that ``expect`` asks for."""
    if not isinstance(node, MapNode):
        hint = "write checks as keys, such as errors: 0"
        report.on(path, f"{shown(plain(node))} expects nothing", hint)
        return []
    found = (
        _read_check(name, entry.value, (*path, name), report)
        for name, entry in node.entries.items()
    )
    return [check for check in found if check is not None]


def _read_check(name: str, node: Node, path: Path, report: Report) -> ReadCheck | None:
    kind = all_checks().get(name)
    if kind is None:
        hint = did_you_mean(name, all_checks())
        report.on(path, f"unknown check {shown(name)}", hint, key=True)
        return None
    if plain(node) is False:
        if kind.GROUP == "meta":
            report.on(path, f"{name} is always on", "leave it out")
        return None
    fields = _check_fields(kind, node, path, report)
    check = None if fields is None else validated(kind, fields, report, path)
    return None if check is None else ReadCheck(check, path)


def _check_fields(kind: type[Any], node: Node, path: Path, report: Report) -> dict[str, Any] | None:
    """The fields that a value stands for: all defaults, a mapping, or the shorthand's field."""
    value = plain(node)
    if value is True:
        return {}
    if isinstance(node, MapNode):
        return dict(value)
    if kind.SHORTHAND is not None and value is not None and not _is_odd_list(kind, node):
        return {_shorthand_of(kind): value}
    example = f"write {kind.EXAMPLES[0]}" if kind.EXAMPLES else f"write {kind.NAME}: true"
    report.on(path, f"{shown(value)} says nothing to {kind.NAME}", example)
    return None


def _shorthand_of(kind: type[Any]) -> str:
    return yaml_name(kind.SHORTHAND) if kind.SHORTHAND not in fields_of(kind) else kind.SHORTHAND


def _is_odd_list(kind: type[Any], node: Node) -> bool:
    """A list where the shorthand's field takes none."""
    schema = fields_of(kind)[_shorthand_of(kind)]
    return isinstance(node, ListNode) and schema.get("type") != "array"
