"""``sweep:`` as it is read, expanded, and refused."""

import pytest
from hypothesis import given
from hypothesis import strategies as st

from harness.errors import InputError
from harness.scenario import at_value, exact_duration, explain, json_schema, read_text, variants
from harness.scenario.sweep import VALUES_LIMIT
from harness.units import parse_duration_s

TEXT = """scenario: swept
workload: [{{phase: load, calls: 4}}]
faults:
  - {faults}
expect: {{no_leaks: true}}
"""


def read(*faults):
    return read_text(TEXT.format(faults="\n  - ".join(faults)), file="s.yaml", id="idle/swept")


IDLE = "{fault: close, when: {request: every 1, sweep: {idle: 1.98s..2.02s, step: 0.5ms}}}"


def test_a_sweep_is_one_scenario_for_each_value_both_ends_included():
    swept = read(IDLE)
    found = variants(swept)
    assert len(found) == 81
    assert [v.faults[0].when.idle_s for v in found[:3]] == [1.98, 1.9805, 1.981]
    assert found[-1].faults[0].when.idle_s == 2.02
    assert found[1].id == "idle/swept[idle=1.9805s]"
    assert {v.base_id for v in found} == {"idle/swept"}
    assert {v.faults[0].when.request for v in found} == {swept.faults[0].when.request}


def test_a_variant_and_a_scenario_that_sweeps_nothing_stand_for_themselves():
    plain = read("{fault: close, when: {idle: 2s}}")
    assert variants(plain) == [plain]
    variant = variants(read(IDLE))[3]
    assert variants(variant) == [variant]


def test_a_sweep_may_stand_beside_its_fault_and_another_fault_beside_it():
    swept = read(
        "{fault: latency, delay: 1ms}",
        "{fault: stall, for: 1s, response: 2, sweep: {byte: 0..10, step: 5}}",
    )
    found = variants(swept)
    assert [v.faults[1].when.byte for v in found] == [0, 5, 10]
    assert [v.value for v in found] == ["byte=0", "byte=5", "byte=10"]
    assert all(v.faults[0] == swept.faults[0] for v in found)


def test_a_step_that_does_not_meet_the_end_stops_before_it():
    found = variants(read("{fault: close, sweep: {at: 1s..2s, step: 400ms}}"))
    assert [v.value for v in found] == ["at=1s", "at=1.4s", "at=1.8s"]


def test_one_value_can_be_chosen_also_between_two_steps():
    swept = read(IDLE)
    assert at_value(swept, "1.98123s").faults[0].when.idle_s == 1.98123
    assert at_value(swept, "idle=2s") == at_value(swept, "2s")
    assert at_value(at_value(swept, "2s"), "1.99s").id == "idle/swept[idle=1.99s]"


@pytest.mark.parametrize(
    ("text", "says"),
    [
        ("2", ".2. is not a duration"),
        ("soon", "'soon' is not a duration"),
        ("age=2s", "it doesn't sweep 'age'"),
    ],
)
def test_a_value_that_is_none_is_refused(text, says):
    with pytest.raises(InputError, match=says):
        at_value(read(IDLE), text)


def test_no_value_can_be_chosen_where_nothing_is_swept():
    with pytest.raises(InputError, match="it sweeps nothing"):
        at_value(read("{fault: close}"), "2s")


@pytest.mark.parametrize(
    ("fault", "says"),
    [
        ("{fault: close, sweep: 3}", r"s.yaml:4:27: .*sweep: 3 is no sweep; write sweep:"),
        ("{fault: close, sweep: {}}", "a sweep without a condition; add at: 1.98s..2.02s"),
        (
            "{fault: close, sweep: {idle: 1s..2s, age: 1s..2s, step: 1ms}}",
            "a sweep goes over one condition; keep one",
        ),
        ("{fault: close, sweep: {idel: 1s..2s, step: 1s}}", "unknown key 'idel'; did you mean"),
        ("{fault: close, sweep: {request: 1..2, step: 1}}", "unknown key 'request'"),
        ("{fault: refuse, sweep: {idle: 1s..2s, step: 1s}}", "unknown key 'idle'"),
        ("{fault: close, sweep: {idle: 2s, step: 1ms}}", "'2s' is not a range; write idle: 1.98s"),
        ("{fault: close, sweep: {idle: 1..2s, step: 1s}}", "'1' is not a duration"),
        ("{fault: close, sweep: {idle: 2s..1s, step: 1ms}}", "ends where it begins, or before"),
        ("{fault: close, sweep: {idle: 1s..2s}}", "the key 'step' is missing; add step: 0.5ms"),
        ("{fault: close, sweep: {idle: 1s..2s, step: 0s}}", "a step of nothing never comes"),
        ("{fault: close, sweep: {idle: 1s..2s, step: 3}}", "3 has no unit; write 250ms"),
        (
            "{fault: close, sweep: {idle: 1s..2s, step: 1us}}",
            r"1000001 values are 1000001 runs; at most 1000: a longer step",
        ),
        ("{fault: close, sweep: {byte: 0..1.5, step: 1}}", "'1.5' is not a whole number"),
        (
            "{fault: close, when: {idle: 1s, sweep: {idle: 1s..2s, step: 1s}}}",
            "idle is given, so it can't be swept; keep one",
        ),
        (
            (
                "{fault: close, sweep: {idle: 1s..2s, step: 1s}, "
                "when: {sweep: {idle: 1s..2s, step: 1s}}}"
            ),
            "sweep stands under when and beside it; keep one",
        ),
        (
            "{fault: close, event: connected, sweep: {byte: 1..2, step: 1}}",
            "an event has no bytes; drop event",
        ),
    ],
)
def test_a_sweep_that_makes_no_sense_is_refused_where_it_stands(fault, says):
    with pytest.raises(InputError, match=says):
        read(fault)


def test_two_sweeps_in_one_scenario_are_refused_at_the_second():
    sweep = "{fault: close, sweep: {idle: 1s..2s, step: 1s}}"
    with pytest.raises(InputError, match=r"s.yaml:5:\d+: faults\[1\].sweep: a second sweep"):
        read(sweep, sweep)


def test_the_limit_itself_is_no_mistake():
    assert len(variants(read(f"{{fault: close, sweep: {{byte: 1..{VALUES_LIMIT}, step: 1}}}}")))


def test_editors_and_help_know_it():
    schema = json_schema()["$defs"]["fault_close"]["properties"]
    assert set(schema["sweep"]["properties"]) == {"at", "idle", "age", "for", "byte", "step"}
    assert schema["when"]["properties"]["sweep"] == schema["sweep"]
    page = explain("sweep").text
    assert "one of at, idle, age, for, byte" in page
    assert "sweep: {idle: 1.98s..2.02s, step: 1ms}" in page


@given(st.integers(0, 10**13))
def test_an_exact_duration_is_read_as_the_same_number(nanoseconds):
    seconds = round(nanoseconds / 1e9, 9)
    assert parse_duration_s(exact_duration(seconds)) == seconds


@pytest.mark.parametrize(
    ("seconds", "text"), [(0, "0s"), (1.9805, "1.9805s"), (0.0005, "500us"), (0.0995, "99.5ms")]
)
def test_an_exact_duration_is_written_as_people_write_it(seconds, text):
    assert exact_duration(seconds) == text
