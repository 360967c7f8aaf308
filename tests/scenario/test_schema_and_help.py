"""The schema accepts what the reader accepts, and every word has its page."""

import json
import re

import pytest
from ruamel.yaml import YAML

from harness.checks import all_checks
from harness.errors import InputError
from harness.faults import all_faults, allowed_triggers, fault_aliases
from harness.scenario import GLOSSARY, explain, json_schema, listing, read_text, words

SCHEMA = json_schema()
TYPES = {
    "object": dict,
    "array": list,
    "string": str,
    "boolean": bool,
    "null": type(None),
    "number": (int, float),
    "integer": int,
}
UNDERSTOOD = {
    "$schema", "$defs", "$ref", "title", "description", "examples", "default", "type",
    "properties", "required", "additionalProperties", "minProperties", "items", "minItems",
    "anyOf", "oneOf", "enum", "const", "pattern", "minLength", "maxLength", "minimum",
    "maximum", "exclusiveMinimum", "exclusiveMaximum",
}  # fmt: skip


def fits(schema, value):
    """Whether a value is valid, by as much of JSON Schema as this schema uses."""
    assert set(schema) <= UNDERSTOOD, set(schema) - UNDERSTOOD
    if "$ref" in schema:
        return fits(SCHEMA["$defs"][schema["$ref"].removeprefix("#/$defs/")], value)
    return all(rule(schema, value) for rule in (of_type, of_choices, of_object, of_array, of_text))


def of_type(schema, value):
    wanted = schema.get("type")
    odd = isinstance(value, bool) and wanted in {"integer", "number"}
    return wanted is None or (isinstance(value, TYPES[wanted]) and not odd)


def of_choices(schema, value):
    if "enum" in schema and value not in schema["enum"]:
        return False
    if "anyOf" in schema and not any(fits(s, value) for s in schema["anyOf"]):
        return False
    return "oneOf" not in schema or sum(fits(s, value) for s in schema["oneOf"]) == 1


def of_object(schema, value):
    if not isinstance(value, dict):
        return True
    fields = schema.get("properties", {})
    if schema.get("additionalProperties") is False and set(value) - set(fields):
        return False
    known = all(fits(fields[name], inner) for name, inner in value.items() if name in fields)
    enough = len(value) >= schema.get("minProperties", 0)
    return known and enough and set(schema.get("required", ())) <= set(value)


def of_array(schema, value):
    if not isinstance(value, list) or "items" not in schema:
        return True
    enough = len(value) >= schema.get("minItems", 0)
    return enough and all(fits(schema["items"], item) for item in value)


def of_text(schema, value):
    if isinstance(value, str):
        return re.search(schema.get("pattern", ""), value) is not None
    if isinstance(value, int | float) and not isinstance(value, bool):
        return schema.get("minimum", value) <= value <= schema.get("maximum", value)
    return True


def load(text):
    return YAML(typ="safe", pure=True).load(text)


def test_the_schema_is_json_and_names_its_dialect():
    assert SCHEMA["$schema"] == "https://json-schema.org/draft/2020-12/schema"
    assert json.loads(json.dumps(SCHEMA)) == SCHEMA


def test_the_schema_takes_the_whole_language(full, small):
    assert fits(SCHEMA, load(full))
    assert fits(SCHEMA, load(small))


@pytest.mark.parametrize(
    "change",
    [
        {"sceanrio": "x"},
        {"workload": []},
        {"workload": [{"phase": "a", "calls": "4"}]},
        {"faults": [{"fault": "clos"}]},
        {"faults": [{"fault": "close", "idle": 2}]},
        {"faults": [{"fault": "refuse", "idle": "2s"}]},
        {"faults": [{"fault": "refuse", "side": "client"}]},
        {"faults": [{"fault": "latency"}]},
        {"faults": [{"fault": "blackhole", "byte": 3}]},
        {"faults": [{"fault": "link_down", "side": "client"}]},
        {"faults": [{"fault": "drop_syn", "connection": 3}]},
        {"fabric": "moon"},
        {"expect": {}},
        {"expect": {"no_leeks": True}},
        {"expect": {"no_leaks": 3}},
        {"client": {"pool": {"timeout": 5}}},
    ],
)
def test_the_schema_refuses_what_the_reader_refuses(small, change):
    assert not fits(SCHEMA, load(small) | change)


@pytest.mark.parametrize("name", all_faults())
def test_every_fault_is_in_the_schema(name):
    schema = SCHEMA["$defs"][f"fault_{name}"]
    assert schema["additionalProperties"] is False
    assert schema["description"]
    allowed = allowed_triggers(all_faults()[name])
    assert set(schema["properties"]["when"]["properties"]) - {"sweep"} == allowed
    assert allowed <= set(schema["properties"])
    for example in all_faults()[name].EXAMPLES:
        assert fits(SCHEMA["properties"]["faults"], [load(example)])


@pytest.mark.parametrize("name", all_checks())
def test_every_check_is_in_the_schema(name):
    expect = SCHEMA["properties"]["expect"]
    assert expect["properties"][name]["description"]
    for example in all_checks()[name].EXAMPLES:
        assert fits(expect, load(example))


def test_defaults_in_the_schema_are_what_users_write(small):
    pool = SCHEMA["properties"]["client"]["properties"]["pool"]
    given = {
        name: field["default"] for name, field in pool["properties"].items() if "default" in field
    }
    assert given["timeout"] == "5s"
    assert read_text(small, file="f") == read_text(
        small + f"client: {json.dumps({'pool': given})}", file="f"
    )


@pytest.mark.parametrize("word", words())
def test_every_word_has_a_page(word):
    page = explain(word)
    assert page.word == word
    assert page.kind == words()[word]
    assert page.text.startswith(f"# {word}: ")
    assert page.summary.endswith((".", ")"))
    assert "None" not in page.text


def test_every_public_word_is_explained():
    known = words()
    for word in (*all_faults(), *all_checks(), *fault_aliases(), *GLOSSARY, *SCHEMA["properties"]):
        assert word in known


def test_a_fault_page_says_what_it_takes():
    text = str(explain("latency"))
    assert "- delay (required): a duration that may vary, such as 20ms ± 5ms." in text
    assert "distribution: uniform | normal | lognormal | pareto (default: uniform)" in text
    assert "direction: upstream | downstream | both (default: downstream)" in text


def test_the_page_of_a_packet_fault_says_where_it_strikes_and_where_it_runs():
    text = str(explain("loss"))
    assert "Strikes packets." in text
    assert "Needs packets: runs on virtual, netns." in text
    assert "side: client | backend | both (default: client)" in text
    assert "direction: upstream | downstream | both (default: both)" in text
    assert "byte" not in re.search(r"When: (.*)", text)[1]
    assert "side:" not in str(explain("link_down")).partition("```")[0]
    assert SCHEMA["$defs"]["fault_loss"]["properties"]["side"]["default"] == "client"
    assert SCHEMA["$defs"]["fault_close"]["properties"]["side"]["default"] == "both"


def test_a_word_of_two_kinds_gets_both_meanings():
    page = explain("stall")
    assert page.kind == "fault and word"
    assert page.text.count("# stall: ") == 2


def test_unknown_words_and_lists_say_what_is_near():
    with pytest.raises(InputError, match="did you mean 'latency'"):
        explain("latncy")
    with pytest.raises(InputError, match="see `harness list faults`"):
        explain("xyzzy")
    with pytest.raises(InputError, match="did you mean 'faults'"):
        listing("fault")


@pytest.mark.parametrize("kind", ["faults", "checks", "triggers"])
def test_lists_have_a_line_for_each_word(kind):
    rows = listing(kind)
    assert len({row.word for row in rows}) == len(rows) > 0
    assert all(row.summary and row.group for row in rows)
    assert all(row.word in words() for row in rows)
