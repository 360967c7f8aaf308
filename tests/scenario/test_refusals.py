"""Where a scenario runs, and which fabric can't play it."""

import dataclasses

import pytest

from harness.errors import InputError
from harness.runner import run_scenario
from harness.scenario import read_text, refusals

FAULTS = """faults:
  - {fault: close, when: {idle: 2s}}
  - {fault: blackhole, during: load}
  - fault: loss
    rate: 5%
    side: both
"""


def read(text):
    return read_text(text, file="f.yaml")


def test_a_scenario_without_packet_faults_is_at_home_on_loopback(small):
    scenario = read(small + "faults: [{fault: close, idle: 2s}]\n")
    assert (scenario.fabric, scenario.home, scenario.needs_packets) == (None, "loopback", False)
    assert refusals(scenario, "loopback") == []


def test_a_scenario_with_packet_faults_is_at_home_where_packets_are(small):
    scenario = read(small + FAULTS)
    assert (scenario.fabric, scenario.home, scenario.needs_packets) == (None, "virtual", True)


@pytest.mark.parametrize("fabric", ["loopback", "virtual"])
def test_a_scenario_can_say_where_it_is_at_home(small, fabric):
    scenario = read(small + f"fabric: {fabric}\n")
    assert (scenario.fabric, scenario.home) == (fabric, fabric)


def test_each_fault_that_a_fabric_lacks_is_told_at_its_place(small):
    scenario = read(small + FAULTS)
    why = "needs packets, and the loopback fabric has none; say --on virtual"
    assert [str(problem) for problem in refusals(scenario, "loopback")] == [
        f"f.yaml:6:13: faults[1].fault: blackhole {why}",
        f"f.yaml:7:12: faults[2].fault: loss {why}",
    ]
    assert refusals(scenario, "virtual") == []


def test_a_scenario_that_was_made_without_a_text_is_refused_all_the_same(small):
    scenario = dataclasses.replace(read(small + FAULTS), source="", file="")
    told = refusals(scenario, "loopback")
    assert [problem.message.partition(" ")[0] for problem in told] == ["blackhole", "loss"]


def test_a_packet_fault_strikes_the_clients_side_unless_told_otherwise(small):
    close, blackhole, loss = read(small + FAULTS).faults
    assert (close.side, blackhole.side, loss.side) == ("both", "client", "both")


def test_a_condition_about_a_connection_strikes_flows_and_any_other_the_link(small):
    entries = {
        "{fault: blackhole}": True,
        "{fault: blackhole, at: 1s, for: 2s, during: load}": True,
        "{fault: blackhole, idle: 1s}": False,
        "{fault: blackhole, connection: 3}": False,
        "{fault: blackhole, probability: 5%}": False,
        "{fault: blackhole, once: true}": False,
        "{fault: drop_syn, probability: 5%}": True,
        "{fault: close, at: 1s}": False,
    }
    for entry, on_link in entries.items():
        (spec,) = read(small + f"faults: [{entry}]\n").faults
        assert spec.on_link is on_link, entry


def test_words_of_other_tools_become_ours_with_a_note(small):
    scenario = read(small + "faults: [{fault: gemodel, p: 1%, r: 10%}]\n")
    assert scenario.faults[0].name == "loss"
    assert scenario.notes == ("f.yaml:4:18: faults[0].fault: 'gemodel' is called 'loss' here",)


@pytest.mark.parametrize("serve", ["postgres", "redis", "{address: 'h:1', protocol: http}"])
def test_a_server_of_its_own_needs_real_time(small, serve):
    scenario = read(small + f"origin: {{serve: {serve}}}\n")
    assert (scenario.home, refusals(scenario, "loopback")) == ("loopback", [])
    (told,) = refusals(scenario, "virtual")
    assert str(told).startswith("f.yaml:4:17: origin.serve: ")
    assert str(told).endswith("needs real time, and the virtual fabric has none; say --on loopback")
    with pytest.raises(InputError, match="needs real time"):
        run_scenario(scenario, fabric="virtual")
