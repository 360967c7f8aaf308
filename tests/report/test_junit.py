"""JUnit XML: what viewers read, and nothing but a pass that looks like one.

The rules are those of the schema that most tools share: elements and attributes, required ones,
counts that agree, and no character that XML 1.0 forbids.
"""

import xml.etree.ElementTree as ET

import pytest
from made import finding, result

from harness.checks import Verdict
from harness.choice import ClientChoice
from harness.report import to_junit

PASS, FAIL, UNKNOWN = Verdict.PASS, Verdict.FAIL, Verdict.UNKNOWN
EVIL = "<b>&\"'\x00\x1b[31m\ud800\ufffe]]>\r\n\ttail\U0001f4a5"
CHILDREN = {
    "testsuites": {"testsuite"},
    "testsuite": {"properties", "testcase"},
    "properties": {"property"},
    "testcase": {"failure", "error", "skipped"},
}
REQUIRED = {
    "testsuites": {"name", "tests", "failures", "errors", "time"},
    "testsuite": {"name", "tests", "failures", "errors", "skipped", "time"},
    "property": {"name", "value"},
    "testcase": {"name", "classname", "time"},
    "failure": {"message", "type"},
    "error": {"message", "type"},
    "skipped": {"message"},
}
MIXED = [
    result(),
    result("idle/fin/bad", FAIL),
    result("idle/fin/odd", UNKNOWN),
    result("tls/alert", setup_error="no port", findings=()),
    result("tls/none", unsupported=("pre_ping",), findings=()),
    result("tls/should", FAIL, level="should"),
    result("tls/other", client="aiohttp"),
]


def parsed(results, **options):
    root = ET.fromstring(to_junit(results, **options).encode())
    check(root)
    return root


def check(element):
    """The common schema, as far as elements, attributes and numbers go."""
    assert REQUIRED.get(element.tag, set()) <= element.attrib.keys(), element.tag
    assert {child.tag for child in element} <= CHILDREN.get(element.tag, set())
    if element.tag in {"testsuites", "testsuite"}:
        cases = list(element.iter("testcase"))
        assert int(element.get("tests")) == len(cases)
        for attribute, tag in (("failures", "failure"), ("errors", "error")):
            found = sum(case.find(tag) is not None for case in cases)
            assert int(element.get(attribute)) == found
    if "time" in element.attrib:
        assert float(element.get("time")) >= 0
    if element.tag == "testcase":
        assert len(element) <= 1
    for child in element:
        check(child)


def ending(run, **options):
    (case,) = parsed([run], **options).iter("testcase")
    return case[0] if len(case) else None


def test_it_keeps_the_rules_of_the_common_schema():
    root = parsed(MIXED)
    assert root.tag == "testsuites"
    assert [root.get(name) for name in ("tests", "failures", "errors", "skipped")] == list("7122")
    assert [suite.get("name") for suite in root] == [
        "idle (reference)",
        "tls (aiohttp)",
        "tls (reference)",
    ]


def test_nothing_at_all_is_a_document_too():
    assert parsed([]).get("tests") == "0"


def test_only_a_pass_looks_like_a_pass():
    assert ending(result()) is None
    for run in MIXED[1:6]:
        for strict in (False, True):
            assert ending(run, strict=strict) is not None


def test_a_failure_tells_all_it_takes():
    failure = ending(result(verdict=FAIL))
    assert failure.tag == "failure"
    assert failure.get("type") == "at_most_once"
    assert failure.get("message") == "at_most_once: of 100 unsafe calls 1 ran more than once"
    for part in ("required", "expected", "actual", "1.2000 s  client", "harness run idle/fin/race"):
        assert part in failure.text


def test_more_findings_are_counted_in_the_message():
    run = result(findings=(finding(FAIL), finding(FAIL, check="no_leaks")))
    assert ending(run).get("message").endswith(" (and 1 more)")


def test_unknown_is_an_error_and_not_a_pass():
    error = ending(result(verdict=UNKNOWN))
    assert (error.tag, error.get("type")) == ("error", "unknown")


def test_what_could_not_be_set_up_is_an_error():
    error = ending(result(setup_error="port 80 is taken", findings=()))
    assert (error.tag, error.get("type")) == ("error", "set-up")
    assert error.get("message") == "set-up failed: port 80 is taken"


def test_what_is_not_supported_is_skipped_unless_strict():
    run = result(unsupported=("pre_ping", "recycle"), findings=())
    assert ending(run).tag == "skipped"
    assert ending(run).get("message") == "not supported: pre_ping, recycle"
    assert ending(run, strict=True).tag == "error"


@pytest.mark.parametrize("changes", [{"verdict": FAIL}, {"verdict": UNKNOWN}, {"setup_error": "x"}])
def test_a_level_that_does_not_count_breaks_no_build(changes):
    run = result(level="should", **changes)
    assert ending(run).tag == "skipped"
    assert "level should does not count" in ending(run).get("message")
    assert ending(run, strict=True).tag != "skipped"


def test_messages_may_hold_any_character():
    runs = [
        result(verdict=FAIL, findings=(finding(FAIL, actual=EVIL),)),
        result("a/b", setup_error=EVIL),
        result(
            "c/d", choice=ClientChoice("", command=f"./client {EVIL}"), environment={EVIL: EVIL}
        ),
    ]
    text = to_junit(runs)
    text.encode()
    root = parsed(runs)
    messages = [case[0].get("message") for case in root.iter("testcase") if len(case)]
    assert "<b>&\"'\\x00\\x1b[31m\\ud800\\ufffe]]>\r\n\ttail\U0001f4a5" in messages[0] + messages[1]


def test_every_run_has_a_name_of_its_own():
    runs = [result(round=number) for number in (1, 2, 3)]
    names = [case.get("name") for case in parsed(runs).iter("testcase")]
    assert names == ["fin/race", "fin/race #2", "fin/race #3"]


def test_properties_say_what_it_ran_on():
    root = parsed([result(environment={"python": "3.11", "redis": "6.4.0"})])
    found = {entry.get("name"): entry.get("value") for entry in root.iter("property")}
    assert found == {"python": "3.11", "redis": "6.4.0", "client": "reference"}


def test_order_of_ending_leaves_no_trace():
    assert to_junit(MIXED) == to_junit(MIXED[::-1])
