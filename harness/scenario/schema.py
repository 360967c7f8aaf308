"""The JSON Schema of the whole language, made of the types that read it."""

from __future__ import annotations

from typing import Any

from harness.checks import all_checks
from harness.faults import all_faults, allowed_triggers, fault_aliases, own_side
from harness.scenario.grammar import (
    TRIGGER_WORDS,
    fields_of,
    required_of,
    schema_of,
    takes_direction,
    takes_side,
)
from harness.scenario.model import PhaseWords, Topology
from harness.scenario.reader import OPTIONAL_SECTION, SECTIONS, Head
from harness.scenario.sweep import SWEPT
from harness.trigger import Trigger
from harness.units import yaml_name

DIALECT = "https://json-schema.org/draft/2020-12/schema"

_DIRECTION = {
    "enum": ["upstream", "downstream", "both"],
    "description": "which way the bytes travel; upstream is towards the server",
}
_SIDE = {
    "enum": ["client", "backend", "both"],
    "description": "which end of the connection it strikes",
}


def json_schema() -> dict[str, Any]:
    """A schema by which editors complete and check scenarios (draft 2020-12).

    It knows what each key may hold; what contradicts what is the reader's to say.
    """
    return {
        "$schema": DIALECT,
        "title": "chaos-harness scenario",
        "description": "What stands where, who calls, what breaks and what is expected.",
        "type": "object",
        "properties": {
            **fields_of(Head),
            **{name: schema_of(kind) for name, kind in SECTIONS.items()},
            OPTIONAL_SECTION: schema_of(Topology),
            "workload": _workload(),
            "faults": _faults(),
            "expect": _expect(),
        },
        "required": ["scenario", "workload", "expect"],
        "additionalProperties": False,
        "$defs": {
            **{f"when_{name}": field for name, field in fields_of(Trigger).items()},
            **{f"fault_{name}": fault_schema(kind) for name, kind in all_faults().items()},
        },
    }


def _workload() -> dict[str, Any]:
    return {
        "type": "array",
        "minItems": 1,
        "items": schema_of(PhaseWords),
        "description": "phases, one after the other",
    }


def _faults() -> dict[str, Any]:
    return {
        "type": "array",
        "items": {"oneOf": [{"$ref": f"#/$defs/fault_{name}"} for name in all_faults()]},
        "description": "what breaks, and when",
    }


def _expect() -> dict[str, Any]:
    return {
        "type": "object",
        "minProperties": 1,
        "properties": {name: check_schema(kind) for name, kind in all_checks().items()},
        "additionalProperties": False,
        "description": "the checks",
    }


def fault_schema(kind: type[Any]) -> dict[str, Any]:
    """The schema of one fault's entry: its own fields, its conditions and its scopes."""
    own = fields_of(kind)
    conditions = {name: {"$ref": f"#/$defs/when_{name}"} for name in triggers_of(kind)}
    if swept := [name for name in triggers_of(kind) if name in SWEPT]:
        conditions["sweep"] = sweep_schema(swept)
    scopes = _scopes(kind)
    return {
        "type": "object",
        "description": schema_of(kind).get("description", ""),
        "properties": {
            "fault": {"enum": [kind.NAME, *_aliases(kind.NAME)]},
            **conditions,
            "when": {
                "type": "object",
                "properties": conditions,
                "additionalProperties": False,
                "description": "conditions that must all hold",
            },
            **scopes,
            **own,
        },
        "required": ["fault", *required_of(kind)],
        "additionalProperties": False,
    }


def sweep_schema(swept: list[str]) -> dict[str, Any]:
    """The schema of ``sweep:`` over one of these conditions."""
    ranges = {
        name: {
            "type": "string",
            "pattern": SWEPT[name].pattern,
            "examples": [SWEPT[name].example],
            "description": f"every value of {name} in this range, both ends included",
        }
        for name in swept
    }
    step = {"type": ["string", "integer"], "description": "from one value to the next"}
    return {
        "type": "object",
        "properties": {**ranges, "step": step},
        "required": ["step"],
        "minProperties": 2,
        "maxProperties": 2,
        "additionalProperties": False,
        "description": "one run for each value of one condition",
    }


def triggers_of(kind: type[Any]) -> list[str]:
    """The conditions that a fault takes, in the order of the language."""
    allowed = allowed_triggers(kind)
    return [name for name in TRIGGER_WORDS if name in allowed]


def _scopes(kind: type[Any]) -> dict[str, dict[str, Any]]:
    scopes: dict[str, dict[str, Any]] = {}
    if takes_direction(kind):
        scopes["direction"] = _DIRECTION | {"default": kind.DIRECTION}
    if takes_side(kind):
        scopes["side"] = _SIDE | {"default": own_side(kind)}
    return scopes


def _aliases(name: str) -> list[str]:
    return sorted(alias for alias, became in fault_aliases().items() if became == name)


def check_schema(kind: type[Any]) -> dict[str, Any]:
    """The schema of one check: true or false, its fields, or its shorthand."""
    fields = schema_of(kind)
    description = fields.pop("description", "")
    choices = [{"type": "boolean"}, fields]
    if kind.SHORTHAND is not None:
        named = fields["properties"]
        field = named.get(kind.SHORTHAND) or named[yaml_name(kind.SHORTHAND)]
        choices.append(field)
    return {"description": description, "anyOf": choices}
