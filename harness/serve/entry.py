"""From a fault as a test asks for it to the fault that a proxy arms. Pure.

A request's fault is an entry of a scenario's ``faults``, so all that scenarios refuse is refused
here in the same words. Besides, a bare number is taken where a test would write one: seconds for
a duration, a number between 0 and 1 for a share, bytes a second for a rate.
"""

from __future__ import annotations

import json
from collections.abc import Mapping, Sequence
from dataclasses import dataclass, fields, replace
from typing import Any

from harness.errors import InputError, Problem
from harness.faults import CallerFault, FaultSpec, PacketFault, all_faults, fault_aliases
from harness.scenario import FABRICS, fabrics_of, read_text
from harness.trigger import Trigger
from harness.units import yaml_name

_PLACE = "faults[0]"


@dataclass(frozen=True)
class Surroundings:
    """What a fault may refer to: the proxy's backends, what it does with TLS, the protocol."""

    backends: Sequence[str]
    tls: str = "off"
    protocol: str = "http"


def read_entry(entry: Mapping[str, Any], around: Surroundings) -> FaultSpec:
    """The fault that an entry asks for; raises InputError with every mistake in it."""
    text = json.dumps(_document(_with_units(entry), around), ensure_ascii=False)
    try:
        scenario = read_text(text, file="fault", id="fault")
    except InputError as error:
        raise InputError(*map(_placed, error.problems)) from None
    if len(scenario.faults) != 1 or scenario.sweep is not None:
        raise InputError(Problem("a sweep needs a run for each value", "write it as a scenario"))
    spec = scenario.faults[0]
    _check(spec)
    return spec


def _document(entry: Mapping[str, Any], around: Surroundings) -> dict[str, Any]:
    """The smallest scenario that has this fault in these surroundings."""
    when = entry.get("when")
    during = [entry.get("during"), when.get("during") if isinstance(when, Mapping) else None]
    phases = dict.fromkeys(["work", *(name for name in during if isinstance(name, str) and name)])
    return {
        "scenario": "served",
        "origin": {
            "serve": around.protocol,
            "backends": list(around.backends),
            "tls": around.tls == "passthrough",
        },
        "proxy": {"tls": around.tls},
        "workload": [{"phase": name, "calls": 1} for name in phases],
        "faults": [entry],
        "expect": {"errors": 0},
    }


def _placed(problem: Problem) -> Problem:
    """The problem without a place in a text that nobody wrote."""
    path = problem.path.removeprefix(_PLACE).removeprefix(".")
    hint = problem.hint.replace("write proxy: {tls: terminate}", "open it with tls: terminate")
    hint = hint.replace("add origin: {backends: [blue, green]}", "open it with two backends")
    return replace(problem, path=path, hint=hint, file="", line=0, column=0)


def _check(spec: FaultSpec) -> None:
    if isinstance(spec.fault, PacketFault):
        message = f"{spec.name} needs packets, and this proxy has real sockets"
        raise InputError(Problem(message, "put it into a scenario and say fabric: virtual"))
    if fabrics_of(spec.fault) != FABRICS:
        message = f"{spec.name} needs a kernel with links of its own, and this proxy is on yours"
        raise InputError(Problem(message, "put it into a scenario and say fabric: netns"))
    if isinstance(spec.fault, CallerFault):
        message = f"{spec.name} strikes callers, and here they are the test's own"
        raise InputError(Problem(message, "cancel them in the test, or write a scenario"))


def _with_units(entry: Mapping[str, Any]) -> dict[str, Any]:
    """The entry with a unit behind each bare number that needs one."""
    name = entry.get("fault")
    word = fault_aliases().get(name, name) if isinstance(name, str) else None
    kind = all_faults().get(word) if isinstance(word, str) else None
    units = _units(Trigger) | ({} if kind is None else _units(kind))
    written = {key: _written(value, units.get(key, "")) for key, value in entry.items()}
    when = entry.get("when")
    if isinstance(when, Mapping):
        written["when"] = {k: _written(v, units.get(k, "")) for k, v in when.items()}
    return written


def _units(kind: type[Any]) -> dict[str, str]:
    """The unit that a bare number has, by the words of a dataclass."""
    return {yaml_name(field.name): _unit(field.name) for field in fields(kind)}


def _unit(name: str) -> str:
    if name.endswith("_bytes_per_s"):
        return "B/s"
    if name.endswith("_per_s"):
        return "/s"
    if name.endswith("_bytes"):
        return ""
    return "s" if name.endswith("_s") else "%"


def _written(value: Any, unit: str) -> Any:
    """A bare number as the language writes it; anything else as it is."""
    if isinstance(value, bool) or not isinstance(value, int | float) or not unit:
        return value
    if unit == "%":
        return f"{value * 100:.9f}%" if isinstance(value, float) and 0 < value < 1 else value
    return f"{value:.9f}{unit}" if isinstance(value, float) else f"{value}{unit}"
