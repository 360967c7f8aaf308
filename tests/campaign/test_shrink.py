import pytest

from harness.campaign.shrink import shrink
from harness.campaign.simpler import expecting_only, with_fewer_items, with_rounder_times
from harness.errors import InputError
from harness.scenario import document_of, read_text, written

TEXT = """\
scenario: found
about: something is wrong
seed: 4711
origin: {serve: http, backends: [blue, green, red]}
client:
  pool: {size: 4, timeout: 2s, pre_ping: true}
workload:
  - {phase: warm, callers: 4, calls: 40, slow: 2ms}
  - {phase: quiet, pause: 347ms}
  - {phase: resume, callers: 6, calls: 60, unsafe: 37%, cancel: {probability: 5%, after: 3ms}}
perturb: {think: 4s, grid: 137ms, delay: 2ms}
faults:
  - {fault: latency, delay: 20ms}
  - {fault: close, when: {idle: 153ms, request: every 1, times: 4}, during: resume}
  - {fault: reset, when: {response: every 10}}
expect:
  errors: {at_most: 4, only: [reset, closed]}
  at_most_once: true
  no_leaks: true
"""


def document():
    return document_of(TEXT)


def is_right(tried):
    try:
        read_text(written(tried), file="x.yaml")
    except InputError:
        return False
    return True


def has_fault(tried, name):
    return any(fault["fault"] == name for fault in tried.get("faults", ()))


def callers(tried):
    return max(phase.get("callers", 1) for phase in tried["workload"])


def needs_a_close_and_two_callers(tried):
    return is_right(tried) and has_fault(tried, "close") and callers(tried) >= 2


def test_everything_goes_that_the_failure_does_not_need():
    shrunk = shrink(document(), needs_a_close_and_two_callers, "at_most_once")
    assert shrunk.finished
    (phase,) = shrunk.document["workload"]
    assert shrunk.document == {
        "scenario": "found",
        "about": "something is wrong",
        "seed": 0,
        "workload": [{"phase": phase["phase"], "callers": 2, "calls": 1}],
        "faults": [{"fault": "close"}],
        "recovery": False,
        "expect": {"at_most_once": True},
    }


def test_the_same_failure_shrinks_to_the_same_text():
    texts = {
        written(shrink(document(), needs_a_close_and_two_callers, "no_leaks").document)
        for _ in range(2)
    }
    assert len(texts) == 1


def test_the_document_given_is_not_changed():
    given = document()
    shrink(given, needs_a_close_and_two_callers, "no_leaks")
    assert given == document()


def test_what_never_fails_again_stays_as_it_is():
    shrunk = shrink(document(), lambda _: False, "no_leaks")
    assert shrunk.document == document()
    assert shrunk.finished


def test_the_number_of_runs_is_limited_and_the_smallest_so_far_is_kept():
    ran = []

    def fails(tried):
        ran.append(tried)
        return needs_a_close_and_two_callers(tried)

    shrunk = shrink(document(), fails, "at_most_once", runs_limit=30)
    assert (shrunk.runs, len(ran), shrunk.finished) == (30, 30, False)
    assert needs_a_close_and_two_callers(shrunk.document)


def test_nothing_is_tried_twice():
    tried = []
    shrink(document(), lambda d: tried.append(written(d)) or is_right(d), "no_leaks")
    assert len(tried) == len(set(tried))


def test_a_failure_that_needs_another_seed_once_the_scenario_is_smaller_is_still_found():
    def fails(tried):
        bold = len(tried["workload"]) == 1
        return is_right(tried) and tried["seed"] == (5 if bold else 4711)

    shrunk = shrink(document(), fails, "no_leaks")
    assert len(shrunk.document["workload"]) == 1
    assert shrunk.document["seed"] == 5


def test_each_step_is_told():
    steps = []
    shrunk = shrink(
        document(),
        needs_a_close_and_two_callers,
        "no_leaks",
        on_step=lambda found, runs: steps.append((found, runs)),
    )
    assert steps[-1][0] == shrunk.document
    assert [runs for _, runs in steps] == sorted({runs for _, runs in steps})


def test_the_failing_check_keeps_its_words():
    (found,) = expecting_only(document(), "errors")
    assert found["expect"] == {"errors": {"at_most": 4, "only": ["reset", "closed"]}}
    assert list(expecting_only(found, "errors")) == []


def test_a_check_that_is_always_on_is_named():
    (found,) = expecting_only(document(), "every_call_ends")
    assert found["expect"] == {"every_call_ends": True}
    assert is_right(found)


def test_lists_lose_all_then_halves_then_single_items():
    names = [
        "".join(fault["fault"][0] for fault in found.get("faults", ()))
        for found in with_fewer_items(document(), "faults")
    ]
    assert names == ["", "r", "lc", "cr", "lr", "lc"]


@pytest.mark.parametrize(
    ("time", "simpler"),
    [
        ("153ms", ["100ms", "200ms", "150ms"]),
        ("7s", ["1s", "10s", "2s", "5s"]),
        ("0.25s", ["100ms", "200ms", "500ms"]),
        ("20ms", ["10ms"]),
        ("10ms", []),
        ("0s", []),
    ],
)
def test_times_become_rounder(time, simpler):
    given = {"scenario": "x", "workload": [{"phase": "a", "pause": time}], "expect": {}}
    found = [proposal["workload"][0]["pause"] for proposal in with_rounder_times(given)]
    assert found == simpler
