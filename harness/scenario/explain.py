"""One page on each word of the language, made of the types and docstrings themselves."""

from __future__ import annotations

from collections.abc import Callable, Iterator
from dataclasses import dataclass
from functools import cache
from inspect import getdoc
from typing import Any

from harness.checks import all_checks
from harness.errors import InputError, Problem
from harness.faults import all_faults, allowed_triggers, fault_aliases, own_side, site
from harness.registry import did_you_mean
from harness.scenario.fabrics import fabrics_of
from harness.scenario.glossary import GLOSSARY
from harness.scenario.grammar import (
    fields_of,
    required_of,
    sort_words,
    takes_direction,
    takes_side,
)
from harness.scenario.model import (
    AbandonWords,
    CancelWords,
    ClientSettings,
    Origin,
    OwnServer,
    Perturb,
    PhaseWords,
    PoolWords,
    Proxy,
    Topology,
)
from harness.scenario.reader import Head
from harness.scenario.schema import triggers_of
from harness.scenario.sweep import SWEPT, VALUES_LIMIT
from harness.trigger import Trigger


@dataclass(frozen=True, slots=True)
class Page:
    """A page on one word: what kind of word it is, a line, and markdown."""

    word: str
    kind: str
    summary: str
    text: str

    def __str__(self) -> str:
        return self.text


@dataclass(frozen=True, slots=True)
class Row:
    """A line of a list: a word, where it belongs, and what it is."""

    word: str
    group: str
    summary: str


_SETTINGS: dict[str, type[Any]] = {
    "the top level": Head,
    "origin": Origin,
    "serve, with your own server": OwnServer,
    "proxy": Proxy,
    "client": ClientSettings,
    "client.pool": PoolWords,
    "perturb": Perturb,
    "topology": Topology,
    "a phase of workload": PhaseWords,
    "cancel, in a phase": CancelWords,
    "abandon, in a phase": AbandonWords,
}


def explain(word: str) -> Page:
    """The page on a word; one that means several things gets a page with all of them.

    Raises InputError, which names the nearest word, if nothing is called so.
    """
    pages = _pages().get(word)
    if pages is None:
        raise InputError(Problem(f"nothing is called {word!r}", _nearest(word)))
    first = pages[0]
    kinds = " and ".join(dict.fromkeys(page.kind for page in pages))
    return Page(word, kinds, first.summary, "\n".join(page.text for page in pages))


def words() -> dict[str, str]:
    """Every word that has a page, and what kind of word it is."""
    return {word: explain(word).kind for word in _pages()}


def listing(kind: str) -> list[Row]:
    """The rows of ``harness list faults``, ``checks`` or ``triggers``."""
    makers = {"faults": _fault_rows, "checks": _check_rows, "triggers": _trigger_rows}
    if kind not in makers:
        raise InputError(Problem(f"there is no list of {kind!r}", did_you_mean(kind, makers)))
    return list(makers[kind]())


def _nearest(word: str) -> str:
    guess = did_you_mean(word, _pages())
    return guess if guess.startswith("did you mean") else "see `harness list faults`"


@cache
def _pages() -> dict[str, list[Page]]:
    found: dict[str, list[Page]] = {}
    makers: tuple[Callable[[], Iterator[Page]], ...] = (
        _fault_pages,
        _check_pages,
        _trigger_pages,
        _setting_pages,
        _alias_pages,
        _glossary_pages,
    )
    for maker in makers:
        for page in maker():
            found.setdefault(page.word, []).append(page)
    return dict(sorted(found.items()))


def _page(word: str, kind: str, summary: str, *parts: str) -> Page:
    body = "\n\n".join(part for part in (f"# {word}: {kind}", summary, *parts) if part)
    return Page(word, kind, summary, body + "\n")


def _doc(kind: type[Any]) -> tuple[str, str]:
    """The docstring's first paragraph as one line, and the rest as it stands."""
    summary, _, rest = (getdoc(kind) or "").partition("\n\n")
    return " ".join(summary.split()), rest


# --- faults ---------------------------------------------------------------------------------


def _fault_rows() -> Iterator[Row]:
    for name, kind in all_faults().items():
        yield Row(name, site(kind), _doc(kind)[0])


def _fault_pages() -> Iterator[Page]:
    for name, kind in all_faults().items():
        summary, rest = _doc(kind)
        yield _page(
            name,
            "fault",
            summary,
            rest,
            f"Strikes {site(kind)}.",
            _home_text(kind),
            _fields_text(kind),
            _scopes_text(kind),
            f"When: {', '.join(triggers_of(kind)) or 'always'}",
            _also_called(name),
            _example("faults", tuple(f"- {example}" for example in kind.EXAMPLES)),
        )


def _scopes_text(kind: type[Any]) -> str:
    lines = []
    if takes_direction(kind):
        lines.append(f"direction: upstream | downstream | both (default: {kind.DIRECTION})")
    if takes_side(kind):
        lines.append(f"side: client | backend | both (default: {own_side(kind)})")
    return "\n\n".join(lines)


def _home_text(kind: type[Any]) -> str:
    needs = "packets" if hasattr(kind, "policy") else "a kernel with links of its own"
    fabrics = fabrics_of(kind)
    return "" if "loopback" in fabrics else f"Needs {needs}: runs on {', '.join(fabrics)}."


def _also_called(name: str) -> str:
    aliases = sorted(alias for alias, became in fault_aliases().items() if became == name)
    return f"Other tools call it {', '.join(aliases)}." if aliases else ""


def _alias_pages() -> Iterator[Page]:
    for alias, name in fault_aliases().items():
        yield _page(alias, "alias", f"Another tool's word for the fault {name}.")


# --- checks ---------------------------------------------------------------------------------


def _check_rows() -> Iterator[Row]:
    for name, kind in all_checks().items():
        yield Row(name, kind.GROUP, _doc(kind)[0])


def _check_pages() -> Iterator[Page]:
    for name, kind in all_checks().items():
        summary, rest = _doc(kind)
        yield _page(
            name,
            "check",
            summary,
            f"Requirement ({kind.GROUP}): {kind.REQUIREMENT}",
            rest,
            _fields_text(kind),
            _example("expect", kind.EXAMPLES),
        )


# --- triggers and settings ------------------------------------------------------------------


def _trigger_rows() -> Iterator[Row]:
    for name, field in fields_of(Trigger).items():
        yield Row(name, sort_words(field), field.get("description", ""))
    yield Row("sweep", "a range, such as {idle: 1.98s..2.02s, step: 0.5ms}", SWEEP_SUMMARY)


def _trigger_pages() -> Iterator[Page]:
    for name, field in fields_of(Trigger).items():
        takers = [word for word, kind in all_faults().items() if name in allowed_triggers(kind)]
        yield _page(
            name,
            "trigger",
            _sentence(field),
            f"Write {sort_words(field)}.",
            f"Taken by {', '.join(takers)}.",
            _example("faults", (_trigger_example(name, takers),)),
        )


def _sweep_page() -> Page:
    takers = [
        word for word, kind in all_faults().items() if allowed_triggers(kind).intersection(SWEPT)
    ]
    return _page(
        "sweep",
        "trigger",
        f"{SWEEP_SUMMARY[0].upper()}{SWEEP_SUMMARY[1:]}.",
        f"Goes over one of {', '.join(SWEPT)}: write a range and a step, at most {VALUES_LIMIT} "
        "values, in one fault of a scenario. The verdict is the worst; the report shows for "
        "which values it fails, and `harness run ID --value 1.9985s` repeats one of them.",
        f"Taken by {', '.join(takers)}.",
        _example(
            "faults",
            ("- {fault: close, when: {request: every 1, sweep: {idle: 1.98s..2.02s, step: 1ms}}}",),
        ),
    )


SWEEP_SUMMARY = "the scenario runs once for each value in a range of one condition"


def _trigger_example(name: str, takers: list[str]) -> str:
    """An example that some fault gives, or one that is put together."""
    for fault in takers:
        for example in all_faults()[fault].EXAMPLES:
            if f"{name}:" in example and name not in fields_of(all_faults()[fault]):
                return f"- {example}"
    values = {"once": "true", "event": "connected", "byte": "512", "times": "3", "age": "30s"}
    extra = {"match": "'HTTP/1'", "backend": "blue", "for": "2s, at: 1s"}
    value = values.get(name) or extra.get(name) or "1"
    return f"- {{fault: close, when: {{{name}: {value}}}}}"


def _setting_pages() -> Iterator[Page]:
    yield _sweep_page()
    for where, kind in _SETTINGS.items():
        for name, field in fields_of(kind).items():
            yield _page(
                name,
                "key",
                _sentence(field),
                f"A key of {where}. Write {sort_words(field)}{_default(field)}.",
            )
    yield _page("workload", "key", "The phases, one after the other.", _fields_text(PhaseWords))
    yield _page("faults", "key", "What breaks, when and where: a list.", _example(
        "faults", ("- {fault: close, when: {idle: 2s}}",)))  # fmt: skip
    yield _page("expect", "key", "The checks, by name.", _example("expect", ("no_leaks: true",)))
    yield _page("origin", "key", _doc(Origin)[0], _fields_text(Origin))
    yield _page("proxy", "key", _doc(Proxy)[0], _fields_text(Proxy))
    yield _page("client", "key", _doc(ClientSettings)[0], _fields_text(PoolWords))
    yield _page("perturb", "key", _doc(Perturb)[0], _fields_text(Perturb), _PERTURB_EXAMPLE)
    yield _page("topology", "key", _doc(Topology)[0], _fields_text(Topology), _TOPOLOGY_EXAMPLE)
    yield _page("when", "key", _doc(Trigger)[0], _fields_text(Trigger))
    yield _page("direction", "key", "Which way the bytes travel that a fault works on.",
                "Write upstream (towards the server), downstream or both.")  # fmt: skip
    yield _page("side", "key", "Which end of the connection a fault strikes, or whose packets.",
                "Write client, backend or both.")  # fmt: skip


_PERTURB_EXAMPLE = "```yaml\nperturb: {think: 2s, grid: 100ms, delay: 4ms}\n```"

_TOPOLOGY_EXAMPLE = "```yaml\ntopology: {clients: 2, routers: 2}\n```"


def _glossary_pages() -> Iterator[Page]:
    for word, meaning in GLOSSARY.items():
        yield _page(word, "word", meaning)


# --- parts of a page ------------------------------------------------------------------------


def _sentence(field: dict[str, Any]) -> str:
    text = str(field.get("description") or "settings of their own").rstrip(".")
    return f"{text[0].upper()}{text[1:]}."


def _default(field: dict[str, Any]) -> str:
    if "default" not in field:
        return ""
    value = field["default"]
    shown = str(value).lower() if isinstance(value, bool) else value
    return f" (default: {shown})" if value not in ("", []) else ""


def _fields_text(kind: type[Any]) -> str:
    required = required_of(kind)
    lines = [
        f"- {name}{' (required)' if name in required else ''}: "
        f"{sort_words(field)}{_default(field)}{_described(field)}"
        for name, field in fields_of(kind).items()
    ]
    return "\n".join(lines)


def _described(field: dict[str, Any]) -> str:
    return f". {_sentence(field)}" if field.get("description") else ""


def _example(key: str, lines: tuple[str, ...]) -> str:
    body = "\n".join(f"  {line}" for line in lines)
    return f"```yaml\n{key}:\n{body}\n```"
