"""How a check is read from YAML: its configuration, and the annotations its fields share."""

from __future__ import annotations

from typing import Annotated, Any, TypeAlias

from pydantic import BeforeValidator, Field, WithJsonSchema

from harness.units import DurationS, Fraction, FrequencyPerS, parse_duration_s

WithinS: TypeAlias = Annotated[DurationS, Field(description="how long it may take")]
AtMost: TypeAlias = Annotated[int, Field(ge=0, description="this many are allowed")]
AtLeast: TypeAlias = Annotated[int, Field(ge=0, description="this many must be seen")]
AtMostPerS: TypeAlias = Annotated[FrequencyPerS, Field(description="this many in a time")]
AtMostRatio: TypeAlias = Annotated[float, Field(ge=1, description="one divided by the other")]
AtLeastShare: TypeAlias = Annotated[Fraction, Field(description="this share must be reached")]


def parse_limit_s(value: Any) -> float:
    """Seconds from ``250ms``, or from ``<250ms`` as people write a limit."""
    return parse_duration_s(value[1:] if isinstance(value, str) and value[:1] == "<" else value)


LimitS: TypeAlias = Annotated[
    float,
    BeforeValidator(parse_limit_s),
    WithJsonSchema(
        {
            "type": "string",
            "pattern": r"^<?\s*\d+(\.\d+)?\s*(us|µs|ms|s|min|h|d)$",
            "examples": ["250ms"],
        }
    ),
]


def demand_any(**given: object) -> None:
    """Raise ValueError, which says what would be right, if none of these fields was given."""
    if all(value is None for value in given.values()):
        raise ValueError("this demands nothing; give " + " or ".join(given))
