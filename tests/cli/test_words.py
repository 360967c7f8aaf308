"""``harness list`` and ``harness explain``."""

import pytest

from harness.checks import all_checks
from harness.faults import all_faults


def test_every_fault_is_a_line(harness):
    done = harness("list", "faults")
    assert done.exit_code == 0
    assert [line.split()[0] for line in done.stdout.splitlines()] == sorted(all_faults())


def test_every_check_is_a_line(harness):
    lines = harness("list", "checks").stdout.splitlines()
    assert [line.split()[0] for line in lines] == sorted(all_checks())


def test_triggers_and_clients_are_listed(harness):
    assert "\nidle " in harness("list", "triggers").stdout
    assert "\nreference " in "\n" + harness("list", "clients").stdout


def test_scenarios_show_id_level_and_the_first_sentence(here, harness):
    done = harness("list", "scenarios")
    assert done.stdout.splitlines() == [
        "a/one  must    A caller calls.",
        "b/two  should  A caller calls.",
    ]


def test_a_broken_scenario_does_not_hide_the_others(here, harness):
    (here / "scenarios/bad.yaml").write_text("scenario: x\n")
    done = harness("list", "scenarios")
    assert done.exit_code == 3
    assert "a/one" in done.stdout
    assert "scenarios/bad.yaml" in done.stderr


def test_without_a_kind_everything_is_named(here, harness):
    lines = harness("list").stdout.splitlines()
    assert [line.split()[0] for line in lines] == [
        "faults", "checks", "triggers", "clients", "scenarios",
    ]  # fmt: skip
    assert "a (1), b (1)" in lines[-1]


def test_an_unknown_list_is_a_mistake_that_names_the_lists(harness):
    done = harness("list", "fault")
    assert done.exit_code == 3
    assert "there are faults, checks, triggers, clients, scenarios" in done.stderr


@pytest.mark.parametrize("word", ["stall", "at_most_once", "idle", "workload"])
def test_a_word_has_a_page(harness, word):
    done = harness("explain", word)
    assert done.exit_code == 0
    assert done.stdout.startswith(f"# {word}")


def test_an_unknown_word_names_the_nearest(harness):
    done = harness("explain", "stal")
    assert done.exit_code == 3
    assert "did you mean 'stall'?" in done.stderr


def test_a_client_has_a_page_with_its_mapping_and_what_it_can_do(harness):
    shown = harness("explain", "urllib3+idiomatic")
    assert shown.exit_code == 0
    assert "``timeout`` -> ``pool_timeout``" in shown.stdout
    assert "- can't: max_overflow, recycle" in shown.stdout
