"""The pytest plugin: a ``chaos`` fixture, and scenarios as tests of a client.

::

    from harness.pytest_plugin import Idle, Reset

    def test_a_dead_connection_is_replaced(chaos):
        with chaos.proxy("127.0.0.1:5432") as proxy:
            pool = make_pool(proxy.host, proxy.port)
            pool.ping()
            with proxy.fault(Reset(), when=Idle("200ms")) as fault:
                fault.wait_fired()
                pool.ping()
            assert proxy.opened == 2

    @pytest.mark.scenario("idle/**")
    def test_survives(chaos_client):
        '''One test for each scenario; the finding is the failure message.'''

Every fault of ``harness list faults`` can be imported from here by its name in CamelCase. Nothing
but the standard library is imported until a fixture or a mark is used.
"""

from __future__ import annotations

from collections.abc import Generator, Iterator
from typing import TYPE_CHECKING, Any

import pytest

from harness.pytest_plugin.kit import KIT, Chaos
from harness.pytest_plugin.seeds import hand_on, proxy_seed, settle_seed, told
from harness.serve import (
    Age,
    ArmedFault,
    At,
    Backend,
    Byte,
    Connection,
    ConnectionFacts,
    During,
    Event,
    Every,
    First,
    For,
    Idle,
    Match,
    NeverFired,
    NotInTime,
    Once,
    Probability,
    ProxyProcess,
    Request,
    Response,
    ServedProxy,
    Times,
    When,
)
from harness.serve.words import fault_classes, fault_named

if TYPE_CHECKING:
    from harness.result import RunResult

__all__ = [
    "Age",
    "ArmedFault",
    "At",
    "Backend",
    "Byte",
    "Chaos",
    "Connection",
    "ConnectionFacts",
    "During",
    "Event",
    "Every",
    "First",
    "For",
    "Idle",
    "Match",
    "NeverFired",
    "NotInTime",
    "Once",
    "Probability",
    "ProxyProcess",
    "Request",
    "Response",
    "ServedProxy",
    "Times",
    "When",
]

MARK = "scenario"
RUN = "chaos_run"
CLIENT = "chaos_client"
_MARK_HELP = (
    "scenario(*selectors, client='chaos_client', on=None, strict=False): one test for each "
    "scenario that a selector names (id, family, pattern, file or folder; with none all), run "
    "against the client that the fixture returns. A failure of level should or info is xfailed; "
    "with strict=True that of level should fails."
)


def __getattr__(name: str) -> Any:
    """The class of a fault: ``from harness.pytest_plugin import Latency`` (PEP 562)."""
    if not name[:1].isupper() or name not in fault_classes():
        raise AttributeError(f"module {__name__!r} has no attribute {name!r}")
    return fault_named(name)


# --- hooks ----------------------------------------------------------------------------------


def pytest_addoption(parser: pytest.Parser) -> None:
    """``--chaos-seed``, and ``chaos_seed`` in the configuration."""
    group = parser.getgroup("chaos", "chaos-harness")
    group.addoption(
        "--chaos-seed",
        metavar="N",
        help="Every random decision of proxies and scenarios comes from it; 'random' draws one. "
        "By default scenarios have their own.",
    )
    parser.addini("chaos_seed", "What --chaos-seed is unless it is given.", default="")


def pytest_configure(config: pytest.Config) -> None:
    """The mark is known, the seed is settled."""
    config.addinivalue_line("markers", _MARK_HELP)
    settle_seed(config)


@pytest.hookimpl(optionalhook=True)
def pytest_configure_node(node: Any) -> None:
    """pytest-xdist starts a worker."""
    hand_on(node.config, node.workerinput)


def pytest_report_header(config: pytest.Config) -> str:
    """The seed."""
    return told(config)


def pytest_pycollect_makeitem(collector: pytest.Module | pytest.Class, name: str, obj: Any) -> None:
    """A test with the mark uses its fixtures whether or not its body asks for them."""
    if isinstance(obj, type) or not callable(obj) or not collector.funcnamefilter(name):
        return
    own = next((mark for mark in getattr(obj, "pytestmark", ()) if mark.name == MARK), None)
    mark = own or collector.get_closest_marker(MARK)
    if mark is not None:
        pytest.mark.usefixtures(MARK, mark.kwargs.get("client", CLIENT), RUN)(obj)


def pytest_generate_tests(metafunc: pytest.Metafunc) -> None:
    """One test for each scenario."""
    if metafunc.definition.get_closest_marker(MARK) is not None:
        from harness.pytest_plugin.scenarios import parametrise  # noqa: PLC0415 - few tests need it

        parametrise(metafunc)


@pytest.hookimpl(wrapper=True, tryfirst=True)
def pytest_pyfunc_call(pyfuncitem: pytest.Function) -> Generator[None, object, object]:
    """The verdict, before the body of the test runs."""
    if pyfuncitem.get_closest_marker(MARK) is not None:
        from harness.pytest_plugin.scenarios import judge  # noqa: PLC0415 - few tests need it

        judge(pyfuncitem)
    return (yield)


@pytest.hookimpl(wrapper=True)
def pytest_runtest_makereport(
    item: pytest.Item,
    call: pytest.CallInfo[None],  # noqa: ARG001 - pytest asks by name
) -> Generator[None, pytest.TestReport, pytest.TestReport]:
    """What proxies saw, beside the failure."""
    report = yield
    kit = item.stash.get(KIT, None)
    if report.when == "call" and report.failed and kit is not None and kit.proxies:
        report.sections.append(("chaos-harness", kit.summary(item.nodeid)))
    return report


# --- fixtures -------------------------------------------------------------------------------


@pytest.fixture(scope="session")
def _chaos_process() -> Iterator[ProxyProcess]:
    """The process that serves all proxies of a session; it starts with the first."""
    with ProxyProcess() as process:
        yield process


@pytest.fixture
def chaos(
    request: pytest.FixtureRequest,
    _chaos_process: ProxyProcess,
    tmp_path_factory: pytest.TempPathFactory,
) -> Iterator[Chaos]:
    """Proxies in front of any address: ``with chaos.proxy("127.0.0.1:5432") as proxy:``."""
    folder = tmp_path_factory.getbasetemp()
    with Chaos(_chaos_process, proxy_seed(request.config), folder) as kit:
        request.node.stash[KIT] = kit
        yield kit


@pytest.fixture
def chaos_client() -> Any:
    """The client that scenarios are run with; override it in your conftest.py.

    It returns a class, ``"FILE:CLASS"``, a name of ``harness list clients`` or a ClientChoice.
    """
    return "reference"


@pytest.fixture
def chaos_run(request: pytest.FixtureRequest) -> RunResult:
    """The run of the test's scenario, for more to assert than its verdict."""
    from harness.pytest_plugin.scenarios import run  # noqa: PLC0415 - few tests need it

    return run(request)
