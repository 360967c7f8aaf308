"""From YAML text to a tree of nodes, with every structural mistake on the way."""

from __future__ import annotations

import re
from collections.abc import Iterable, Iterator
from dataclasses import dataclass, field
from typing import Any

from ruamel.yaml import YAML
from ruamel.yaml.error import MarkedYAMLError, YAMLError
from ruamel.yaml.events import (
    AliasEvent,
    CollectionEndEvent,
    DocumentStartEvent,
    MappingStartEvent,
    NodeEvent,
    ScalarEvent,
    SequenceStartEvent,
)
from ruamel.yaml.reader import ReaderError

from harness.scenario.nodes import (
    DEPTH_LIMIT,
    DIGITS_LIMIT,
    NODES_LIMIT,
    Entry,
    ListNode,
    MapNode,
    Mark,
    Node,
    ScalarNode,
    resolve,
)
from harness.scenario.problems import Path, Report, shorten


class _GiveUpError(Exception):
    """The text is such that reading on makes no sense; the problem is reported already."""


@dataclass(slots=True)
class _Frame:
    """A list or mapping that isn't complete yet; keys and values of a mapping alternate."""

    mark: Mark
    is_map: bool
    anchor: str | None = None
    children: list[tuple[Mark, Node]] = field(default_factory=list)

    def step(self) -> str | int:
        """The way from this to what comes next in it."""
        if not self.is_map:
            return len(self.children)
        key = self.children[-1][1] if len(self.children) % 2 else None
        return str(key.value) if isinstance(key, ScalarNode) else "?"


def compose(text: str, report: Report) -> Node | None:
    """The tree of the one document in ``text``; what is wrong goes into the report."""
    composer = _Composer(report)
    try:
        composer.read(_events(text))
    except _GiveUpError:
        return None
    except ReaderError as error:
        report.at(_mark_of(error.position, text), *_CONTROL)
        return None
    except YAMLError as error:
        report.at(*_explained(error))
        return None
    except (ValueError, LookupError, AttributeError, AssertionError, RecursionError) as error:
        # The parser has corners where it trips over its own feet instead of saying what is wrong.
        why = shorten(f"{type(error).__name__}: {error}", 80)
        report.at(Mark(1, 1), f"the YAML parser can't read this ({why})", "simplify the text")
        return None
    return composer.root


def _events(text: str) -> Iterator[Any]:
    events: Iterator[Any] = YAML(typ="safe", pure=True).parse(text)
    return events


def _mark(mark: Any) -> Mark:
    return Mark(mark.line + 1, mark.column + 1) if mark is not None else Mark(1, 1)


def _mark_of(offset: int, text: str) -> Mark:
    """The place of a character; the parser counts these itself only once it has begun."""
    before = text[:offset]
    return Mark(before.count("\n") + 1, len(before.rpartition("\n")[2]) + 1)


class _Composer:
    """Turns events into nodes; holds what is open, what is anchored and how much there is."""

    def __init__(self, report: Report) -> None:
        self.report = report
        self.root: Node | None = None
        self._open: list[_Frame] = []
        self._anchors: dict[str, Node] = {}
        self._weight = 0
        self._documents = 0

    def read(self, events: Iterable[Any]) -> None:
        """Take every event."""
        for event in events:
            if isinstance(event, DocumentStartEvent):
                self._begin_document(_mark(event.start_mark))
            elif isinstance(event, CollectionEndEvent):
                self._end_collection()
            elif isinstance(event, NodeEvent):
                self._take(event, _mark(event.start_mark))

    def _begin_document(self, mark: Mark) -> None:
        self._documents += 1
        if self._documents > 1:
            self._give_up(mark, "a second document begins", "keep one scenario a file")

    def _take(self, event: Any, mark: Mark) -> None:
        if isinstance(event, AliasEvent):
            self._add(mark, self._aliased(event.anchor, mark))
            return
        self._refuse_tag(event, mark)
        if isinstance(event, ScalarEvent):
            self._scalar(event, mark)
        else:
            self._begin_collection(event, mark)

    def _begin_collection(self, event: Any, mark: Mark) -> None:
        assert isinstance(event, MappingStartEvent | SequenceStartEvent)
        if len(self._open) >= DEPTH_LIMIT:
            self._too_deep(mark)
        self._open.append(_Frame(mark, isinstance(event, MappingStartEvent), event.anchor))

    def _scalar(self, event: Any, mark: Mark) -> None:
        value: Any = event.value
        if event.style is None and event.tag is None:
            try:
                value = resolve(event.value)
            except ValueError as error:
                self.report.at(mark, str(error), "quote it if it is a text", self._path())
                value = 0
        if isinstance(value, str) and (number := _LONG_NUMBER.match(value)):
            message = f"a number of {len(number[1])} digits is longer than any that is needed"
            self.report.at(mark, message, "write a shorter one", self._path())
        if isinstance(value, str) and _SURROGATE.search(value):
            message, hint = "half a character (a lone surrogate)", "write the whole character"
            self.report.at(mark, message, hint, self._path())
        node = ScalarNode(mark, value)
        self._anchor(event.anchor, node)
        self._add(mark, node)

    def _refuse_tag(self, event: Any, mark: Mark) -> None:
        if event.tag is not None:
            hint = "leave the tag out; quotes make a text, and units are part of the value"
            self.report.at(
                mark, f"the tag {shorten(str(event.tag), 60)} is refused", hint, self._path()
            )

    def _aliased(self, name: str, mark: Mark) -> Node:
        node = self._anchors.get(name)
        if node is None:
            message = f"*{shorten(name, 40)} stands for nothing yet"
            hint = f"write &{shorten(name, 40)} before the value it stands for, complete and above"
            self._give_up(mark, message, hint)
        assert node is not None
        return node

    def _anchor(self, name: str | None, node: Node) -> None:
        if name is not None:
            self._anchors[name] = node

    def _add(self, mark: Mark, node: Node) -> None:
        """Put a complete node where it belongs, unless there is too much of it all."""
        if len(self._open) + node.height > DEPTH_LIMIT:
            self._too_deep(mark)
        # A collection's own parts were counted as they came; only an alias brings them again.
        self._weight += node.weight if mark != node.mark else 1
        if self._weight > NODES_LIMIT:
            hint = "anchors and aliases count as what they stand for"
            self._give_up(mark, f"more than {NODES_LIMIT} values are too many for a scenario", hint)
        if self._open:
            self._open[-1].children.append((mark, node))
        else:
            self.root = node

    def _end_collection(self) -> None:
        frame = self._open.pop()
        node = self._mapping(frame) if frame.is_map else _listing(frame)
        self._anchor(frame.anchor, node)
        self._add(frame.mark, node)

    def _mapping(self, frame: _Frame) -> MapNode:
        entries: dict[str, Entry] = {}
        pairs = zip(frame.children[::2], frame.children[1::2], strict=True)
        for (mark, key), (_, value) in pairs:
            name = self._key(mark, key)
            if name is None:
                continue
            if name in entries:
                self._duplicate(name, mark, entries[name].key)
            else:
                entries[name] = Entry(mark, value)
        return MapNode(frame.mark, entries, *_sizes(frame))

    def _key(self, mark: Mark, key: Node) -> str | None:
        value = key.value if isinstance(key, ScalarNode) else None
        if isinstance(value, str) and value != "<<":
            return value
        if value == "<<":
            message, hint = "<< merges mappings in YAML 1.1 only", "write the keys out"
        else:
            message, hint = "a key is a plain text", 'quote it if it looks like a number: "1"'
        self.report.at(mark, message, hint, self._path())
        return None

    def _duplicate(self, name: str, mark: Mark, first: Mark) -> None:
        where = f"line {first.line}, column {first.column}"
        message = f"the key {shorten(repr(name), 60)} stands here again"
        self.report.at(mark, message, f"keep one; the first is at {where}", (*self._path(), name))

    def _path(self) -> Path:
        return tuple(frame.step() for frame in self._open)

    def _too_deep(self, mark: Mark) -> None:
        message = f"nested more than {DEPTH_LIMIT} deep"
        self._give_up(mark, message, "no scenario needs more than six levels")

    def _give_up(self, mark: Mark, message: str, hint: str) -> None:
        self.report.at(mark, message, hint)
        raise _GiveUpError


def _listing(frame: _Frame) -> ListNode:
    return ListNode(frame.mark, tuple(node for _, node in frame.children), *_sizes(frame))


def _sizes(frame: _Frame) -> tuple[int, int]:
    nodes = [node for _, node in frame.children]
    weight = 1 + sum(node.weight for node in nodes)
    return weight, 1 + max((node.height for node in nodes), default=0)


_LONG_NUMBER = re.compile(rf"(?:first|every)?\s*(\d{{{DIGITS_LIMIT + 1},}})")
_SURROGATE = re.compile("[\ud800-\udfff]")
_CONTROL = (
    "a control character stands here",
    'write it as an escape in double quotes, such as "\\x00"',
)
_SYNTAX: tuple[tuple[str, str, str], ...] = (
    ("'\\t' that cannot start", "a tab stands where a value or indentation begins", "use spaces"),
    ("mapping values are not allowed", "a colon stands where no key can be",
     "put a text with ': ' in quotes, or align the key with its neighbours"),
    ("could not find expected ':'", "a key without its colon", "write key: value"),
    ("expected <block end>", "the indentation doesn't fit what stands above",
     "align keys of one mapping, and the dashes of one list"),
    ("expected ',' or", "a bracket is still open here", "close it, or put a comma between values"),
    ("while scanning a quoted scalar", "a quote is never closed", "close it, or drop it"),
    ("found unexpected end of stream", "a quote is never closed", "close it, or drop it"),
    ("expected the node content", "a value is missing here", "close the bracket, or write one"),
    ("that cannot start any token", "this character can't begin a value", "put it in quotes"),
)  # fmt: skip


def _explained(error: YAMLError) -> tuple[Mark, str, str]:
    """Where and why the text is no YAML, in plain words."""
    said, mark = str(error), Mark(1, 1)
    if isinstance(error, MarkedYAMLError):
        said = f"{error.problem or ''} {error.context or ''}"
        mark = _mark(error.problem_mark or error.context_mark)
    for symptom, message, hint in _SYNTAX:
        if symptom in said:
            return mark, message, hint
    why = shorten(" ".join(said.split()), 120)
    return mark, f"this is no YAML ({why})", "see https://yaml.org/spec/1.2.2"
