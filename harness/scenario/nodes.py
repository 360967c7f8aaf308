"""YAML 1.2 text as a tree that knows where each key and value stands.

The tree is built from the parser's events with a stack of our own, so neither deep nesting nor
aliases of aliases can exhaust this process: an alias counts as many nodes as it stands for.
Scalars mean what YAML 1.2's core schema says (https://yaml.org/spec/1.2.2/#103-core-schema):
``yes`` and ``on`` are texts, ``12:30`` is a text, ``017`` is seventeen and ``0o17`` fifteen.
"""

from __future__ import annotations

import math
import re
from dataclasses import dataclass
from typing import Any, NamedTuple, TypeAlias

DEPTH_LIMIT = 24
NODES_LIMIT = 50_000
DIGITS_LIMIT = 18


class Mark(NamedTuple):
    """A place in a text; both count from 1."""

    line: int
    column: int


@dataclass(frozen=True, slots=True)
class ScalarNode:
    """A single value."""

    mark: Mark
    value: str | int | float | bool | None
    weight: int = 1
    height: int = 0


@dataclass(frozen=True, slots=True)
class ListNode:
    """A sequence."""

    mark: Mark
    items: tuple[Node, ...]
    weight: int = 1
    height: int = 1


class Entry(NamedTuple):
    """A key's place and its value."""

    key: Mark
    value: Node


@dataclass(frozen=True, slots=True)
class MapNode:
    """A mapping; its keys are texts."""

    mark: Mark
    entries: dict[str, Entry]
    weight: int = 1
    height: int = 1


Node: TypeAlias = ScalarNode | ListNode | MapNode


def plain(node: Node) -> Any:
    """The value alone, without places."""
    match node:
        case ScalarNode():
            return node.value
        case ListNode():
            return [plain(item) for item in node.items]
        case MapNode():
            return {key: plain(entry.value) for key, entry in node.entries.items()}


_INTEGER = re.compile(r"[-+]?[0-9]+")
_OCTAL = re.compile(r"0o[0-7]+")
_HEXADECIMAL = re.compile(r"0x[0-9a-fA-F]+")
_FLOAT = re.compile(r"[-+]?(\.[0-9]+|[0-9]+(\.[0-9]*)?)([eE][-+]?[0-9]+)?")
_WORDS = {
    word: value
    for value, words in (
        (None, ("", "~", "null", "Null", "NULL")),
        (True, ("true", "True", "TRUE")),
        (False, ("false", "False", "FALSE")),
    )
    for word in words
}


def resolve(text: str) -> str | int | float | bool | None:
    """What an unquoted scalar means.

    A number that no float can hold stays a text, and so do ``.inf`` and ``.nan``: nothing in a
    scenario is endless. Raises ValueError for a number of too many digits.
    """
    if text in _WORDS:
        return _WORDS[text]
    if _INTEGER.fullmatch(text):
        return _whole(text, 10)
    if _OCTAL.fullmatch(text):
        return _whole(text, 8)
    if _HEXADECIMAL.fullmatch(text):
        return _whole(text, 16)
    if _FLOAT.fullmatch(text):
        number = float(text)
        return number if math.isfinite(number) else text
    return text


def _whole(text: str, base: int) -> int:
    if len(text) > DIGITS_LIMIT:
        raise ValueError(f"a number of {len(text)} digits is longer than any that is needed")
    return int(text, base)
