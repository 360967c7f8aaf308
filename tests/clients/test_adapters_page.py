"""The page by which people write a client in Python: its example works, its tables are true."""

import dataclasses
import re
from pathlib import Path

import pytest

import harness.clients
from harness.checks import Verdict
from harness.choice import ClientChoice
from harness.runner import run_scenario
from harness.scenario import default_root, find, read_file
from harness.worker.contract import FEATURES, PROTOCOLS, Call, Pool, Settings

PAGE = Path(harness.clients.__file__).with_name("ADAPTERS.md").read_text()


@pytest.fixture(scope="module")
def my_client(tmp_path_factory):
    (example,) = re.findall(r"```python\n(.*?)```", PAGE, re.DOTALL)
    path = tmp_path_factory.mktemp("mine") / "my_client.py"
    path.write_text(example)
    return f"{path}:MyClient"


@pytest.mark.parametrize("mark", ["", "+idiomatic"])
@pytest.mark.parametrize("scenario", ["idle/fin/noticed", "idle/fin/tls", "idle/reset/noticed"])
def test_its_example_passes_scenarios(my_client, scenario, mark):
    (path,) = find([scenario])
    result = run_scenario(read_file(path, default_root()), ClientChoice(my_client + mark))
    assert result.verdict is Verdict.PASS, [(f.check, f.actual) for f in result.failures]


def test_it_names_every_feature_as_it_is():
    for feature, meaning in FEATURES.items():
        assert f"| `{feature}` | {meaning} |" in PAGE


def test_it_names_all_that_a_client_is_given():
    own = {field.name for kind in (Settings, Pool) for field in dataclasses.fields(kind)}
    calls = {field.name for field in dataclasses.fields(Call)} - {"asked"}
    missing = [name for name in own | calls | PROTOCOLS.keys() if name not in PAGE]
    assert missing == []
