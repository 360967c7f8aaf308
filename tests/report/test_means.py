"""What performed the faults is said wherever a report has room, if there was a choice."""

from made import result

from harness import history as ev
from harness.report import Look, ending, to_html, to_json


def armed(**means):
    story = ev.History()
    for index, (fault, by) in enumerate(means.items()):
        story.add(ev.FaultArmed(at_s=0.0, index=index, fault=fault, means=by))
    return story


RUNS = [
    result("a", fabric="netns", history=armed(loss="router", latency="netem")),
    result("b", fabric="netns", history=armed(latency="proxy", link_down="host")),
]
WHOLE = "performed by: client's host: link_down · netem: latency · packet router: loss"


def test_the_last_lines_name_each_fault_once():
    assert WHOLE in ending(RUNS, Look())


def test_nothing_is_said_where_there_was_no_choice():
    runs = [result(history=armed(loss=""))]
    assert "performed" not in ending(runs, Look())
    assert to_json(runs)["results"][0]["performed_by"] == {}


def test_programs_get_it_for_each_run():
    told = [run["performed_by"] for run in to_json(RUNS)["results"]]
    assert told == [
        {"latency": ["netem"], "loss": ["router"]},
        {"latency": ["proxy"], "link_down": ["host"]},
    ]


def test_the_page_says_it_of_each_cell():
    page = to_html(RUNS)
    assert "performed by" in page
    assert "packet router: loss" in page


def test_histories_from_before_are_still_read():
    line = '{"id": 0, "witness": "proxy", "type": "FaultArmed", "at_s": 0.0, "index": 0, '
    history = ev.History.from_jsonl(line + '"fault": "loss"}\n')
    assert history.events == [ev.FaultArmed(at_s=0.0, index=0, fault="loss")]
