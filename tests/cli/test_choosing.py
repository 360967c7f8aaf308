"""Scenarios whose server isn't here are left out, unless somebody asks for them."""

import pytest

from harness.origin import programs

POSTGRES = """scenario: database
origin: {serve: postgres, backends: [nowhere]}
recovery: false
workload: [{phase: load, calls: 2}]
expect: {errors: 0}
"""


@pytest.fixture
def nothing_installed(monkeypatch):
    monkeypatch.setattr(programs, "installed", lambda _: iter(()))


@pytest.fixture
def with_database(here):
    path = here / "scenarios/db/one.yaml"
    path.parent.mkdir()
    path.write_text(POSTGRES)
    return path


@pytest.mark.usefixtures("with_database", "nothing_installed")
def test_without_a_name_what_cannot_be_served_is_left_out_and_told(harness):
    done = harness("run", "--jobs", "1")
    assert done.exit_code == 0
    assert "left out: 1 scenario; there is no PostgreSQL here; pip install 'chaos-" in done.output
    assert "a/one" in done.output
    assert "db/one" not in done.output


@pytest.mark.usefixtures("with_database", "nothing_installed")
def test_by_name_it_fails_to_be_set_up(harness):
    done = harness("run", "db/one")
    assert done.exit_code == 4
    assert "set-up failed: there is no PostgreSQL here; " in done.output


@pytest.mark.usefixtures("nothing_installed")
def test_if_there_is_no_other_it_fails_to_be_set_up(harness, with_database):
    for path in (with_database.parents[1] / "a/one.yaml", with_database.parents[1] / "b/two.yaml"):
        path.unlink()
    assert harness("run", "--jobs", "1").exit_code == 4


@pytest.mark.usefixtures("with_database")
def test_in_virtual_time_real_servers_are_left_out_or_refused(harness):
    done = harness("run", "--on", "virtual", "--jobs", "1")
    assert done.exit_code == 0
    assert (
        "left out: 1 scenario; what they need runs on loopback and netns alone, not on"
        in done.output
    )
    done = harness("run", "db/one", "--on", "virtual")
    assert done.exit_code == 3
    assert "one.yaml:2:17: origin.serve: postgres needs real time, and the virtual" in done.output
