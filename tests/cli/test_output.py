"""Files beside the terminal: ``harness run --junit`` and ``--html``, and what can't be written."""

import json
import xml.etree.ElementTree as ET

import pytest

from harness.cli.output import output_problems, write_text
from harness.errors import SetupError


def test_a_run_writes_junit_and_a_page(here, harness):
    done = harness("run", "a", "--jobs", "1", "--junit", "o.xml", "--html", "o.html")
    assert done.exit_code == 0, done.output
    (case,) = ET.parse(here / "o.xml").iter("testcase")
    assert (case.get("classname"), case.get("name")) == ("reference.a", "one")
    page = (here / "o.html").read_text()
    assert "reference under chaos" in page
    assert 'aria-label="a/one, reference: passed"' in page


def test_junit_can_be_standard_output_and_then_people_read_the_other(here, harness):
    done = harness("run", "a", "--jobs", "1", "--junit", "-")
    assert ET.fromstring(done.stdout.encode()).get("tests") == "1"
    assert "1 passed" in done.stderr


def test_each_output_is_checked_before_anything_runs(here, harness):
    done = harness("run", "--junit", "no/such/x.xml", "--html", ".", "--json", "no/y.json")
    assert done.exit_code == 3
    assert "no/such/x.xml: --junit: its folder doesn't exist" in done.stderr
    assert ".: --html: this is a folder" in done.stderr
    assert "no/y.json: --json: its folder doesn't exist" in done.stderr
    assert "passed" not in done.stdout


def test_only_one_thing_fits_standard_output():
    assert output_problems({"--json": "-", "--html": None}) == []
    (problem,) = output_problems({"--json": "-", "--html": "-"})
    assert problem.message == "--json and --html: only one can be -"


def test_what_can_not_be_written_is_a_matter_of_set_up(tmp_path):
    with pytest.raises(SetupError, match="can't be written"):
        write_text(lambda: "text", str(tmp_path))


def test_half_a_character_is_written_out(tmp_path):
    file = tmp_path / "o.txt"
    write_text(lambda: "a\ud800b\n", str(file))
    assert file.read_bytes() == b"a\\ud800b\n"


def test_without_a_file_nothing_is_made():
    write_text(lambda: pytest.fail("made"), None)


def test_json_says_what_the_client_could_not_express(here, harness):
    (here / "my.py").write_text(
        "class Mine:\n"
        "    SUPPORTS = ()\n"
        "    async def open(self, settings): pass\n"
        "    async def call(self, call): pass\n"
        "    async def close(self): pass\n"
    )
    path = here / "scenarios/a/one.yaml"
    path.write_text(path.read_text() + "client: {pool: {pre_ping: true}}\n")
    done = harness("run", "a", "--client", "my.py:Mine", "--json", "-", "--jobs", "1")
    assert done.exit_code == 2
    value = json.loads(done.stdout)
    assert "pre_ping" in value["results"][0]["unsupported"]
    assert "not supported: " in done.stderr
