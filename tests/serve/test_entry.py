"""From a fault as a test asks for it to the fault that a proxy arms."""

import pytest

from harness.errors import InputError
from harness.faults import all_faults
from harness.serve.entry import Surroundings, read_entry
from harness.worker.contract import PROTOCOLS

PLAIN = Surroundings(("blue", "green"))


def mistake(entry, around=PLAIN):
    with pytest.raises(InputError) as raised:
        read_entry(entry, around)
    return str(raised.value)


def test_words_are_those_of_scenarios():
    spec = read_entry(
        {"fault": "latency", "delay": "20ms ± 5ms", "direction": "upstream", "times": 3}, PLAIN
    )
    assert (spec.name, spec.fault.delay_s.mean_s, spec.when.times) == ("latency", 0.02, 3)
    assert spec.direction == "upstream"


def test_bare_numbers_are_seconds_shares_and_bytes():
    spec = read_entry(
        {
            "fault": "latency",
            "delay": 0.02,
            "correlation": 0.25,
            "when": {"idle": 2, "probability": 0.5, "for": 1.5, "connection": 3},
        },
        PLAIN,
    )
    assert spec.fault.delay_s.mean_s == 0.02
    assert spec.fault.correlation == 0.25
    assert (spec.when.idle_s, spec.when.probability, spec.when.for_s) == (2.0, 0.5, 1.5)
    assert spec.when.connection.number == 3
    rate = read_entry({"fault": "bandwidth", "rate": 2048}, PLAIN).fault
    assert rate.rate_bytes_per_s == 2048
    assert read_entry({"fault": "limit", "bytes": 512}, PLAIN).name == "limit"


def test_an_alias_takes_bare_numbers_too():
    assert read_entry({"fault": "delay", "delay": 1}, PLAIN).fault.delay_s.mean_s == 1.0


def test_a_phase_may_have_any_name():
    assert read_entry({"fault": "reset", "during": "load"}, PLAIN).when.during == "load"
    spec = read_entry({"fault": "reset", "when": {"during": "load", "idle": 1}}, PLAIN)
    assert spec.when.during == "load"


@pytest.mark.parametrize(
    ("entry", "told"),
    [
        ({"fault": "rset"}, "fault: unknown fault 'rset'; did you mean 'reset'?"),
        ({}, "the key 'fault' is missing; name one, such as fault: close"),
        ({"fault": "reset", "when": {"idel": 1}}, "when.idel: unknown key"),
        ({"fault": "reset", "idle": "2"}, "idle: '2' is not a duration"),
        ({"fault": "reset", "idle": float("nan")}, "is not a duration"),
        ({"fault": "rotate", "to": "grene"}, "to: no backend is called 'grene'"),
        ({"fault": "blackhole"}, "blackhole needs packets, and this proxy has real sockets"),
        ({"fault": "backlog_full"}, "backlog_full needs a kernel with links of its own, and this"),
        ({"fault": "sock_destroy"}, "sock_destroy needs a kernel with links of its own, and this"),
        ({"fault": "cancel", "after": 0.001}, "cancel strikes callers"),
        ({"fault": "handshake_reset"}, "open it with tls: terminate"),
        ({"fault": "reset", "sweep": {"idle": "1s..2s", "step": "1s"}}, "write it as a scenario"),
    ],
)
def test_a_mistake_is_told_without_a_place_in_a_text_nobody_wrote(entry, told):
    text = mistake(entry)
    assert told in text
    assert "faults[0]" not in text
    assert ":1:" not in text


def test_all_mistakes_are_told_at_once():
    text = mistake({"fault": "latency", "delay": "20", "jitter": "x", "idle": "y"})
    assert len(text.splitlines()) == 3


@pytest.mark.parametrize("protocol", PROTOCOLS)
def test_whatever_the_backend_speaks_connections_break(protocol):
    for tls in ("off", "passthrough", "terminate"):
        around = Surroundings(("blue", "green"), tls, protocol)
        assert read_entry({"fault": "reset", "when": {"idle": 1}}, around).when.idle_s == 1.0


def test_one_backend_is_not_enough_to_rotate():
    assert "open it with two backends" in mistake({"fault": "rotate"}, Surroundings(("blue",)))


def test_whatever_is_asked_is_a_fault_or_a_mistake():
    for name in all_faults():
        for tls in ("off", "passthrough", "terminate"):
            try:
                spec = read_entry({"fault": name}, Surroundings(("blue", "green"), tls))
            except InputError:
                continue
            assert spec.name == name
