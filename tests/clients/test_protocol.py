"""The page on the protocol is true: its words are the code's, its example is run."""

import shlex
import shutil
from pathlib import Path

import pytest

import harness.clients
from harness.checks import Verdict
from harness.choice import ClientChoice
from harness.errors import ERROR_KINDS
from harness.runner import run_scenario
from harness.scenario import read_file, read_text
from harness.worker.contract import FEATURES, PROTOCOLS, Asked, Call, Pool, Settings
from harness.worker.messages import call_request, open_request

PAGE = Path(harness.clients.__file__).with_name("PROTOCOL.md").read_text()
EXAMPLE = Path(__file__).parent / "programs" / "node_http.js"
SCENARIOS = Path(__file__).parent.parent.parent / "scenarios"
NODE = shutil.which("node")

CALM = """
scenario: calm
about: A few calls, one fault that fires for sure.
seed: 3
client: {pool: {size: 2}}
workload:
  - {phase: work, callers: 2, calls: 6, unsafe: 50%}
faults: [{fault: latency, delay: 1ms}]
expect: {errors: 0, at_most_once: true, no_leaks: true, connections_peak: true}
"""

needs_node = pytest.mark.skipif(NODE is None, reason="Node.js is not installed here")


def test_the_page_shows_the_whole_example():
    assert PAGE.partition("```javascript\n")[2].partition("```\n")[0] == EXAMPLE.read_text()


def test_the_page_names_each_feature_with_what_it_means():
    rows = {f"| `{name}` | {meaning} |" for name, meaning in FEATURES.items()}
    assert rows <= set(PAGE.splitlines())


@pytest.mark.parametrize("word", [*ERROR_KINDS, *PROTOCOLS, *Pool.__dataclass_fields__])
def test_the_page_has_every_word_of_the_contract(word):
    assert f"`{word}`" in PAGE


@pytest.mark.parametrize("serve", PROTOCOLS)
def test_the_page_explains_every_field_that_is_sent(serve):
    sent = call_request(2, Call(Asked("n")), serve)["call"]
    settings = open_request(1, Settings("h", 1))["settings"]
    for name in [*sent, *settings]:
        assert f"`{name}`" in PAGE, name


def run_with_node(scenario):
    command = shlex.join([str(NODE), str(EXAMPLE)])
    result = run_scenario(scenario, ClientChoice("", command=command))
    assert f"--command {shlex.quote(command)}" in result.command()
    return result


@needs_node
def test_the_example_in_javascript_passes():
    result = run_with_node(read_text(CALM, file="calm.yaml"))
    assert result.verdict is Verdict.PASS, result.failures
    assert result.environment["node"]


@needs_node
@pytest.mark.parametrize(
    "name",
    [
        "idle/fin/race",
        "tls/certificate/expired",
        "cancel/in_flight/lets_go",
        "leak/abandon/exception",
    ],
)
def test_the_example_in_javascript_is_judged_like_any_client(name):
    result = run_with_node(read_file(SCENARIOS / f"{name}.yaml", SCENARIOS))
    assert not result.unsupported
    assert result.verdict is not Verdict.FAIL, result.failures
