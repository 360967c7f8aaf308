"""Scenarios as tests: one for each that a mark names, judged before the test's body runs."""

from __future__ import annotations

import inspect
import shlex
from collections.abc import Iterable, Mapping
from pathlib import Path
from typing import Any

import pytest

from harness.checks import Verdict
from harness.choice import ClientChoice
from harness.clients import all_clients
from harness.errors import HarnessError, InputError, Problem
from harness.pytest_plugin.finding import scenarios_for, short
from harness.pytest_plugin.seeds import scenario_seed
from harness.registry import did_you_mean
from harness.report import Look, counts, failure, outcomes
from harness.report.drawing import draw
from harness.result import RunResult
from harness.runner import run_scenario
from harness.scenario import FABRICS, Scenario, refusals

MARK = "scenario"
RUN = "chaos_run"
CLIENT = "chaos_client"
_WORDS = ("client", "on", "strict")


def parametrise(metafunc: pytest.Metafunc) -> None:
    """Give the test function each scenario that its mark names.

    A mistake in the mark or in a scenario is an error of collection.
    """
    marker = metafunc.definition.get_closest_marker(MARK)
    assert marker is not None
    near = metafunc.definition.path.parent
    try:
        _check(marker.kwargs)
        found = scenarios_for(marker.args, metafunc.config.rootpath, near)
        _check_fabric(found, marker.kwargs.get("on"))
    except InputError as error:
        where = f"@pytest.mark.scenario of {metafunc.function.__qualname__}"
        raise pytest.Collector.CollectError(f"{where}:\n{error}") from None
    metafunc.parametrize(MARK, [pytest.param(scenario, id=scenario.id) for scenario in found])


def _check(words: Mapping[str, object]) -> None:
    for word in words:
        if word not in _WORDS:
            raise InputError(Problem(f"unknown word {word!r}", did_you_mean(word, _WORDS)))
    fabric = words.get("on")
    if fabric is not None and fabric not in FABRICS:
        hint = did_you_mean(str(fabric), FABRICS)
        raise InputError(Problem(f"there is no fabric {fabric!r}", hint))


def _check_fabric(scenarios: list[Scenario], fabric: str | None) -> None:
    if fabric is not None:
        problems = [p for scenario in scenarios for p in refusals(scenario, fabric)]
        if problems:
            raise InputError(*problems)


def run(request: pytest.FixtureRequest) -> RunResult:
    """The run of the test's scenario with the client that its fixture returns.

    What the client can't do is skipped; what can't be set up is the fixture's error.
    """
    marker = request.node.get_closest_marker(MARK)
    if marker is None:
        pytest.fail(f"{RUN} belongs to tests with @pytest.mark.{MARK}", pytrace=False)
    client = request.getfixturevalue(marker.kwargs.get("client", CLIENT))
    mistake = ""
    try:
        result = run_scenario(
            request.node.callspec.params[MARK],
            choice_of(client, (request.path.parent, request.config.rootpath)),
            fabric=marker.kwargs.get("on"),
            seed=scenario_seed(request.config),
        )
    except HarnessError as error:
        mistake = str(error)
    if mistake:  # told here, where no exception is under way that would be shown as well
        pytest.fail(mistake, pytrace=False)
    if result.unsupported:
        pytest.skip(f"not supported by {result.client}: {', '.join(result.unsupported)}")
    if result.setup_error:
        pytest.fail(f"set-up failed: {result.setup_error}", pytrace=False)
    return result


def judge(item: pytest.Function) -> None:
    """Let the test go on if its scenario passed; else end it as its level says."""
    result = item.funcargs[RUN]
    assert isinstance(result, RunResult), f"the fixture {RUN} is not to be replaced"
    if result.verdict is Verdict.PASS:
        return
    marker = item.get_closest_marker(MARK)
    text = message(result, item.nodeid)
    strict = bool(marker and marker.kwargs.get("strict"))
    if not counts(result.scenario.level, strict=strict):
        item.add_report_section("call", "chaos-harness", text)
        pytest.xfail(f"level {result.scenario.level}: {_reason(result)}")
    pytest.fail(text, pytrace=False)


def message(result: RunResult, node_id: str) -> str:
    """The report's block on a failure: requirement, expected, actual, evidence, how to repeat."""
    look = Look()
    block = draw(failure(outcomes([result])[0], look), look)
    return f"{block}           or  pytest {shlex.quote(node_id)} --chaos-seed {result.seed}"


def _reason(result: RunResult) -> str:
    finding = result.failures[0]
    return f"{finding.check}: {finding.actual}"


# --- the client -----------------------------------------------------------------------------


def choice_of(client: Any, homes: Iterable[Path]) -> ClientChoice:
    """The choice that a fixture's value stands for; raises InputError if it stands for none.

    A file is looked for here, then in these folders.
    """
    if isinstance(client, ClientChoice):
        return client
    if isinstance(client, str):
        return ClientChoice(_found(client, homes))
    if not isinstance(client, type):
        hint = "return a class, 'FILE:CLASS', a name of `harness list clients` or a ClientChoice"
        raise InputError(Problem(f"{client!r} is no client", hint))
    return ClientChoice(_name_of(client))


def _found(name: str, homes: Iterable[Path]) -> str:
    """``FILE:CLASS`` with the file's path as seen from here; any other name as it is."""
    file, colon, class_name = name.rpartition(":")
    paths = [path for path in (home / file for home in (Path(), *homes)) if path.is_file()]
    return f"{short(paths[0])}:{class_name}" if colon and paths else name


def _name_of(client: type[Any]) -> str:
    """A shipped client's name, or ``FILE:CLASS``: a client may run in a process of its own."""
    try:
        file = Path(inspect.getsourcefile(client) or "")
    except (OSError, TypeError):
        file = Path()
    shipped = all_clients().get(str(getattr(client, "NAME", "")))
    if shipped is not None and Path(shipped.file) == file:
        return shipped.name
    if not client.__qualname__.isidentifier():
        inside = client.__qualname__.rpartition(".")[0].removesuffix(".<locals>")
        message = f"the class {client.__name__} is defined inside {inside}"
        hint = "define it at the top of its file: it may run in a process of its own"
        raise InputError(Problem(message, hint))
    if not file.is_file():
        message = f"the class {client.__name__} comes from no file"
        raise InputError(Problem(message, "write it into one"))
    return f"{short(file)}:{client.__name__}"
