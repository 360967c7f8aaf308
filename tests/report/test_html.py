"""The page: whole in one file, readable without a script, and nobody's script but ours in it."""

import re
from base64 import b64encode
from hashlib import sha256

import pytest
from made import finding, history, result
from pages import EVIL, Page

from harness.checks import Verdict
from harness.choice import ClientChoice
from harness.report import to_html
from harness.report.matrix import CLASSES, SIGNS, State
from harness.scenario import Scenario

PASS, FAIL, UNKNOWN = Verdict.PASS, Verdict.FAIL, Verdict.UNKNOWN
MIXED = [
    result("idle/a"),
    result("idle/b", FAIL),
    result("tls/c", UNKNOWN),
    result("idle/a", client="aiohttp"),
    result("idle/b", client="aiohttp", unsupported=("pre_ping",), findings=()),
    result("tls/c", client="aiohttp", setup_error="no port", findings=()),
]


BOTH = [ClientChoice("reference"), ClientChoice("aiohttp")]


def page(results=MIXED, choices=()):
    return Page(to_html(results, choices))


def details(shown, number=0):
    """The details of a cell, with texts for their numbers."""
    data = shown.data

    def told(value):
        return [told(item) for item in value] if isinstance(value, list) else data["texts"][value]

    cell = data["cells"][number]
    keys = ("about", "version", "facts", "notes", "findings", "command")
    return dict(zip(keys, map(told, cell[2:]), strict=True))


def test_nothing_is_fetched_from_anywhere():
    text = to_html(MIXED)
    assert not re.search(r"https?://|@import|url\(|src=", text)


def test_the_policy_lets_nothing_run_or_style_but_ours():
    shown = page()
    policy = shown.one("meta", **{"http-equiv": "Content-Security-Policy"})["content"]
    assert "default-src 'none'" in policy
    assert "unsafe" not in policy
    for tag in ("style", "script"):
        ours = shown.all(tag)[-1]["text"]
        digest = b64encode(sha256(ours.encode()).digest()).decode()
        assert f"{tag}-src 'sha256-{digest}'" in policy
    assert not [e for e in shown.elements if any(k.startswith("on") or k == "style" for k in e)]


def test_without_a_script_the_table_is_there():
    shown = page(MIXED, BOTH)
    rows = [row["data-scenario"] for row in shown.all("tr") if "data-scenario" in row]
    assert rows == ["idle/a", "idle/b", "tls/c"]
    buttons = [e for e in shown.all("button") if "data-i" in e]
    assert [button["text"] for button in buttons] == ["✓", "✓", "✗", "∅", "?", "!"]
    assert buttons[2]["aria-label"] == "idle/b, reference: failed"
    assert "hidden" in shown.one("form")


def test_no_verdict_is_a_colour_alone():
    for button in (e for e in page().all("button") if "data-i" in e):
        (state,) = (state for state, name in CLASSES.items() if name == button["class"])
        assert button["text"] == SIGNS[state]
        assert button["aria-label"].rpartition(": ")[2] in {state.value, "passed", "failed"}


def test_a_pair_that_does_not_apply_is_no_cell():
    shown = page([result("a/b"), result("c/d", client="x")])
    assert [cell["text"] for cell in shown.all("td", **{"class": "na"})] == ["—"] * 4
    assert len(shown.data["cells"]) == 2


def test_a_cell_opens_to_all_there_is():
    told = details(page([result(verdict=FAIL)]))
    assert told["findings"] == [
        [
            "at_most_once",
            "fail",
            "A call that is not safe to repeat must never be sent again.",
            "every unsafe call executed at most once",
            "of 100 unsafe calls 1 ran more than once",
            [
                ["1.2000 s", "client", "unsafe call p1-c0-9f03ab begins (caller 2, phase resume)"],
                [
                    "1.2500 s",
                    "client",
                    "call p1-c0-9f03ab failed after 50ms: reset (reset by peer)",
                ],
                ["1.2000 s", "client", "unsafe call p1-c1-9f03ab begins (caller 2, phase resume)"],
            ],
        ]
    ]
    assert told["command"] == "harness run idle/fin/race --seed 7"
    assert ["recovers after", "12ms"] in told["facts"]


def test_what_passed_comes_last_and_without_evidence():
    findings = (finding(PASS, check="no_leaks"), finding(FAIL))
    told = details(page([result(findings=findings)]))["findings"]
    assert [(check, verdict) for check, verdict, *_ in told] == [
        ("at_most_once", "fail"),
        ("no_leaks", "pass"),
    ]
    assert told[1][-1] == []


def test_the_scenario_and_the_versions_are_told():
    scenario = Scenario(id="a/b", name="b", about="What it\n shows.")
    told = details(page([result(scenario=scenario, environment={"httpx": "0.28"})]))
    assert (told["about"], told["version"]) == ("What it shows.", "httpx 0.28")


@pytest.mark.parametrize(
    ("changes", "note"),
    [
        ({"unsupported": ("pre_ping",)}, "Nothing ran: not supported: pre_ping."),
        ({"setup_error": "no port"}, "Set-up failed: no port"),
    ],
)
def test_what_did_not_run_says_why(changes, note):
    assert details(page([result(findings=(), **changes)]))["notes"] == [note]


def test_rounds_that_disagree_show_the_worst_and_how_many_passed():
    shown = page([result(round=1), result(verdict=FAIL, round=2), result(round=3)])
    assert details(shown)["findings"][0][1] == "fail"
    assert ["passed", "2 of 3 runs"] in details(shown)["facts"]
    (button,) = (e for e in shown.all("button") if "data-i" in e)
    assert (button["class"], button["text"]) == ("flaky", "~2/3")


def test_texts_of_others_stay_texts():
    runs = [
        result(verdict=FAIL, findings=(finding(FAIL, actual=EVIL, check=EVIL),)),
        result(f"x{EVIL}/{EVIL}", choice=ClientChoice("", command=EVIL)),
        result("a/b", client="c", setup_error=EVIL, environment={EVIL: EVIL}),
    ]
    text = to_html(runs)
    shown = Page(text)
    assert len(shown.all("script")) == 2
    assert not shown.all("img")
    assert "<!--" not in text
    assert "\x1b" not in text
    text.encode()
    found = [details(shown, number) for number in range(3)]
    assert any("</script><script>alert(1)" in str(each) for each in found)


def test_every_control_is_named():
    shown = page()
    labels = {label["for"] for label in shown.all("label") if "for" in label}
    for control in (*shown.all("input"), *shown.all("select")):
        around = [label for label in shown.all("label") if label["text"].strip()]
        assert control["id"] in labels or around
    assert all(b["text"].strip() or b.get("aria-label") for b in shown.all("button"))
    assert shown.one("html")["lang"] == "en"
    assert "width=device-width" in shown.one("meta", name="viewport")["content"]
    heads = shown.all("th", scope="col")
    assert {"scenario", "reference", "aiohttp"} <= {head["text"] for head in heads}


def test_one_client_has_a_page_of_its_own():
    shown = page([result(), result("a/b", FAIL)])
    assert shown.one("h1")["text"] == "reference under chaos"
    assert shown.all("table", **{"class": "cells solo"})


def test_it_has_styles_for_dark_for_phones_and_for_paper():
    style = page().one("style")["text"]
    for query in ("prefers-color-scheme: dark", "max-width", "print", "prefers-reduced-motion"):
        assert query in style


def test_two_thousand_cells_stay_small():
    same = {"findings": tuple(finding(PASS, check=f"check_{n}") for n in range(6))}
    same["history"] = history()
    runs = [
        result(f"family_{n % 20}/case_{n:03}", client=f"client_{c}", **same)
        for n in range(125)
        for c in range(16)
    ]
    text = to_html(runs)
    assert len(Page(text).data["cells"]) == 2000
    assert len(text) < 2_000_000


def test_nothing_at_all_is_a_page_too():
    assert page([]).data["cells"] == []


def test_every_state_is_in_the_legend():
    legend = page().one("ul", **{"class": "legend"})["text"]
    assert all(SIGNS[state] in legend for state in State)
