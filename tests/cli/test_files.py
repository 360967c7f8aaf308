"""``harness validate`` and ``harness schema``."""

import json

BAD = """scenario: x
seed: seven
workload:
  - {phase: work, calls: 3}
expect: {errors: 0}
"""


def test_right_scenarios_are_counted(here, harness):
    done = harness("validate")
    assert (done.exit_code, done.stdout) == (0, "2 scenarios are right\n")
    assert harness("validate", "a/one").stdout == "1 scenario is right\n"


def test_every_mistake_is_a_line_with_its_place(here, harness):
    for name in ("bad", "worse"):
        (here / f"{name}.yaml").write_text(BAD.replace("errors", "erors"))
    done = harness("validate", "bad.yaml", "worse.yaml", "a/one")
    assert done.exit_code == 3
    lines = done.stderr.splitlines()
    assert [line.partition(":")[0] for line in lines].count("bad.yaml") == 2
    assert [line.partition(":")[0] for line in lines].count("worse.yaml") == 2
    assert "bad.yaml:2:" in done.stderr
    assert "did you mean 'errors'?" in done.stderr


def test_words_of_other_tools_say_what_they_became(here, harness):
    text = BAD.replace("seven", "7") + "faults:\n  - {fault: delay, delay: 5ms}\n"
    (here / "x.yaml").write_text(text)
    done = harness("validate", "x.yaml")
    assert done.exit_code == 0
    assert "latency" in done.stdout


def test_the_schema_is_json_by_itself(harness):
    done = harness("schema")
    assert done.exit_code == 0
    assert json.loads(done.stdout)["title"] == "chaos-harness scenario"
