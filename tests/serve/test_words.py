"""Faults and conditions as Python words."""

import subprocess
import sys

import pytest

from harness.errors import InputError
from harness.faults import all_faults
from harness.scenario.grammar import TRIGGER_WORDS
from harness.serve import words
from harness.serve.words import (
    Age,
    Byte,
    Connection,
    Every,
    First,
    Idle,
    Once,
    Response,
    When,
    fault_classes,
    fault_named,
)


def test_every_fault_has_a_class_named_after_it():
    assert set(fault_classes().values()) == set(all_faults())
    for name, word in fault_classes().items():
        assert word == fault_named(name).FAULT
        assert fault_named(word) is fault_named(word)
        assert fault_named(name).__name__ == name


def test_no_fault_is_called_like_a_condition():
    assert not {name for name in fault_classes() if hasattr(words, name)}


def test_an_unknown_fault_names_the_nearest():
    with pytest.raises(InputError, match="did you mean 'Latency'"):
        fault_named("Latenzy")


def test_every_condition_of_scenarios_has_a_word():
    kinds = [kind for kind in vars(words).values() if isinstance(kind, type)]
    conditions = [kind for kind in kinds if issubclass(kind, When) and kind is not When]
    known = {kind.__name__.lower() for kind in conditions}
    assert known == set(TRIGGER_WORDS)
    for kind in conditions:
        made = kind() if kind is Once else kind("x")
        assert list(made.words) == [kind.__name__.lower()]


def test_conditions_are_joined():
    both = Response(Every(3)) & Byte(512)
    assert both.words == {"response": "every 3", "byte": 512}
    assert both == When(response="every 3", byte=512)
    assert When(for_="1s").words == {"for": "1s"}
    assert Connection(First(2)).words == {"connection": "first 2"}


def test_a_condition_given_twice_is_a_mistake():
    with pytest.raises(InputError, match="idle is given twice"):
        Idle(1) & Age(2) & Idle(3)


def test_they_show_what_they_are():
    fault = fault_named("latency")(delay="20ms", jitter=0.005)
    assert repr(fault) == "Latency(delay='20ms', jitter=0.005)"
    assert fault.entry == {"fault": "latency", "delay": "20ms", "jitter": 0.005}
    assert repr(Idle("2s") & Once()) == "When(idle='2s', once=True)"


def test_they_need_none_of_the_harness_s_libraries():
    heavy = ("trio", "pydantic", "ruamel", "rich", "click", "trustme", "h11")
    code = (
        "import sys, harness.serve as serve; serve.fault_named('reset')();"
        f"print([name for name in {heavy!r} if name in sys.modules])"
    )
    done = subprocess.run([sys.executable, "-c", code], capture_output=True, text=True, check=True)
    assert done.stdout.strip() == "[]"
