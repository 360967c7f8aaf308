"""Runs on executors of every kind, ours and others'."""

import os
import signal
import subprocess
import sys
import threading
from concurrent.futures import Future, ThreadPoolExecutor
from textwrap import dedent

import pytest

from harness.checks import Verdict
from harness.errors import InputError, SetupError
from harness.history import CallInvoked
from harness.runner import RunOptions, run_all
from harness.runner.executors import check_executor, completed, open_executor
from harness.runner.oversight import Interrupted
from harness.scenario import read_text


@pytest.fixture
def scenarios(scenario):
    return [read_text(scenario().source, file=f"{n}.yaml", id=n) for n in ("one", "two", "three")]


@pytest.fixture
def factories(tmp_path, monkeypatch):
    """Write a module of factories; found in the current directory, as a user's would be."""

    def write(text, name):
        (tmp_path / f"{name}.py").write_text(dedent(text))
        monkeypatch.chdir(tmp_path)
        monkeypatch.syspath_prepend(str(tmp_path))
        return name

    return write


def double(number):
    return 2 * number


def fail(number):
    raise ValueError(f"no {number}")


def end_this_process(_):
    os._exit(3)


def interrupt_parent(_):
    os.kill(os.getppid(), signal.SIGTERM)
    threading.Event().wait(60)


@pytest.mark.parametrize("jobs", [1, 2])
def test_results_come_with_their_items_however_many_there_are(jobs):
    with open_executor("process", jobs) as executor:
        found = dict(completed(executor, double, range(20), jobs))
    assert found == {n: 2 * n for n in range(20)}


@pytest.mark.parametrize("jobs", [1, 2])
def test_what_the_work_raises_is_raised_where_its_result_is_asked_for(jobs):
    with open_executor("process", jobs) as executor, pytest.raises(ValueError, match="no 7"):
        list(completed(executor, fail, [7], jobs))


def test_a_worker_that_is_killed_is_a_set_up_that_failed():
    with (
        pytest.raises(SetupError, match="was killed; there may be too little memory"),
        open_executor("process", 2) as executor,
    ):
        list(completed(executor, end_this_process, [1, 2, 3], 2))


def test_only_few_items_are_taken_at_a_time():
    taken = []

    def items():
        for number in range(1000):
            taken.append(number)
            yield number

    with ThreadPoolExecutor(2) as executor:
        first = next(completed(executor, double, items(), 2))
    assert first[1] == 2 * first[0]
    assert len(taken) <= 5


def test_sigterm_ends_the_workers_and_raises_interrupted():
    before = signal.getsignal(signal.SIGTERM)
    with (
        pytest.raises(Interrupted, match="SIGTERM"),
        open_executor("process", 2) as executor,
    ):
        list(completed(executor, interrupt_parent, [1], 2))
    assert signal.getsignal(signal.SIGTERM) is before


def test_a_factory_is_called_with_its_address_and_its_executor_runs_scenarios(scenarios, factories):
    name = factories(
        """
        from concurrent.futures import ThreadPoolExecutor

        made = []

        def threads(address):
            made.append(address)
            return ThreadPoolExecutor(int(address.partition(":")[2]))
        """,
        "thread_factory",
    )
    progress = []
    options = RunOptions(jobs=3, executor=f"{name}:threads:host:3")
    results = run_all(scenarios, options, progress.append)
    assert [r.scenario.id for r in results] == ["one", "two", "three"]
    assert [r.failures for r in results if r.verdict is not Verdict.PASS] == []
    assert sys.modules[name].made == ["host:3"]
    assert {p.scenario for p in progress} == {"one", "two", "three"}


def test_a_factory_without_an_address_is_called_with_nothing():
    with open_executor("concurrent.futures:ThreadPoolExecutor", 2) as executor:
        assert dict(completed(executor, double, [1, 2], 2)) == {1: 2, 2: 4}


@pytest.mark.parametrize(
    ("spec", "says"),
    [
        ("proces", "'proces' names no executor; did you mean 'process'"),
        ("process:4", "names no executor; write process, dask:ADDRESS or MODULE:FACTORY"),
        ("dask", "dask needs its scheduler's address"),
        ("dask:", "dask needs its scheduler's address"),
        ("no_such_module:make", "importing 'no_such_module' raised ModuleNotFoundError"),
        ("concurrent.futures:ThreadPolExecutor", "did you mean 'ThreadPoolExecutor'"),
        ("concurrent.futures:", "has no factory ''"),
    ],
)
def test_a_name_that_means_no_executor_is_a_mistake_that_says_what_would_be_right(spec, says):
    with pytest.raises(InputError, match=says):
        check_executor(spec)


def test_a_factory_that_raises_is_a_set_up_that_failed(scenarios, factories):
    name = factories("def broken(): raise ConnectionError('nobody there')", "broken_factory")
    with pytest.raises(SetupError, match="its factory raised ConnectionError: nobody there"):
        run_all(scenarios, RunOptions(executor=f"{name}:broken"))


def test_a_factory_that_returns_no_executor_is_a_mistake(scenarios, factories):
    name = factories("def number(): return 3", "number_factory")
    with pytest.raises(InputError, match="returned int, which is no executor"):
        run_all(scenarios, RunOptions(executor=f"{name}:number"))


class Losing(ThreadPoolExecutor):
    """Its work never comes back: a cluster that went away."""

    def submit(self, fn, /, *args, **kwargs):
        future = Future()
        future.set_exception(LostError("worker gone"))
        return future


class LostError(Exception):
    pass


def test_an_error_of_the_executor_itself_is_a_set_up_that_failed():
    with pytest.raises(SetupError, match=r"lost its work: LostError: worker gone"):
        list(completed(Losing(), double, [1], 1))


def test_a_missing_package_is_named_with_the_way_to_install_it(monkeypatch):
    monkeypatch.setitem(sys.modules, "distributed", None)
    with pytest.raises(SetupError, match="pip install distributed"):
        check_executor("dask:127.0.0.1:8786")


CLUSTER = """
import sys
from distributed import LocalCluster

if __name__ == "__main__":
    with LocalCluster(
        n_workers=2, threads_per_worker=1, processes=True, dashboard_address=None,
        host="127.0.0.1", silence_logs=50,
    ) as cluster:
        print(cluster.scheduler_address, flush=True)
        sys.stdin.read()
"""


@pytest.fixture(scope="module")
def dask_address(tmp_path_factory):
    """A Dask cluster of two workers, in processes of its own and on ports of its own."""
    pytest.importorskip("distributed", exc_type=ImportError)
    script = tmp_path_factory.mktemp("dask") / "cluster.py"
    script.write_text(CLUSTER)
    command = [sys.executable, str(script)]
    with subprocess.Popen(
        command, stdin=subprocess.PIPE, stdout=subprocess.PIPE, text=True, cwd=script.parent
    ) as cluster:
        try:
            yield cluster.stdout.readline().strip()
        finally:
            cluster.communicate(timeout=60)


def test_a_dask_cluster_makes_the_same_runs_as_this_process(scenarios, dask_address):
    results = run_all(scenarios, RunOptions(jobs=2, executor=f"dask:{dask_address}", repeat=2))
    assert [(r.scenario.id, r.round) for r in results] == [
        (name, number) for name in ("one", "two", "three") for number in (1, 2)
    ]
    assert [r.failures for r in results if r.verdict is not Verdict.PASS] == []
    here = run_all(scenarios, RunOptions())
    assert [_nonces(r) for r in results[::2]] == [_nonces(r) for r in here]


def test_a_dask_worker_makes_a_virtual_run_byte_for_byte_as_this_process(scenarios, dask_address):
    there = run_all(
        scenarios, RunOptions(jobs=2, executor=f"dask:{dask_address}", fabric="virtual")
    )
    here = run_all(scenarios, RunOptions(fabric="virtual"))
    assert [r.history.to_jsonl() for r in there] == [r.history.to_jsonl() for r in here]


def test_threads_of_one_process_make_virtual_runs_in_turns(scenarios):
    options = RunOptions(jobs=3, executor="concurrent.futures:ThreadPoolExecutor:3")
    here = run_all(scenarios, RunOptions(fabric="virtual"))
    with pytest.raises(SetupError, match="its factory raised TypeError"):
        run_all(scenarios, options)  # its factory wants a number, and an address is a text
    options = RunOptions(jobs=3, executor="concurrent.futures:ThreadPoolExecutor", fabric="virtual")
    there = run_all(scenarios, options)
    assert [r.history.to_jsonl() for r in there] == [r.history.to_jsonl() for r in here]


def _nonces(result):
    return sorted(e.nonce for _, e in result.history.of(CallInvoked) if e.phase == "work")


def test_a_scheduler_that_does_not_answer_is_a_set_up_that_failed(monkeypatch):
    pytest.importorskip("distributed", exc_type=ImportError)
    monkeypatch.setattr("harness.runner.executors.CONNECT_LIMIT_S", 0.2)
    with (
        pytest.raises(SetupError, match=r"no Dask scheduler answers at 127\.0\.0\.1:1"),
        open_executor("dask:127.0.0.1:1", 2),
    ):
        pytest.fail("it opened")


def test_a_process_whose_work_is_interrupted_ends_instead_of_taking_more():
    text = (
        "from harness.runner.executors import _work_or_leave\n"
        "from harness.runner.oversight import Interrupted\n"
        "def work(): raise Interrupted(15)\n"
        "_work_or_leave(work)\n"
    )
    done = subprocess.run([sys.executable, "-c", text], check=False, timeout=60)
    assert done.returncode == 128 + 15
