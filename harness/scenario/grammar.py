"""What the language's types say about their fields: names, examples, defaults, in users' words.

The one source is the JSON Schema that pydantic makes of a dataclass. The reader takes names and
examples for its messages from it, ``schema`` puts the whole language together of it, and
``explain`` prints it.
"""

from __future__ import annotations

from collections.abc import Callable, Iterator
from copy import deepcopy
from dataclasses import fields
from typing import Any, TypeVar

from pydantic import TypeAdapter

from harness.faults import Ending
from harness.scenario.problems import Path
from harness.trigger import OrdinalsField, Trigger
from harness.units import (
    DurationS,
    Fraction,
    FrequencyPerS,
    RateBytesPerS,
    SizeBytes,
    SpreadS,
    format_duration,
    format_size,
    yaml_name,
)

T = TypeVar("T")


# Made once each; functools.cache would forget that the adapter of a T reads a T.
_ADAPTERS: dict[type[Any], TypeAdapter[Any]] = {}
_SCHEMAS: dict[type[Any], dict[str, Any]] = {}


def adapter(kind: type[T]) -> TypeAdapter[T]:
    """Pydantic's reader for a type."""
    if kind not in _ADAPTERS:
        _ADAPTERS[kind] = TypeAdapter(kind)
    return _ADAPTERS[kind]


def _schema(kind: type[Any]) -> dict[str, Any]:
    if kind not in _SCHEMAS:
        schema = adapter(kind).json_schema()
        _SCHEMAS[kind] = _tidy(_inlined(schema, schema.get("$defs", {})))
    return _SCHEMAS[kind]


def schema_of(kind: type[Any]) -> dict[str, Any]:
    """The JSON Schema of a type, without references and with defaults as users write them."""
    return deepcopy(_schema(kind))


def fields_of(kind: type[Any]) -> dict[str, dict[str, Any]]:
    """The schema of each field, by the word users write, in the order of the dataclass."""
    found: dict[str, dict[str, Any]] = schema_of(kind).get("properties", {})
    return found


def required_of(kind: type[Any]) -> list[str]:
    """The fields without a default."""
    return list(_schema(kind).get("required", ()))


TRIGGER_WORDS: tuple[str, ...] = tuple(yaml_name(field.name) for field in fields(Trigger))
"""Every condition that ``when`` knows."""


def takes_direction(fault: Any) -> bool:
    """Whether ``direction`` means something to a fault: it works on one way of a connection."""
    return hasattr(fault, "DIRECTION")


def takes_side(fault: Any) -> bool:
    """Whether ``side`` means something to a fault: it strikes one end or its packets, or both."""
    if hasattr(fault, "policy"):
        return hasattr(fault, "SIDE")
    return hasattr(fault, "ENDING") and fault.ENDING is not Ending.HALF


def schema_at(kind: type[Any], location: Path) -> dict[str, Any]:
    """The schema of what stands at a location; of the last thing known on the way there."""
    schema = _schema(kind)
    for step in location:
        schema = _inside(schema, step) or schema
    return deepcopy({"properties": {}} | schema)


def _inside(schema: dict[str, Any], step: str | int) -> dict[str, Any] | None:
    for branch in branches(schema):
        if isinstance(step, int) and "items" in branch:
            items: dict[str, Any] = branch["items"]
            return items
        if step in branch.get("properties", {}):
            field: dict[str, Any] = branch["properties"][step]
            return next((b for b in branches(field) if "properties" in b), field)
    return None


def branches(schema: dict[str, Any]) -> Iterator[dict[str, Any]]:
    """The schema itself, or what it is any of, except nothing."""
    for branch in schema.get("anyOf", (schema,)):
        if branch.get("type") != "null":
            yield from branches(branch) if "anyOf" in branch else (branch,)


def _inlined(schema: dict[str, Any], known: dict[str, Any]) -> dict[str, Any]:
    """The schema with each reference replaced by what it refers to; our types don't recur."""
    schema = {key: value for key, value in schema.items() if key not in {"title", "$defs"}}
    if "$ref" in schema:
        referred = known[str(schema.pop("$ref")).rpartition("/")[2]]
        schema = _inlined(referred, known) | schema
    if "properties" in schema:
        named = schema["properties"].items()
        schema["properties"] = {name: _inlined(field, known) for name, field in named}
    if "items" in schema:
        schema["items"] = _inlined(schema["items"], known)
    if "anyOf" in schema:
        schema["anyOf"] = [_inlined(branch, known) for branch in schema["anyOf"]]
    return schema


def _tidy(schema: dict[str, Any]) -> dict[str, Any]:
    """Defaults in users' words, and none where there is nothing to write."""
    for field in schema.get("properties", {}).values():
        _tidy(field)
        for branch in branches(field):
            _tidy(branch)
    if "items" in schema:
        _tidy(schema["items"])
    default = schema.get("default")
    if default is None or isinstance(default, dict):
        schema.pop("default", None)
    else:
        schema["default"] = default_words(schema, default)
    if "description" in schema:
        schema["description"] = " ".join(schema["description"].split())
    return schema


def _pattern(annotation: Any) -> str:
    """What tells one sort of quantity from another in a schema."""
    schema = TypeAdapter(annotation).json_schema()
    patterns = (str(branch.get("pattern", "")) for branch in branches(schema))
    return next(pattern for pattern in patterns if pattern)


def _percent(fraction: float) -> str:
    return f"{fraction * 100:g}%"


_SORTS: dict[str, tuple[str, Callable[[Any], Any]]] = {
    _pattern(DurationS): ("a duration", format_duration),
    _pattern(SpreadS): ("a duration that may vary", str),
    _pattern(SizeBytes): ("a size", format_size),
    _pattern(RateBytesPerS): ("a rate", lambda rate: f"{format_size(rate)}/s"),
    _pattern(FrequencyPerS): ("a frequency", lambda often: f"{often:g}/s"),
    _pattern(Fraction): ("a share", _percent),
    _pattern(OrdinalsField): ("which ones", str),
}


def _sort(schema: dict[str, Any]) -> tuple[str, Callable[[Any], Any]] | None:
    found = (_SORTS.get(branch.get("pattern", "")) for branch in branches(schema))
    return next((sort for sort in found if sort is not None), None)


def default_words(schema: dict[str, Any], default: Any) -> Any:
    """A default as users would write it: ``10s`` for 10.0 where a duration belongs."""
    sort = _sort(schema)
    if sort is None or isinstance(default, str | bool):
        return default
    return sort[1](default)


def sort_words(schema: dict[str, Any]) -> str:
    """What may be written, for a help page: ``a duration, such as 250ms``."""
    sort = _sort(schema)
    if sort is not None:
        return f"{sort[0]}, such as {example_value(schema)}"
    return " or ".join(dict.fromkeys(map(_branch_words, branches(schema))))


def _branch_words(branch: dict[str, Any]) -> str:
    if "enum" in branch:
        return " | ".join(map(str, branch["enum"]))
    if "const" in branch:
        return str(branch["const"])
    match branch.get("type"):
        case "integer" | "number" as kind:
            return ("a whole number" if kind == "integer" else "a number") + _bounds(branch)
        case "array":
            return f"a list; each is {sort_words(branch.get('items', {}))}"
        case other:
            words = {"boolean": "true | false", "object": "a mapping"}
            return words.get(str(other), "a text")


def _bounds(branch: dict[str, Any]) -> str:
    least, most = branch.get("minimum"), branch.get("maximum")
    if least is not None and most is not None:
        return f" from {least} to {most}"
    return f", at least {least}" if least is not None else ""


def _with_alternatives(schema: dict[str, Any]) -> Iterator[dict[str, Any]]:
    yield schema
    for branch in schema.get("anyOf", ()):
        yield from _with_alternatives(branch)


def example_value(schema: dict[str, Any]) -> str:
    """One value that would be right."""
    for branch in _with_alternatives(schema):
        if branch.get("examples"):
            return str(branch["examples"][0])
        if branch.get("enum"):
            return str(branch["enum"][0])
    by_type = {"integer": "4", "number": "1.5", "boolean": "true", "array": "[first]"}
    return by_type.get(str(next(branches(schema)).get("type")), "some-name")
