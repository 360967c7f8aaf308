"""``@pytest.mark.scenario``: scenarios as tests of a user's client."""

import pytest

CLIENT = '''
"""A client on trio that opens a connection for each call; the broken one never closes any."""
import trio
from harness.clients import Reply

class Fresh:
    async def open(self, settings):
        self.place = settings.host, settings.port

    async def call(self, call):
        stream = await trio.open_tcp_stream(*self.place)
        async with stream:
            return await self.ask(stream, call)

    async def ask(self, stream, call):
        head = f"{call.method} {call.target} HTTP/1.1\\r\\nHost: x\\r\\n"
        length = f"Content-Length: {len(call.body)}\\r\\nConnection: close\\r\\n\\r\\n"
        await stream.send_all((head + length).encode() + call.body)
        received = b""
        async for chunk in stream:
            received += chunk
        return Reply(received.partition(b"\\r\\n\\r\\n")[2])

    async def close(self):
        pass

class Leaky(Fresh):
    streams = []

    async def call(self, call):
        stream = await trio.open_tcp_stream(*self.place)
        self.streams.append(stream)
        return await self.ask(stream, call)
'''

SCENARIO = """scenario: {name}
about: A caller calls.
level: {level}
recovery: false
fabric: virtual
workload: [{{phase: work, callers: 1, calls: 2}}]
expect: {{errors: 0, no_leaks: true}}
"""

NEVER = """scenario: never
about: Its fault never fires.
fabric: virtual
recovery: false
workload: [{phase: work, calls: 2}]
faults: [{fault: reset, when: {idle: 1h}}]
expect: {errors: 0}
"""


@pytest.fixture
def project(suite):
    """A project with a client, and scenarios own/one (must), own/two (should), odd/never."""
    suite.makepyfile(my_client=CLIENT)
    for name, text in {
        "own/one": SCENARIO.format(name="one", level="must"),
        "own/two": SCENARIO.format(name="two", level="should"),
        "odd/never": NEVER,
    }.items():
        path = suite.path / "scenarios" / f"{name}.yaml"
        path.parent.mkdir(parents=True, exist_ok=True)
        path.write_text(text)
    return suite


def run(project, tests, *options):
    project.makepyfile(test_it=f"import pytest\nfrom my_client import Fresh, Leaky\n{tests}")
    return project.runpytest_inprocess("-p", "no:cacheprovider", "-v", "-rxs", *options)


PASSING = """
@pytest.fixture
def chaos_client():
    return Fresh

@pytest.fixture
def by_name():
    return "my_client.py:Fresh"

@pytest.mark.scenario("own/**")
def test_survives():
    pass

@pytest.mark.scenario("scenarios/own/one.yaml", "odd.yaml", client="by_name", on="virtual")
def test_with_more_to_say(scenario, chaos_run, by_name):
    assert scenario is chaos_run.scenario
    assert chaos_run.verdict.value == "pass"
    assert chaos_run.client == by_name

@pytest.mark.scenario("idle/fin/noticed", on="virtual")
class TestBundled:
    @pytest.fixture
    def chaos_client(self):
        return "reference"

    @pytest.mark.trio
    async def test_on_trio(self, chaos_run):
        import trio
        await trio.sleep(0)
        assert chaos_run.client == "reference"
"""


def test_there_is_one_test_for_each_scenario_and_its_body_runs_after_a_pass(project):
    (project.path / "odd.yaml").write_text(SCENARIO.format(name="odd", level="must"))
    result = run(project, PASSING)
    result.assert_outcomes(passed=5)
    result.stdout.fnmatch_lines(
        [
            "*::test_survives[[]own/one] PASSED*",
            "*::test_survives[[]own/two] PASSED*",
            "*::test_with_more_to_say[[]own/one] PASSED*",
            "*::test_with_more_to_say[[]odd] PASSED*",
            "*::TestBundled::test_on_trio[[]idle/fin/noticed] PASSED*",
        ]
    )


FAILING = """
@pytest.fixture
def chaos_client():
    return Leaky

@pytest.mark.scenario("own/*")
def test_leaks():
    raise SystemError("the body never runs")

@pytest.mark.scenario("own/two", strict=True)
def test_strict():
    pass

@pytest.mark.scenario("odd/never")
def test_never():
    pass
"""


def test_the_finding_is_the_failure_message(project):
    result = run(project, FAILING, "--chaos-seed", "3")
    result.assert_outcomes(failed=3, xfailed=1)
    text = result.stdout.str()
    result.stdout.fnmatch_lines(
        [
            "FAIL  own/one  (client my_client.py:Leaky, seed 3)",
            "  no_leaks",
            "    required  When close returns*",
            "    actual    left open: *",
            "  repeat with  harness run own/one --client my_client.py:Leaky *--seed 3",
            "           or  pytest 'test_it.py::test_leaks[[]own/one]' --chaos-seed 3",
            "FAIL  own/two *",
            "unknown  odd/never *",
            "XFAIL *level should: no_leaks: left open: *",
        ],
        consecutive=False,
    )
    assert "Traceback" not in text
    assert "SystemError" not in text
    assert ".py:1" not in text.partition("FAILURES")[2].partition("short test summary")[0]


def test_without_excuses_should_fails_as_well(project):
    run(project, FAILING, "--runxfail").assert_outcomes(failed=4)


ODD = """
def inside():
    class Inner(Fresh):
        pass
    return Inner

@pytest.fixture(params=["inside", "number", "nobody", "incapable", "broken"])
def chaos_client(request):
    from harness.clients import Reply
    return {
        "inside": inside(), "number": 7, "nobody": "nobody", "incapable": Incapable,
        "broken": "my_client.py:Fersh",
    }[request.param]

class Incapable(Fresh):
    SERVES = ("redis",)

@pytest.mark.scenario("own/one")
def test_it():
    pass

def test_without_a_mark(chaos_run):
    pass
"""


def test_a_client_that_is_none_is_an_error_and_one_that_can_t_is_skipped(project):
    result = run(project, ODD)
    result.assert_outcomes(errors=5, skipped=1)
    assert "During handling" not in result.stdout.str()
    result.stdout.fnmatch_lines_random(
        [
            "the class Inner is defined inside inside; define it at the top of its file*",
            "7 is no client; return a class, 'FILE:CLASS'*",
            "there is no client 'nobody'*",
            "*there is no class 'Fersh'; did you mean 'Fresh'?",
            "chaos_run belongs to tests with @pytest.mark.scenario",
            "SKIPPED *not supported by test_it.py:Incapable: http",
        ]
    )


@pytest.mark.parametrize(
    ("mark", "told"),
    [
        ('"onw/**"', "no scenario is called 'onw/[*][*]'; did you mean 'own'?"),
        ('"idel/**"', "no scenario is called 'idel/[*][*]'; did you mean 'idle'?"),
        ('"own/onne"', "no scenario is called 'own/onne'; did you mean 'own/one'?"),
        ('"own/one", cleint="x"', "unknown word 'cleint'; did you mean 'client'?"),
        ('"own/one", on="vitual"', "there is no fabric 'vitual'; did you mean 'virtual'?"),
        ('"network/loss", on="loopback"', "*needs packets, and the loopback fabric has none*"),
        ('"wrong.yaml"', "wrong.yaml:1:1: *"),
    ],
)
def test_a_mistake_in_a_mark_is_an_error_of_collection(project, mark, told):
    (project.path / "wrong.yaml").write_text("scenaro: x\n")
    result = run(project, f"@pytest.mark.scenario({mark})\ndef test_it():\n    pass\n")
    result.assert_outcomes(errors=1)
    result.stdout.fnmatch_lines(["*@pytest.mark.scenario of test_it:*", told])
    assert "Traceback" not in result.stdout.str()
