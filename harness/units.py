"""Quantities as people write them: ``250ms``, ``64KiB``, ``10Mbit/s``, ``99.9%``, ``20/s``.

A bare number where a unit is needed is a mistake, because ``timeout: 5`` reads as seconds to one
person and milliseconds to the next. Each type below is an annotation for a dataclass field: the
scenario reader parses through it and the JSON Schema shows its pattern. In Python a quantity is
a plain number and its field's name ends with the unit: ``delay_s``, ``limit_bytes``.
"""

from __future__ import annotations

import math
import re
from collections.abc import Mapping
from typing import Annotated, Any, NamedTuple

from pydantic import BeforeValidator, WithJsonSchema

_NUMBER = r"(\d+(?:\.\d+)?)"
_DURATIONS_S = {
    "us": 1e-6,
    "µs": 1e-6,
    "ms": 1e-3,
    "s": 1.0,
    "min": 60.0,
    "h": 3600.0,
    "d": 86400.0,
}
_SIZES_BYTES = {
    "B": 1,
    "kB": 10**3,
    "KB": 10**3,
    "MB": 10**6,
    "GB": 10**9,
    "KiB": 2**10,
    "MiB": 2**20,
    "GiB": 2**30,
}
_BITS = {"bit": 1, "kbit": 10**3, "Mbit": 10**6, "Gbit": 10**9}


def parse_duration_s(value: Any) -> float:
    """Seconds from ``250ms``, ``2s``, ``1h``; raises ValueError saying what would be right."""
    return _parse(value, _DURATIONS_S, "a duration", "250ms, 2s or 1h")


class Spread(NamedTuple):
    """A duration that varies: ``20ms ± 5ms``, in seconds."""

    mean_s: float
    jitter_s: float = 0.0


def parse_spread_s(value: Any) -> Spread:
    """A duration, with ``±`` and another one if it varies: ``20ms`` or ``20ms ± 5ms``."""
    if isinstance(value, Spread):
        return value
    mean, sign, jitter = str(value).partition("±") if isinstance(value, str) else (value, "", "")
    return Spread(parse_duration_s(mean), parse_duration_s(jitter) if sign else 0.0)


def parse_size_bytes(value: Any) -> int:
    """Bytes from ``512B``, ``64KiB``, ``2MB``; a bare whole number is bytes as well."""
    if isinstance(value, int) and not isinstance(value, bool):
        if value < 0:
            raise ValueError("a size can't be negative; write 512B or 64KiB")
        return value
    size = _parse(value, _SIZES_BYTES, "a size", "512B, 64KiB or 2MB")
    if size != int(size):
        raise ValueError(f"{value!r} is not a whole number of bytes; write 512B or 64KiB")
    return int(size)


def parse_rate_bytes_per_s(value: Any) -> float:
    """Bytes a second from ``10Mbit/s`` or ``64KiB/s``; never zero."""
    text = value if isinstance(value, str) else str(value)
    amount, slash, per = text.strip().rpartition("/")
    if not slash or per != "s":
        raise ValueError(f"{value!r} is not a rate; write 64KiB/s or 10Mbit/s")
    match = re.fullmatch(rf"{_NUMBER}\s*([A-Za-z]+)", amount.strip())
    if match is None:
        raise ValueError(f"{value!r} is not a rate; write 64KiB/s or 10Mbit/s")
    number, unit = float(match[1]), match[2]
    if unit in _BITS:
        rate = number * _BITS[unit] / 8
    elif unit in _SIZES_BYTES:
        rate = number * _SIZES_BYTES[unit]
    else:
        raise ValueError(f"unknown unit {unit!r} in {value!r}; write 64KiB/s or 10Mbit/s")
    if rate <= 0:
        raise ValueError("a rate of nothing never ends; to let nothing through use stall")
    return rate


def parse_frequency_per_s(value: Any) -> float:
    """Events a second from ``20/s`` or ``90/min``; never zero."""
    match = re.fullmatch(rf"{_NUMBER}\s*/\s*(s|min|h)", str(value).strip())
    if match is None:
        raise ValueError(f"{value!r} is not a frequency; write 20/s or 90/min")
    frequency = float(match[1]) / _DURATIONS_S[match[2]]
    if frequency <= 0:
        raise ValueError("a frequency of zero never happens; write 20/s")
    return frequency


def parse_fraction(value: Any) -> float:
    """A share between 0 and 1 from ``5%`` or ``99.9%``; a bare 0 or 1 is taken as it is."""
    if value in (0, 1) and not isinstance(value, bool):
        return float(value)
    match = re.fullmatch(rf"{_NUMBER}\s*%", str(value).strip())
    if match is None:
        raise ValueError(f"{value!r} is not a share; write 5% or 99.9%")
    fraction = float(match[1]) / 100
    if fraction > 1:
        raise ValueError(f"{value!r} is more than everything; a share is at most 100%")
    return fraction


def _parse(value: Any, units: Mapping[str, float], what: str, right: str) -> float:
    if isinstance(value, bool) or value is None:
        raise ValueError(f"{value!r} is not {what}; write {right}")
    if isinstance(value, int | float):
        raise ValueError(f"{value!r} has no unit; write {right}")  # noqa: TRY004 - a bad value
    match = re.fullmatch(rf"{_NUMBER}\s*([A-Za-zµ]+)", str(value).strip())
    if match is None:
        raise ValueError(f"{value!r} is not {what}; write {right}")
    if match[2] not in units:
        raise ValueError(f"unknown unit {match[2]!r} in {value!r}; write {right}")
    # Decimal digits times a power of ten: round away what binary floats add (0.29999999999999998).
    return round(float(match[1]) * units[match[2]], 9)


def format_duration(seconds: float) -> str:
    """``1.5ms``, ``2.5s``, ``1h``: a duration as a person would write it."""
    if not math.isfinite(seconds):
        return "never"
    for unit, size_s in (("h", 3600.0), ("min", 60.0), ("s", 1.0), ("ms", 1e-3)):
        if abs(seconds) >= size_s:
            return f"{_short(seconds / size_s)}{unit}"
    return "0s" if seconds == 0 else f"{_short(seconds * 1e6)}us"


def format_size(size_bytes: float) -> str:
    """``512B``, ``64KiB``: a size as a person would write it."""
    for unit, factor in (("GiB", 2**30), ("MiB", 2**20), ("KiB", 2**10)):
        if abs(size_bytes) >= factor:
            return f"{_short(size_bytes / factor)}{unit}"
    return f"{_short(size_bytes)}B"


def _short(number: float) -> str:
    """Three significant digits at most, without a trailing ``.0``."""
    digits = 0 if abs(number) >= 100 else 1 if abs(number) >= 10 else 2
    text = f"{number:.{digits}f}"
    return text.rstrip("0").rstrip(".") if "." in text else text


def _schema(pattern: str, example: str) -> WithJsonSchema:
    return WithJsonSchema({"type": "string", "pattern": pattern, "examples": [example]})


DurationS = Annotated[
    float,
    BeforeValidator(parse_duration_s),
    _schema(r"^\d+(\.\d+)?\s*(us|µs|ms|s|min|h|d)$", "250ms"),
]
SpreadS = Annotated[
    Spread,
    BeforeValidator(parse_spread_s),
    _schema(
        r"^\d+(\.\d+)?\s*(us|µs|ms|s|min|h|d)(\s*±\s*\d+(\.\d+)?\s*(us|µs|ms|s|min|h|d))?$",
        "20ms ± 5ms",
    ),
]
SizeBytes = Annotated[
    int,
    BeforeValidator(parse_size_bytes),
    WithJsonSchema(
        {
            "anyOf": [
                {"type": "integer", "minimum": 0},
                {"type": "string", "pattern": r"^\d+(\.\d+)?\s*(B|kB|KB|MB|GB|KiB|MiB|GiB)$"},
            ],
            "examples": ["64KiB"],
        }
    ),
]
RateBytesPerS = Annotated[
    float,
    BeforeValidator(parse_rate_bytes_per_s),
    _schema(r"^\d+(\.\d+)?\s*(bit|kbit|Mbit|Gbit|B|kB|KB|MB|GB|KiB|MiB|GiB)/s$", "10Mbit/s"),
]
FrequencyPerS = Annotated[
    float, BeforeValidator(parse_frequency_per_s), _schema(r"^\d+(\.\d+)?\s*/\s*(s|min|h)$", "20/s")
]
Fraction = Annotated[
    float,
    BeforeValidator(parse_fraction),
    WithJsonSchema(
        {
            "anyOf": [
                {"type": "string", "pattern": r"^\d+(\.\d+)?\s*%$"},
                {"enum": [0, 1]},
            ],
            "examples": ["5%"],
        }
    ),
]

_SUFFIXES = ("_bytes_per_s", "_per_s", "_s", "_bytes")


def yaml_name(python_name: str) -> str:
    """The word users write for a Python field: ``delay`` for ``delay_s``, and so on.

    A trailing underscore, which dodges a Python keyword, goes as well: ``for_s`` is ``for``.
    """
    for suffix in _SUFFIXES:
        if python_name.endswith(suffix):
            return python_name.removesuffix(suffix)
    return python_name.rstrip("_")


YAML_CONFIG: Mapping[str, Any] = {"extra": "forbid", "alias_generator": yaml_name}
"""How a dataclass is read from YAML: unknown keys are mistakes, names carry no units."""
