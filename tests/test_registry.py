"""Open sets find their members by themselves."""

import importlib.metadata
import sys
import types

import pytest

from harness import registry


class Member:
    NAME = "foreign"


class Twin:
    NAME = "close"


def entry(kind):
    name = f"registry_test_{kind.__name__}"
    module = types.ModuleType(name)
    module.kind = kind
    sys.modules[name] = module
    return importlib.metadata.EntryPoint(kind.NAME, f"{name}:kind", "harness.faults")


@pytest.fixture
def foreign(monkeypatch):
    kinds = []
    monkeypatch.setattr(importlib.metadata, "entry_points", lambda group: map(entry, kinds))
    return kinds


def test_members_are_sorted_and_named():
    found = registry.members("harness.faults")
    assert list(found) == sorted(found)
    assert all(name == kind.NAME for name, kind in found.items())
    assert "reset" in found


def test_third_parties_add_members_by_entry_points(foreign):
    foreign.append(Member)
    assert registry.members("harness.faults")["foreign"] is Member


def test_two_members_of_one_name_are_a_bug(foreign):
    foreign.append(Twin)
    with pytest.raises(TypeError, match="two members named 'close'"):
        registry.members("harness.faults")


@pytest.mark.parametrize(
    ("word", "hint"),
    [
        ("rset", "did you mean 'reset'?"),
        ("xyzzy", "known are close, reset"),
    ],
)
def test_a_misspelt_word_gets_a_hint(word, hint):
    assert registry.did_you_mean(word, ["reset", "close"]) == hint


def test_where_nothing_is_known_nothing_is_meant():
    assert registry.did_you_mean("x", []) == "none is known"
