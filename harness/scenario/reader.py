"""From a scenario's text to the frozen model, or every mistake in it with its position.

Reading has three passes, and each reports all it finds: ``compose`` makes a tree of the YAML,
each section is validated by itself, and ``sense`` asks whether the sections fit together. So one
bad phase hides no bad fault, and nobody has to run the reader six times to fix six typos.
"""

from __future__ import annotations

from dataclasses import dataclass, replace
from pathlib import Path
from typing import Annotated, Any, ClassVar, TypeVar

from pydantic import Field

from harness.errors import InputError, Problem
from harness.scenario.compose import compose
from harness.scenario.entries import ReadCheck, ReadFault, read_checks, read_fault
from harness.scenario.fabrics import FabricWord
from harness.scenario.model import (
    ClientSettings,
    Level,
    Origin,
    OwnServer,
    Perturb,
    PhaseWords,
    Proxy,
    Scenario,
    ServeWord,
    Topology,
)
from harness.scenario.nodes import ListNode, MapNode, Node, ScalarNode, plain
from harness.scenario.problems import Report
from harness.scenario.sense import Parts, judge
from harness.scenario.wording import shown, unknown_key, validated
from harness.units import YAML_CONFIG

T = TypeVar("T")

TEXT_LIMIT_BYTES = 256 * 1024
"""More than any scenario needs; a larger file is a mistake, such as a recording."""


@dataclass(frozen=True, slots=True, kw_only=True)
class Head:
    """What a scenario says of itself."""

    __pydantic_config__: ClassVar[Any] = YAML_CONFIG

    scenario: Annotated[
        str,
        Field(
            min_length=1, max_length=100, description="a short name", examples=["idle-close-race"]
        ),
    ]
    about: Annotated[str, Field(description="what happens, and what must not")] = ""
    level: Annotated[
        Level, Field(description="should counts only with --strict, info never fails a run")
    ] = "must"
    seed: Annotated[int, Field(description="every random decision comes from it")] = 0
    fabric: Annotated[
        FabricWord | None,
        Field(
            description="where it runs unless the command line says otherwise: loopback, "
            "virtual if a fault needs packets, netns if it needs a kernel's"
        ),
    ] = None
    recovery: Annotated[
        bool, Field(description="heal every fault after the last phase and measure recovery")
    ] = True


HEAD_WORDS = ("scenario", "about", "level", "seed", "fabric", "recovery")
SECTIONS: dict[str, type[Any]] = {
    "origin": Origin,
    "proxy": Proxy,
    "client": ClientSettings,
    "perturb": Perturb,
}
OPTIONAL_SECTION = "topology"
TOP_WORDS = (*HEAD_WORDS, *SECTIONS, OPTIONAL_SECTION, "workload", "faults", "expect")


@dataclass(frozen=True, slots=True, kw_only=True)
class _Serve:
    """``serve`` as a word: read by itself, so that a mistake in it is told once."""

    __pydantic_config__: ClassVar[Any] = YAML_CONFIG

    serve: ServeWord


def read_file(path: Path, root: Path | None = None) -> Scenario:
    """The scenario in a file; its id is the path below ``root``, or below ``scenarios/``."""
    return read_text(_text_of(path), file=str(path), id=id_of(path, root))


def id_of(path: Path, root: Path | None = None) -> str:
    """``idle/fin/race`` for ``scenarios/idle/fin/race.yaml``; else the file's stem."""
    path = path.absolute()
    if root is not None and path.is_relative_to(root.absolute()):
        return path.relative_to(root.absolute()).with_suffix("").as_posix()
    parts = path.with_suffix("").parts
    below = [index for index, part in enumerate(parts[:-1], start=1) if part == "scenarios"]
    return "/".join(parts[below[-1] :]) if below else path.stem


def _text_of(path: Path) -> str:
    file = str(path)
    try:
        with path.open("rb") as stream:
            raw = stream.read(TEXT_LIMIT_BYTES + 1)
    except OSError as error:
        why = error.strerror or type(error).__name__
        problem = Problem(f"can't be read: {why}", "name a scenario file or its id", file=file)
        raise InputError(problem) from None
    except ValueError:
        raise InputError(Problem("this is no file name", "name a file", file=repr(file))) from None
    if len(raw) > TEXT_LIMIT_BYTES:
        raise InputError(_too_long(file))
    try:
        return raw.decode("utf-8")
    except UnicodeDecodeError as error:
        raise InputError(_not_utf8(raw, error.start, file)) from None


def _too_long(file: str) -> Problem:
    message = f"a scenario has at most {TEXT_LIMIT_BYTES // 1024} KiB"
    return Problem(message, "is this another kind of file?", file=file)


def _not_utf8(raw: bytes, offset: int, file: str) -> Problem:
    before = raw[:offset]
    line = before.count(b"\n") + 1
    column = len(before.rpartition(b"\n")[2].decode("utf-8")) + 1
    message = f"byte 0x{raw[offset]:02x} is not UTF-8"
    return Problem(message, "save the file as UTF-8", file=file, line=line, column=column)


def read_text(text: str, *, file: str, id: str | None = None) -> Scenario:  # noqa: A002 - the model's word
    """The scenario in a text; raises InputError with every mistake in it."""
    report = Report(file)
    if len(text) > TEXT_LIMIT_BYTES:
        raise InputError(_too_long(file))
    report.root = compose(text.removeprefix("\ufeff"), report)
    report.raise_if_any()
    sections = _sections(report)
    reader = _Reader(report, sections)
    scenario = reader.read(id if id is not None else Path(file).stem, text, file)
    report.raise_if_any()
    return scenario


def _sections(report: Report) -> dict[str, Node]:
    """The top level's entries; a section that holds nothing counts as left out."""
    root = report.root
    example = "begin with scenario: my-first-race"
    if root is None or (isinstance(root, ScalarNode) and root.value is None):
        report.on((), "there is nothing in this scenario", example)
    elif not isinstance(root, MapNode):
        report.on((), f"{shown(plain(root))} is not a scenario", example)
    report.raise_if_any()
    assert isinstance(root, MapNode)
    for name in root.entries:
        if name not in TOP_WORDS:
            unknown_key(report, (name,), list(TOP_WORDS))
    values = {name: entry.value for name, entry in root.entries.items() if name in TOP_WORDS}
    return {name: node for name, node in values.items() if plain(node) is not None}


class _Reader:
    """Reads section after section, then asks whether they fit together."""

    def __init__(self, report: Report, sections: dict[str, Node]) -> None:
        self.report = report
        self.sections = sections
        self.notes: list[str] = []

    def read(self, identity: str, text: str, file: str) -> Scenario:
        """The scenario; raises InputError if anything is wrong."""
        head = self._head()
        origin, proxy = self._origin(), self._section("proxy", Proxy)
        client = self._section("client", ClientSettings)
        perturb = self._section("perturb", Perturb)
        topology = None
        if OPTIONAL_SECTION in self.sections:  # one that is named asks for hosts of its own
            topology = self._section(OPTIONAL_SECTION, Topology)
        phases, faults, checks = self._phases(), self._faults(), self._checks()
        parts = Parts(
            origin=origin,
            proxy=proxy,
            client=client,
            phases=phases,
            phase_names=self._phase_names(),
            faults=faults,
            checks=checks,
            perturb=perturb,
            recovery=head is None or head.recovery,
            fabric=None if head is None else head.fabric,
            topology=topology,
        )
        judge(parts, self.report)
        self.report.raise_if_any()
        assert head is not None
        assert origin is not None
        assert proxy is not None
        assert client is not None
        assert perturb is not None
        return Scenario(
            id=identity,
            name=head.scenario,
            about=" ".join(head.about.split()),
            level=head.level,
            seed=head.seed,
            fabric=head.fabric,
            origin=origin,
            proxy=proxy,
            client=client,
            workload=tuple(phase for phase, _ in phases if phase is not None),
            faults=tuple(fault.spec for fault in faults),
            sweep=next((fault.sweep for fault in faults if fault.sweep is not None), None),
            checks=tuple(check.check for check in checks),
            perturb=perturb,
            recovery=head.recovery,
            topology=topology,
            notes=tuple(self.notes),
            source=text,
            file=file,
        )

    def _head(self) -> Head | None:
        given = {name: plain(self.sections[name]) for name in HEAD_WORDS if name in self.sections}
        return validated(Head, given, self.report, ())

    def _section(self, name: str, kind: type[T]) -> T | None:
        node = self.sections.get(name)
        value = {} if node is None else plain(node)
        return validated(kind, value, self.report, (name,))

    def _origin(self) -> Origin | None:
        node = self.sections.get("origin")
        if not isinstance(node, MapNode) or "serve" not in node.entries:
            return self._section("origin", Origin)
        value = plain(node)
        serve = self._serve(value["serve"])
        origin = validated(Origin, value | {"serve": "http"}, self.report, ("origin",))
        return None if serve is None or origin is None else replace(origin, serve=serve)

    def _serve(self, value: Any) -> ServeWord | OwnServer | None:
        if isinstance(value, dict):
            return validated(OwnServer, value, self.report, ("origin", "serve"))
        read = validated(_Serve, {"serve": value}, self.report, ("origin",))
        return None if read is None else read.serve

    def _items(self, name: str, example: str) -> tuple[Node, ...]:
        node = self.sections.get(name)
        if node is None:
            return ()
        if not isinstance(node, ListNode):
            self.report.on((name,), f"{shown(plain(node))} is not a list", f"write {example}")
            return ()
        return node.items

    def _phases(self) -> list[tuple[PhaseWords | None, Node]]:
        example = "[{phase: load, callers: 4, calls: 100}]"
        if "workload" not in self.sections:
            self.report.on((), "the key 'workload' is missing", f"add workload: {example}")
        nodes = self._items("workload", example)
        if "workload" in self.sections and not nodes:
            self.report.on(("workload",), "nobody calls", f"write {example}")
        return [(self._phase(node, index), node) for index, node in enumerate(nodes)]

    def _phase(self, node: Node, index: int) -> PhaseWords | None:
        return validated(PhaseWords, plain(node), self.report, ("workload", index))

    def _phase_names(self) -> list[str]:
        """The names as written, also of phases that have mistakes elsewhere."""
        nodes = self._items_quietly("workload")
        entries = (node.entries.get("phase") for node in nodes if isinstance(node, MapNode))
        return [str(plain(entry.value)) for entry in entries if entry is not None]

    def _items_quietly(self, name: str) -> tuple[Node, ...]:
        node = self.sections.get(name)
        return node.items if isinstance(node, ListNode) else ()

    def _faults(self) -> list[ReadFault]:
        nodes = self._items("faults", "[{fault: close, when: {idle: 2s}}]")
        found = (
            read_fault(node, ("faults", index), self.report, self.notes)
            for index, node in enumerate(nodes)
        )
        return [fault for fault in found if fault is not None]

    def _checks(self) -> list[ReadCheck]:
        node, before = self.sections.get("expect"), self.report.count
        if node is None:
            self.report.on((), "the key 'expect' is missing", "add expect: {errors: 0}")
            return []
        checks = read_checks(node, ("expect",), self.report)
        if not checks and self.report.count == before:
            self.report.on(("expect",), "nothing is expected", "add a check, such as errors: 0")
        return checks
