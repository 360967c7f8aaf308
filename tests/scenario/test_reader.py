import re
import string
from pathlib import Path

import pytest
from hypothesis import given, settings
from hypothesis import strategies as st

from harness.checks import all_checks
from harness.errors import InputError
from harness.faults import all_faults, fault_aliases
from harness.scenario import PhaseWords, Scenario, id_of, needs, read_file, read_text
from harness.scenario.nodes import resolve
from harness.trigger import Ordinals, Trigger


def read(text, file="race.yaml", **more):
    return read_text(text, file=file, **more)


def with_fault(entry):
    """A scenario in which every fault's conditions can hold."""
    tls = "proxy: {tls: terminate}\norigin: {backends: [blue, green]}\n"
    names = {"load", *re.findall(r"during: (\w+)", entry)}
    phases = ", ".join(f"{{phase: {name}, calls: 1}}" for name in names)
    rest = f"workload: [{phases}]\nfaults:\n  - {entry}\nexpect: {{no_leaks: true}}\n"
    return f"scenario: x\n{tls}{rest}"


def test_the_whole_language_is_read(full):
    scenario = read(full, id="idle/fin/race")
    assert (scenario.id, scenario.family) == ("idle/fin/race", "idle")
    assert (scenario.name, scenario.level, scenario.seed) == ("idle-close-race", "must", 7)
    assert scenario.about.startswith("The server drops keep-alive connections after 2 s idle, ")
    assert scenario.origin.backends == ("blue", "green")
    assert scenario.proxy.tls == "terminate"
    assert scenario.client.pool.recycle_s == 3600
    warm, quiet, resume = scenario.workload
    assert warm == PhaseWords(phase="warm", callers=4, calls=40)
    assert quiet.pause_s == 2.5
    assert resume.cancel.after_s == 0.003
    assert resume.unsafe == 0.5
    close, reset, latency, rotate = scenario.faults
    assert close.when == Trigger(idle_s=2)
    assert reset.when == Trigger(response=Ordinals("every", 10), byte=512)
    assert (reset.side, close.side) == ("client", "both")
    assert (latency.direction, latency.when) == ("downstream", Trigger(during="resume"))
    assert rotate.when == Trigger(at_s=3)
    assert [check.NAME for check in scenario.checks] == [
        "errors",
        "at_most_once",
        "no_crosstalk",
        "no_leaks",
        "connections_opened",
        "recovers_within",
    ]
    assert scenario.recovery
    assert scenario.source == full


def test_reading_twice_gives_the_same(full):
    assert read(full) == read(full)


def test_conditions_mean_the_same_under_when_and_beside_it(small):
    one = read(small + "faults: [{fault: close, when: {idle: 2s, connection: first 2}}]")
    two = read(small + "faults: [{fault: close, idle: 2s, connection: first 2}]")
    three = read(small + "faults: [{fault: close, idle: 2s, when: {connection: first 2}}]")
    assert one == two == three


def test_a_faults_own_field_wins_over_a_condition_of_the_same_name():
    (kill,) = read(with_fault("{fault: kill, backend: green, during: rush}")).faults
    assert kill.fault.backend == "green"
    assert kill.when == Trigger(during="rush")


@pytest.mark.parametrize("name", all_faults())
def test_every_example_of_a_fault_can_be_read(name):
    for example in all_faults()[name].EXAMPLES:
        (fault,) = read(with_fault(example)).faults
        assert fault.name == name


@pytest.mark.parametrize("name", all_checks())
def test_every_example_of_a_check_can_be_read(name, small):
    for example in all_checks()[name].EXAMPLES:
        text = small.partition("expect")[0] + f"expect:\n  {example}\n"
        (check,) = read(text).checks
        assert name == check.NAME


@pytest.mark.parametrize(("alias", "name"), fault_aliases().items())
def test_words_of_other_tools_are_taken_and_noted(alias, name):
    example = all_faults()[name].EXAMPLES[0].replace(f"fault: {name}", f"fault: {alias}")
    scenario = read(with_fault(example))
    assert scenario.faults[0].name == name
    (note,) = scenario.notes
    assert note == f"race.yaml:6:13: faults[0].fault: {alias!r} is called {name!r} here"


def test_sections_without_content_count_as_left_out(small):
    assert read(small + "origin:\nproxy: ~\nclient:\nfaults:\nabout:\n") == read(small)


def test_a_shorthand_sets_its_field(small):
    head = small.partition("expect")[0]
    short, long = "connections_opened: 12", "connections_opened: {at_most: 12}"
    assert read(f"{head}expect: {{{short}}}").checks == read(f"{head}expect: {{{long}}}").checks


def test_a_check_can_be_left_out_by_false(small):
    head = small.partition("expect")[0]
    checks = read(head + "expect: {no_leaks: true, at_most_once: false}").checks
    assert [check.NAME for check in checks] == ["no_leaks"]


def test_anchors_stand_for_their_values():
    scenario = read(
        "scenario: x\nworkload:\n  - &load {phase: a, calls: 4, cancel: &c {step: 2}}\n"
        "  - {phase: b, calls: 4, cancel: *c}\nexpect: {no_leaks: true}\n"
    )
    assert scenario.workload[0].cancel == scenario.workload[1].cancel


def test_a_byte_order_mark_and_crlf_change_nothing(small, tmp_path):
    (tmp_path / "a.yaml").write_bytes(b"\xef\xbb\xbf" + small.replace("\n", "\r\n").encode())
    assert read_file(tmp_path / "a.yaml", tmp_path) == read(small, "a.yaml")


@pytest.mark.parametrize(
    ("path", "root", "expected"),
    [
        ("/p/scenarios/idle/fin/race.yaml", None, "idle/fin/race"),
        ("/p/scenarios/old/scenarios/a/b.yaml", None, "a/b"),
        ("/p/other/race.yaml", None, "race"),
        ("/p/other/tls/race.yml", "/p/other", "tls/race"),
        ("/p/elsewhere/race.yaml", "/p/other", "race"),
    ],
)
def test_the_id_is_the_path_below_the_root(path, root, expected):
    assert id_of(Path(path), None if root is None else Path(root)) == expected


@pytest.mark.parametrize(
    ("text", "value"),
    [
        ("", None),
        ("~", None),
        ("null", None),
        ("true", True),
        ("False", False),
        ("yes", "yes"),
        ("on", "on"),
        ("NO", "NO"),
        ("12:30", "12:30"),
        ("017", 17),
        ("0o17", 15),
        ("0xff", 255),
        ("-3", -3),
        ("1_000", "1_000"),
        ("1.5", 1.5),
        ("1e3", 1000.0),
        ("1e999", "1e999"),
        (".inf", ".inf"),
        (".nan", ".nan"),
        ("2024-01-01", "2024-01-01"),
    ],
)
def test_scalars_mean_what_yaml_1_2_says(text, value):
    assert resolve(text) == value
    assert type(resolve(text)) is type(value)


def only_input_errors(text):
    try:
        assert isinstance(read(text), Scenario)
    except InputError as error:
        problems = error.problems
    else:
        return
    assert problems
    for problem in problems:
        assert problem.line >= 1
        assert problem.column >= 1
        assert problem.hint
        assert "\n" not in str(problem)
        assert "Input should" not in str(problem)
        assert "pydantic" not in str(problem)


@given(st.text(max_size=60))
@settings(max_examples=150, deadline=None)
def test_no_text_is_more_than_a_mistake(text):
    only_input_errors(text)


@given(st.text(alphabet="[]{}:,-&*!|>'\"#%@? \n\tab1~", max_size=40))
@settings(max_examples=250, deadline=None)
def test_no_punctuation_is_more_than_a_mistake(text):
    only_input_errors(text)


WORDS = st.sampled_from(
    ["scenario", "workload", "faults", "expect", "phase", "calls", "fault", "close", "latency",
     "delay", "when", "idle", "2s", "5%", "every 3", "no_leaks", "errors", "origin", "tls",
     "direction", "side", "client", "pool", "kill", "backend", "match", "byte", "cancel"]
)  # fmt: skip
ATOMS = st.one_of(
    WORDS,
    st.integers(-5, 10**19),
    st.booleans(),
    st.none(),
    st.floats(allow_nan=False, width=16),
)
TREES = st.recursive(
    ATOMS,
    lambda inner: st.lists(inner, max_size=3) | st.dictionaries(WORDS, inner, max_size=4),
    max_leaves=12,
)
SCENARIOS = st.dictionaries(
    st.sampled_from(["scenario", "workload", "faults", "expect", "origin", "proxy", "client"]),
    TREES,
    max_size=7,
)


def flow(value):
    """The value in YAML's flow style."""
    match value:
        case dict():
            return "{" + ", ".join(f"{key}: {flow(inner)}" for key, inner in value.items()) + "}"
        case list():
            return "[" + ", ".join(map(flow, value)) + "]"
        case None:
            return "~"
        case bool():
            return str(value).lower()
        case _:
            return str(value)


@given(SCENARIOS)
@settings(max_examples=250, deadline=None)
def test_no_structure_is_more_than_a_mistake(value):
    only_input_errors(flow(value))


@given(data=st.data())
@settings(max_examples=150, deadline=None)
def test_no_mutation_of_a_good_scenario_is_more_than_a_mistake(data, full):
    start = data.draw(st.integers(0, len(full)))
    end = data.draw(st.integers(start, min(len(full), start + 12)))
    inserted = data.draw(st.text(alphabet=string.printable, max_size=6))
    only_input_errors(full[:start] + inserted + full[end:])


@given(st.sampled_from(sorted(all_faults())), st.dictionaries(WORDS, TREES, max_size=4))
@settings(max_examples=80, deadline=None)
def test_no_fault_entry_is_more_than_a_mistake(name, fields):
    only_input_errors(with_fault(flow({**fields, "fault": name})))


def test_a_server_of_ones_own_is_an_address_and_a_protocol(small):
    text = small + "origin: {serve: {address: '[::1]:5432', protocol: postgres}, tls: true}\n"
    origin = read_text(text, file="f.yaml").origin
    assert (origin.own.host, origin.own.port, origin.protocol) == ("::1", 5432, "postgres")
    assert (origin.tls, origin.is_built_in) == (True, False)
    assert origin.tells == ("executions", "names", "sessions")


@pytest.mark.parametrize(
    ("serve", "tells"),
    [
        ("echo", ("executions", "names")),
        ("redis", ("executions", "names")),
        ("{address: 'h:1', protocol: http}", ()),
        ("{address: 'h:1', protocol: echo}", ("names",)),
    ],
)
def test_an_origin_lets_be_known_what_it_can(small, serve, tells):
    text = small + f"origin: {{serve: {serve}}}\n"
    assert read_text(text, file="f.yaml").origin.tells == tells


def test_a_share_of_calls_can_change_their_session(small):
    text = small.replace("phase: ", "session: 25%, phase: ") + "origin: {serve: postgres}\n"
    scenario = read_text(text, file="f.yaml")
    assert scenario.workload[0].session == 0.25
    assert "session" in needs(scenario)
