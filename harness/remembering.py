"""Protocols that answer ``isinstance`` once for each class.

Before Python 3.12 a runtime-checkable protocol looks up every attribute, one by one, whenever it
is asked. Where protocols are optional features of a class, and objects are asked for them in the
hot path, one answer a class is enough: an instance has no feature of its own.
"""

from __future__ import annotations

from typing import Any, Protocol

_answers: dict[tuple[type, type], bool] = {}


class Remembering(type(Protocol)):  # type: ignore[misc]  # it has no public name
    """The metaclass of such a protocol: ``class Feature(Protocol, metaclass=Remembering)``."""

    def __instancecheck__(cls, instance: Any) -> bool:
        key = (cls, type(instance))
        if key not in _answers:
            _answers[key] = super().__instancecheck__(instance)
        return _answers[key]
