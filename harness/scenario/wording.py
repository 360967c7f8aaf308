"""What the validator found, in the project's words: what is wrong, and what would be right."""

from __future__ import annotations

import json
import re
from collections.abc import Callable, Mapping
from typing import Any, TypeAlias, TypeVar

from pydantic import TypeAdapter, ValidationError

from harness.registry import did_you_mean
from harness.scenario.grammar import adapter, example_value, schema_at
from harness.scenario.problems import Path, Report, shorten

T = TypeVar("T")

Words: TypeAlias = tuple[str, str]
"""What is wrong; what would be right."""

PlaceOf: TypeAlias = Callable[[Path], Path]
"""Where in the text the field with this location stands."""


def shown(value: Any) -> str:
    """A value as a message quotes it: short, on one line, as YAML would have it."""
    match value:
        case None:
            return "nothing"
        case bool():
            return str(value).lower()
        case str():
            return shorten(repr(value), 60)
        case list():
            return "a list"
        case dict():
            return "a mapping"
        case _:
            return shorten(str(value), 60)


def validated(kind: type[T], value: Any, report: Report, place: Path | PlaceOf) -> T | None:
    """The value as ``kind``, or None with every mistake in it reported.

    It goes through JSON because pydantic's strict mode then still takes a list for a tuple and a
    mapping for a dataclass, but never a text for a number or a number for a text.
    """
    place_of = place if callable(place) else lambda location: (*place, *location)
    try:
        return _validate(adapter(kind), value)
    except ValidationError as error:
        for details in error.errors(include_url=False):
            if not _is_echo(details):
                _report(kind, details, report, place_of)
    except (OverflowError, RecursionError):
        report.on(place_of(()), "a number or pattern here is too large to work with", "shorten it")
    return None


def _is_echo(details: Mapping[str, Any]) -> bool:
    """Whether a list counts as short only because an item in it, reported as well, is wrong."""
    given, least = details.get("input"), details.get("ctx", {}).get("min_length", 0)
    return details["type"] == "too_short" and isinstance(given, list) and len(given) >= least


def _validate(type_adapter: TypeAdapter[T], value: Any) -> T:
    valid: T = type_adapter.validate_json(json.dumps(value), strict=True)
    return valid


def _report(kind: type, details: Mapping[str, Any], report: Report, place_of: PlaceOf) -> None:
    location: Path = tuple(details["loc"])
    if details["type"] == "missing":
        name = str(location[-1])
        field = schema_at(kind, location)
        message = f"the key {name!r} is missing"
        report.on(place_of(location[:-1]), message, f"add {name}: {example_value(field)}")
    elif details["type"] in {"unexpected_keyword_argument", "extra_forbidden"}:
        unknown_key(report, place_of(location), schema_at(kind, location[:-1])["properties"])
    else:
        message, hint = reworded(details)
        report.on(place_of(location), message, hint or _fallback_hint(kind, location))


def _fallback_hint(kind: type, location: Path) -> str:
    """What would be right, where whoever raised the error didn't say."""
    if not location:
        return f"see `harness explain {getattr(kind, 'NAME', 'scenario')}`"
    return f"write one such as {example_value(schema_at(kind, location))}"


def unknown_key(report: Report, path: Path, known: Mapping[str, Any] | list[str]) -> None:
    """Report a key that nobody knows, and the one that was probably meant."""
    name = str(path[-1])
    hint = did_you_mean(name, known)
    report.on(path, f"unknown key {shorten(repr(name), 60)}", hint, key=True)


def reworded(details: Mapping[str, Any]) -> Words:
    """What is wrong and what would be right, for one of pydantic's error details."""
    rewrite = _REWRITES.get(details["type"])
    if rewrite is not None:
        return rewrite(details.get("input"), details.get("ctx", {}))
    said = re.sub(r"^Input should be", "it should be", str(details["msg"]))
    return f"{shown(details.get('input'))} doesn't fit", said


def split_sentence(text: str) -> Words:
    """``what; what would be right`` as its two halves."""
    message, _, hint = text.partition("; ")
    return message, hint


def _raised(value: Any, context: Mapping[str, Any]) -> Words:
    message, hint = split_sentence(str(context.get("error", "")))
    # Parsers quote what they were given with repr, which calls an empty value None.
    return (message.replace("None is", "nothing is", 1) if value is None else message), hint


def _no_integer(value: Any, _: Mapping[str, Any]) -> Words:
    if isinstance(value, str) and value.lstrip("-").isdecimal():
        return f"{shown(value)} is a text", f"write {value.lstrip('0') or 0} without quotes"
    return f"{shown(value)} is not a whole number", "write one such as 4"


def _no_number(value: Any, _: Mapping[str, Any]) -> Words:
    return f"{shown(value)} is not a number", "write one such as 1.5, without quotes"


def _no_boolean(value: Any, _: Mapping[str, Any]) -> Words:
    return f"{shown(value)} is neither true nor false", "write true or false, without quotes"


def _no_text(value: Any, _: Mapping[str, Any]) -> Words:
    if isinstance(value, bool | int | float):
        return f"{shown(value)} is not a text", f'write it in quotes: "{shown(value)}"'
    return f"{shown(value)} stands where a text belongs", "write one such as blue"


def _no_list(value: Any, _: Mapping[str, Any]) -> Words:
    example = shorten(str(value), 40) if isinstance(value, str | int) else "first, second"
    return f"{shown(value)} is not a list", f"write [{example}]"


def _no_mapping(value: Any, _: Mapping[str, Any]) -> Words:
    return f"{shown(value)} is not a mapping", "write {key: value}"


def _not_one_of(value: Any, context: Mapping[str, Any]) -> Words:
    choices = re.findall(r"'([^']*)'", str(context.get("expected", "")))
    known = f"it is one of {', '.join(choices)}"
    guess = did_you_mean(value, choices) if isinstance(value, str) else ""
    hint = f"{guess.rstrip('?')}, or" if guess.startswith("did you mean") else ""
    return f"unknown value {shown(value)}", f"{hint} {known}".strip()


def _bound(name: str, words: str, too: str) -> Callable[[Any, Mapping[str, Any]], Words]:
    return lambda value, context: (f"{shown(value)} is too {too}", f"{words} {context[name]}")


def _empty(_: Any, context: Mapping[str, Any]) -> Words:
    return "there is too little here", f"give at least {context.get('min_length', 1)}"


def _full(_: Any, context: Mapping[str, Any]) -> Words:
    return "there is too much here", f"give at most {context.get('max_length')}"


_REWRITES: dict[str, Callable[[Any, Mapping[str, Any]], Words]] = {
    "value_error": _raised,
    "assertion_error": _raised,
    "int_type": _no_integer,
    "int_from_float": _no_integer,
    "int_parsing": _no_integer,
    "float_type": _no_number,
    "float_parsing": _no_number,
    "bool_type": _no_boolean,
    "bool_parsing": _no_boolean,
    "string_type": _no_text,
    "tuple_type": _no_list,
    "list_type": _no_list,
    "set_type": _no_list,
    "frozen_set_type": _no_list,
    "dict_type": _no_mapping,
    "dataclass_type": _no_mapping,
    "literal_error": _not_one_of,
    "enum": _not_one_of,
    "greater_than": _bound("gt", "it is more than", "small"),
    "greater_than_equal": _bound("ge", "it is at least", "small"),
    "less_than": _bound("lt", "it is less than", "large"),
    "less_than_equal": _bound("le", "it is at most", "large"),
    "too_short": _empty,
    "string_too_short": _empty,
    "too_long": _full,
    "string_too_long": _full,
}
