"""Work that must be confined is done apart from work that must not."""

from contextlib import contextmanager

from harness.runner import jobs as module
from harness.runner.executors import Here
from harness.runner.jobs import spread


def test_what_must_be_confined_comes_last_by_an_executor_of_its_own(monkeypatch):
    opened = []

    @contextmanager
    def record(spec, at_once, on_progress, *, confined):
        opened.append((spec, at_once, confined))
        with Here() as executor:
            yield executor

    monkeypatch.setattr(module, "open_executor", record)
    told = list(spread("process", 4, str, [1, 2, 3, 4, 5], lambda item: item in {1, 4}))
    assert told == [(2, "2"), (3, "3"), (5, "5"), (1, "1"), (4, "4")]
    assert opened == [("process", 3, False), ("process", 2, True)]


def test_nothing_is_opened_for_nobody(monkeypatch):
    opened = []

    @contextmanager
    def record(spec, at_once, on_progress, *, confined):
        opened.append(confined)
        with Here() as executor:
            yield executor

    monkeypatch.setattr(module, "open_executor", record)
    assert list(spread("process", 2, str, [7], lambda _: False)) == [(7, "7")]
    assert opened == [False]
    assert list(spread("process", 2, str, [], lambda _: False)) == []
    assert opened == [False]
