"""Points of torture as scenarios of their own."""

import pytest

from harness.campaign.points import STEPS_LIMIT, series_named, tortured_by
from harness.campaign.rehearsal import rehearsals
from harness.campaign.victims import cancel_series
from harness.errors import InputError
from harness.scenario import read_text
from harness.timeline import Data, Direction, Place

TEXT = """scenario: small
client: {{pool: {{size: 2, max_overflow: 1}}}}
{more}
workload:
  - {{phase: warm, calls: 4}}
  - {{phase: load, callers: 2, calls: 40, unsafe: 50%, cancel: {{step: 3}}}}
  - {{phase: quiet, pause: 1s}}
faults: [{faults}]
expect: {{errors: 3, connections_opened: 2, recovers_within: 2s, no_leaks: true}}
"""


def read(*faults, more=""):
    return read_text(TEXT.format(faults=", ".join(faults), more=more), file="s.yaml", id="a/small")


def checks(scenario):
    return {check.NAME for check in scenario.checks}


def test_the_victims_are_alone_the_first_of_many_and_the_first_who_waits():
    alone, first, waiting = cancel_series(read(), seed=9)
    assert [s.name for s in (alone, first, waiting)] == ["alone", "first", "waiting"]
    load = [s.point(1).scenario.workload[1] for s in (alone, first, waiting)]
    assert [phase.callers for phase in load] == [1, 5, 5]  # room for three, and two more
    victims = [s.point(7).scenario.faults[-1].fault for s in (alone, first, waiting)]
    assert [(v.step, v.call.number) for v in victims] == [(7, 1), (7, 1), (7, 4)]


def test_a_point_has_the_seed_its_own_name_and_what_holds_at_any_point():
    point = cancel_series(read("{fault: latency, delay: 1ms}"), seed=9)[0].point(7)
    assert point.name == "alone:7"
    assert point.scenario.id == "a/small[alone:7]"
    assert point.scenario.seed == 9
    assert checks(point.scenario) == {
        "at_most_once", "no_crosstalk", "no_leaks", "no_silent_truncation", "recovers_within",
        "slots_conserved",
    }  # fmt: skip
    assert all(phase.cancel is None for phase in point.scenario.workload)
    assert point.scenario.faults[-1].when.during == "load"


def test_without_faults_a_cancelled_caller_must_not_hurt_others():
    assert "errors" in checks(cancel_series(read(), seed=9)[0].point(1).scenario)


def test_what_is_written_is_read_as_the_same_scenario():
    for series in cancel_series(read(), seed=9):
        scenario = series.point(2).scenario
        again = read_text(scenario.source, file="", id=scenario.id)
        assert again == scenario


def test_each_of_the_first_calls_can_be_the_victim():
    series = cancel_series(read(), seed=9, calls=3)
    assert [s.name for s in series] == ["call-1", "call-2", "call-3"]
    assert series[2].point(1).scenario.faults[-1].fault.call.number == 3


def test_calls_that_begin_at_a_rate_are_cancelled_as_they_come():
    text = read().source.replace("callers: 2,", "rate: 20/s,")
    (series,) = cancel_series(read_text(text, file="s.yaml"), seed=9)
    assert series.name == "call-1"


def test_a_large_pool_is_made_smaller_where_others_wait():
    text = read().source.replace("size: 2", "size: 500, min_idle: 40")
    _, first, waiting = cancel_series(read_text(text, file="s.yaml"), seed=9)
    assert first.point(1).scenario.client.pool.size == 16
    assert waiting.point(1).scenario.workload[1].callers == 18


def test_steps_go_on_to_the_limit_and_not_beyond():
    series = cancel_series(read(), seed=9)[0]
    assert list(series.numbers()) == list(range(1, STEPS_LIMIT + 1))
    assert list(series.only(5).numbers()) == [5]
    with pytest.raises(InputError, match="there is no step 0"):
        series.only(0)


def test_a_series_is_known_by_its_name():
    found = cancel_series(read(), seed=9)
    assert series_named(found, "waiting").name == "waiting"
    assert series_named(found, "").name == "alone"
    with pytest.raises(InputError, match="there is no series 'wating'; did you mean 'waiting'"):
        series_named(found, "wating")


@pytest.mark.parametrize(
    ("faults", "what"),
    [
        ((), ("cancel",)),
        (("{fault: latency, delay: 1ms}",), ("cancel",)),
        (("{fault: reset, idle: 1s}",), ("cancel", "fault")),
        (("{fault: stall, for: 1s}",), ("cancel", "fault")),
        (("{fault: refuse}", "{fault: limit, bytes: 3}"), ("cancel",)),
    ],
)
def test_what_strikes_is_what_the_scenario_has(faults, what):
    assert tortured_by(read(*faults)) == what


def test_without_words_of_cancellation_a_fault_that_can_be_placed_strikes_alone():
    text = read("{fault: close}").source.replace(", cancel: {step: 3}", "")
    assert tortured_by(read_text(text, file="s.yaml")) == ("fault",)


# --- faults ---------------------------------------------------------------------------------


def hear(rehearsal, *messages):
    for connection, direction, exchange, payload in messages:
        rehearsal.heard.note(connection, direction, Data(0.0, payload, Place(exchange)))


UP, DOWN = Direction.UPSTREAM, Direction.DOWNSTREAM
TALK = [(1, UP, 1, b"a"), (1, DOWN, 1, b"b"), (1, UP, 2, b"cd"), (1, DOWN, 2, b"efg")]


def test_a_fault_is_placed_at_every_byte_of_a_request_and_its_response():
    scenario = read("{fault: latency, delay: 1ms}", "{fault: close, side: client, idle: 2s}")
    (rehearsal,) = rehearsals(scenario, seed=9)
    assert [spec.name for spec in rehearsal.dry.faults] == ["latency", "tap", "tap"]
    hear(rehearsal, *TALK)
    request, response = rehearsal.series()
    assert (request.name, response.name) == ("close/request", "close/response")
    assert list(request.numbers()) == [0, 1, 2]
    assert list(response.numbers()) == [0, 1, 2, 3]
    placed = response.point(3).scenario.faults[-1]
    assert placed.side == "client"
    assert placed.when.given() == {"connection", "response", "byte", "once"}
    assert (placed.when.response.number, placed.when.byte) == (2, 3)
    with pytest.raises(InputError, match=r"close/request has no point 3; they are 0\.\.2"):
        request.point(3)


def test_how_long_a_fault_lasts_stays_and_its_sweep_goes():
    fault = "{fault: stall, when: {for: 2s, sweep: {byte: 0..4, step: 1}}, during: load}"
    (rehearsal,) = rehearsals(read(fault), seed=9)
    hear(rehearsal, *TALK)
    when = rehearsal.series()[0].point(1).scenario.faults[-1].when
    assert when.for_s == 2.0
    assert when.during is None


def test_two_faults_of_one_name_are_told_apart_and_strike_one_at_a_time():
    found = list(rehearsals(read("{fault: close, idle: 2s}", "{fault: close, at: 3s}"), seed=9))
    assert [rehearsal.name for rehearsal in found] == ["close-1", "close-2"]
    assert [spec.name for r in found for spec in r.dry.faults] == ["tap"] * 4


def test_under_tls_a_fault_is_placed_at_records_too():
    more = "origin: {tls: false}\nproxy: {tls: terminate}"
    inside, records = rehearsals(read("{fault: reset}", more=more), seed=9)
    assert inside.dry.proxy.tls == "terminate"
    assert records.dry.proxy.tls == "passthrough"
    assert records.dry.origin.tls
    hello = bytes([22, 3, 1, 0, 4, 1, 2, 3, 4])
    hear(records, (1, UP, 1, hello), (1, DOWN, 1, hello + hello))
    (series,) = records.series()
    assert series.name == "reset/records"
    assert [series.point(n).label for n in series.numbers()] == [
        "request 1 byte 0", "request 1 byte 4", "request 1 byte 9",
        "response 1 byte 0", "response 1 byte 4", "response 1 byte 9",
        "response 1 byte 13", "response 1 byte 18",
    ]  # fmt: skip


def test_a_fault_that_must_read_what_tls_encloses_is_placed_inside_alone():
    (rehearsal,) = rehearsals(read("{fault: truncate}", more="proxy: {tls: terminate}"), seed=9)
    assert not rehearsal.records


def test_where_nothing_was_said_there_are_no_points():
    (rehearsal,) = rehearsals(read("{fault: reset}"), seed=9)
    assert rehearsal.series() == []
