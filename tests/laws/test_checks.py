"""What holds for every check there is, on every history there could be."""

from __future__ import annotations

import dataclasses
import gc
import typing
from time import process_time
from typing import Any

import pytest
from hypothesis import given, settings
from hypothesis import strategies as st
from pydantic import TypeAdapter, ValidationError
from ruamel.yaml import YAML

from harness import history as ev
from harness.checks import EVIDENCE_LIMIT, Check, Finding, Verdict, all_checks
from harness.errors import ERROR_KINDS

GROUPS = {"safety", "conservation", "liveness", "load", "fairness", "errors", "meta"}
EXISTENTIAL = {"fault_fired"}
"""Checks that ask whether something happened: a history that stops early may show it."""


def read(check: type[Any], value: Any) -> Any:
    """The check that an ``expect`` entry asks for."""
    if value is True:
        value = {}
    elif not isinstance(value, dict):
        names = {field.name for field in dataclasses.fields(check)}
        assert check.SHORTHAND in names, f"{check.NAME} has no shorthand for {value!r}"
        return TypeAdapter(check).validate_python({shorthand(check): value})
    return TypeAdapter(check).validate_python(value)


def shorthand(check: type[Any]) -> str:
    return check.__pydantic_config__["alias_generator"](check.SHORTHAND)


def examples() -> list[Any]:
    """Every check as its own examples ask for it; two ways of writing one check are one."""
    asked = (
        read(check, YAML(typ="safe").load(text)[name])
        for name, check in all_checks().items()
        for text in check.EXAMPLES
    )
    return list(dict.fromkeys(asked))


CHECKS = examples()

WORDS = {
    "nonce": st.sampled_from(["a", "b", "c", "d"]),
    "reply_nonce": st.sampled_from(["a", "b", ""]),
    "phase": st.sampled_from(["warm", "work"]),
    "kind": st.sampled_from([*ERROR_KINDS, "", "weird"]),
    "outcome": st.sampled_from(["ok", "refused", "reset", "timeout", "other", ""]),
    "by": st.sampled_from(["client", "backend", "proxy", "fault:reset"]),
    "during": st.sampled_from(["open", "close"]),
    "hung": st.sampled_from(["", "phase work"]),
}
SMALL = st.integers(-1, 4)
INSTANTS = st.one_of(
    st.integers(0, 40).map(lambda tick: tick / 10),
    st.sampled_from([-1.0, 0.0, 1e9, float("inf"), float("-inf"), float("nan")]),
)


def values(name: str, kind: Any) -> st.SearchStrategy[Any]:
    if name in WORDS:
        return WORDS[name]
    if kind is str:
        return st.sampled_from(["", "blue", "green"])
    if kind is bool:
        return st.booleans()
    if kind is int:
        return st.one_of(SMALL, st.integers(-(2**63), 2**63))
    if kind is float:
        return INSTANTS
    return st.none() | INSTANTS if kind == float | None else st.just(())


def events(kind: type[ev.Event]) -> st.SearchStrategy[ev.Event]:
    hints = typing.get_type_hints(kind)
    parts = {
        field.name: values(field.name, hints[field.name]) for field in dataclasses.fields(kind)
    }
    return st.builds(kind, **parts)


CONCRETE = [kind for kind in ev.EVENT_TYPES.values() if kind not in {ev.CallEvent, ev.ProxyEvent}]
MAKERS = {kind: events(kind) for kind in CONCRETE}
# A few types in each history, so that what belongs together meets.
HISTORIES = (
    st.lists(st.sampled_from(CONCRETE), min_size=1, max_size=6, unique=True)
    .flatmap(lambda kinds: st.lists(st.one_of([MAKERS[kind] for kind in kinds]), max_size=30))
    .map(ev.History)
)


def plain(found: Finding) -> tuple[Any, ...]:
    return dataclasses.astuple(found)


@pytest.mark.parametrize("check", all_checks().values(), ids=all_checks())
def test_a_check_explains_itself(check):
    assert isinstance(CHECKS[0], Check)
    assert check.GROUP in GROUPS
    assert check.REQUIREMENT.endswith(".")
    assert check.EXAMPLES
    first_line = check.__doc__.splitlines()[0]
    assert first_line.endswith(".")
    assert "Unknown if" in check.__doc__ or check.GROUP == "meta"
    assert "Evidence:" in check.__doc__
    fields = {field.name for field in dataclasses.fields(check)}
    assert check.SHORTHAND is None or check.SHORTHAND in fields


@pytest.mark.parametrize("check", all_checks().values(), ids=all_checks())
def test_a_check_is_a_frozen_value_that_refuses_unknown_keys(check):
    first = read(check, YAML(typ="safe").load(check.EXAMPLES[0])[check.NAME])
    assert hash(first) == hash(dataclasses.replace(first))
    assert not hasattr(first, "__dict__")
    with pytest.raises(ValidationError):
        read(check, {"no_such_key": 1})


@pytest.mark.parametrize("check", CHECKS, ids=repr)
def test_nothing_seen_is_no_pass(check):
    found = check.judge(ev.History())
    assert found.check == check.NAME
    assert found.evidence == ()
    assert found.expected
    assert found.actual
    assert check.GROUP == "meta" or found.verdict == Verdict.UNKNOWN


@settings(max_examples=250, deadline=None)
@given(history=HISTORIES)
def test_a_judgement_never_raises_and_names_events_that_exist(history):
    for check in CHECKS:
        found = check.judge(history)
        assert all(0 <= number < len(history) for number in found.evidence), found
        assert len(found.evidence) <= EVIDENCE_LIMIT
        assert len(set(found.evidence)) == len(found.evidence), found


@settings(max_examples=100, deadline=None)
@given(history=HISTORIES)
def test_a_kept_history_is_judged_the_same(history):
    kept = ev.History.from_jsonl(history.to_jsonl())
    for check in CHECKS:
        assert plain(check.judge(kept)) == plain(check.judge(history))


@settings(max_examples=100, deadline=None)
@given(history=HISTORIES)
def test_a_history_that_stops_early_is_no_pass(history):
    cut = ev.History([event for event in history.events if not isinstance(event, ev.RunEnded)])
    for check in CHECKS:
        if check.NAME not in EXISTENTIAL:
            assert check.judge(cut).verdict != Verdict.PASS


def test_the_time_a_judgement_takes_grows_with_the_history_not_with_its_square():
    def cost_s(calls):
        history = busy_run(calls)
        gc.disable()  # its own cost grows with all that lives, not with what is judged
        try:
            begun_s = process_time()
            for check in CHECKS:
                check.judge(history)
            return process_time() - begun_s
        finally:
            gc.enable()

    cheap = min(cost_s(500) for _ in range(3))
    assert cost_s(8_000) < 100 * cheap, "some 16 times is usual, a square would be 256 times"


def busy_run(calls: int) -> ev.History:
    """Everything at once: calls that wait, connections that die, connects that fail."""
    history = ev.History()
    fake: Any = {"scenario": "x", "seed": 0, "client": "x", "fabric": "x", "pool_timeout_s": 1.0}
    history.add(ev.RunStarted(at_s=0, pool_size=2, pool_max_overflow=0, **fake))
    history.add(ev.BackendRetired(at_s=0, backend="blue", successor="green", drain=True))
    for i in range(calls):
        for event in busy_call(i, i / 1000, calls / 1000):
            history.add(event)
    history.add(ev.RunEnded(at_s=calls))
    return history


def busy_call(i: int, now_s: float, later_s: float) -> list[ev.Event]:
    nonce, port = str(i), 1 + i
    asked: Any = {"caller": i, "phase": "p", "unsafe": True, "expected_bytes": 1}
    got: Any = {"reply_nonce": nonce, "reply_bytes": 1, "expected_bytes": 1}
    outcome = "refused" if i % 3 else "ok"
    return [
        ev.CallInvoked(at_s=now_s, nonce=nonce, **asked),
        ev.Dialed(at_s=now_s, local_port=port, outcome=outcome, took_s=0.0),
        ev.ConnectionOpened(at_s=now_s, connection=port, client_port=port, backend="blue"),
        ev.Executed(at_s=now_s + later_s, nonce=nonce, backend="blue", unsafe=True),
        ev.CallOk(at_s=now_s + later_s, nonce=nonce, took_s=later_s, **got),
        ev.FaultFired(at_s=now_s, index=0, fault="reset", connection=port, ends=bool(i % 2)),
    ]
