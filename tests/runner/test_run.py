import itertools
import os
import signal
import subprocess
import sys
import threading
import time
from pathlib import Path

import pytest

from harness.checks import Verdict
from harness.history import (
    CallCancelled,
    CallInvoked,
    CallOk,
    CallUnknown,
    ClientFailed,
    Dialed,
    Executed,
    FaultArmed,
    FaultFired,
    FaultHealed,
    Healed,
    Leaked,
    PhaseEnded,
    PhaseStarted,
    RecoveryProbed,
    RunEnded,
    RunStarted,
    SocketClosed,
)
from harness.runner import Interrupted, run_scenario, watchdog
from harness.runner.run import ALWAYS
from harness.scenario import read_text


def verdicts(result):
    return {finding.check: finding.verdict for finding in result.findings}


def test_a_run_is_told_from_beginning_to_end(mini):
    result = run_scenario(mini)
    kinds = [type(event) for event in result.history.events]
    assert kinds[0] is RunStarted
    assert kinds[-1] is RunEnded
    order = [PhaseStarted, CallInvoked, Healed, RecoveryProbed]
    assert sorted(order, key=kinds.index) == order
    assert {FaultArmed, FaultFired, FaultHealed, CallOk, Executed, Dialed, SocketClosed} < {*kinds}
    assert result.verdict is Verdict.PASS, result.failures
    assert result.calls == 6
    assert result.errors == 0
    assert result.recovery_s is not None


def test_the_checks_that_are_always_on_are_judged_without_being_asked_for(mini):
    assert set(ALWAYS) <= set(verdicts(run_scenario(mini)))


def test_the_same_seed_makes_the_same_decisions_and_another_seed_others(mini):
    def decisions(seed):
        history = run_scenario(mini, seed=seed).history
        return [(e.nonce, e.unsafe) for _, e in history.of(CallInvoked) if e.phase == "work"]

    assert sorted(decisions(5)) == sorted(decisions(5))
    assert sorted(decisions(5)) != sorted(decisions(6))


def test_a_fault_that_never_fired_makes_the_verdict_unknown(scenario):
    result = run_scenario(scenario(faults="[{fault: reset, when: {request: 500}}]"))
    assert result.verdict is Verdict.UNKNOWN
    assert verdicts(result)["fault_fired"] is Verdict.UNKNOWN


def test_refusing_fires_only_when_a_client_is_refused(scenario):
    phases = "[{phase: a, calls: 2}, {phase: down, pause: 20ms}, {phase: b, calls: 2}]"
    faults = "[{fault: refuse, during: down}]"
    kept = run_scenario(scenario(workload=phases, faults=faults))
    assert verdicts(kept)["fault_fired"] is Verdict.UNKNOWN

    phases = "[{phase: down, calls: 1, timeout: 2s}]"
    faults = "[{fault: refuse, at: 0s, for: 50ms}]"
    met = run_scenario(scenario(workload=phases, faults=faults))
    assert verdicts(met)["fault_fired"] is Verdict.PASS
    assert any(event.outcome == "refused" for _, event in met.history.of(Dialed))


def test_an_open_loop_begins_calls_whether_or_not_others_have_ended(scenario):
    phases = "[{phase: work, rate: 100/s, calls: 10, slow: 200ms}]"
    client = "{pool: {size: 10}}"
    history = run_scenario(scenario(workload=phases, client=client)).history
    invoked = [e.at_s for _, e in history.of(CallInvoked) if e.phase == "work"]
    ended = [e.at_s for _, e in history.of(CallOk)]
    assert max(invoked) - min(invoked) >= 0.08
    assert max(invoked) < min(ended)


def test_a_closed_loop_keeps_its_pace(scenario):
    phases = "[{phase: work, callers: 1, calls: 4, every: 30ms}]"
    history = run_scenario(scenario(workload=phases)).history
    invoked = [e.at_s for _, e in history.of(CallInvoked) if e.phase == "work"]
    gaps = [later - earlier for earlier, later in itertools.pairwise(invoked)]
    assert min(gaps) >= 0.029


@pytest.mark.parametrize("words", ["{after: 20ms}", "{step: 2}"])
def test_callers_are_cancelled_when_the_scenario_says_so(scenario, words):
    phases = f"[{{phase: work, callers: 2, calls: 6, slow: 300ms, cancel: {words}}}]"
    history = run_scenario(scenario(workload=phases)).history
    assert len(history.of(CallCancelled)) == 6
    assert {event.kind for _, event in history.of(CallUnknown)} == {"cancelled"}


def test_the_cancel_fault_fires_only_for_calls_it_cancelled(scenario):
    phases = "[{phase: work, callers: 2, calls: 8, slow: 100ms}]"
    faults = "[{fault: cancel, after: 5ms, when: {times: 3}}]"
    history = run_scenario(scenario(workload=phases, faults=faults)).history
    assert len(history.of(CallCancelled)) == 3
    assert len(history.of(FaultFired)) == 3


@pytest.mark.filterwarnings("ignore:.*never released:ResourceWarning")
@pytest.mark.parametrize("how", ["exception", "reference"])
def test_callers_who_walk_away_cost_no_slot(scenario, how):
    phases = f"[{{phase: work, callers: 2, calls: 6, abandon: {{how: {how}}}}}]"
    expect = "{slots_conserved: true, no_leaks: true}"
    faults = "[{fault: connect_delay, delay: 1ms}]"
    result = run_scenario(scenario(workload=phases, expect=expect, faults=faults))
    assert result.verdict is Verdict.PASS, result.failures
    assert {event.kind for _, event in result.history.of(CallUnknown)} == {"abandoned"}


def test_a_client_that_is_closed_under_load_ends_its_calls(scenario):
    phases = "[{phase: end, callers: 4, calls: 8, slow: 5s, close_after: 50ms}]"
    expect = "{every_call_ends: true, closes_within: 8s, errors: {only: [pool_closed]}}"
    client = "{pool: {size: 2}}"
    result = run_scenario(scenario(workload=phases, expect=expect, client=client))
    assert result.verdict is Verdict.PASS, result.failures


def test_the_echo_origin_is_called_in_lines(scenario):
    result = run_scenario(scenario(origin="{serve: echo}", expect="{at_most_once: true}"))
    assert result.verdict is Verdict.PASS, result.failures


@pytest.mark.parametrize("tls", ["terminate", "passthrough"])
def test_tls_runs_end_to_end(scenario, tls):
    result = run_scenario(scenario(proxy=f"{{tls: {tls}}}", origin="{tls: true}"))
    assert result.verdict is Verdict.PASS, result.failures


# --- clients that misbehave -----------------------------------------------------------------


@pytest.mark.parametrize(
    ("body", "during", "message"),
    [
        ("async def open(self, settings): raise ValueError('no such pool')", "open", "no such"),
        ("async def close(self): raise KeyError('gone')", "close", "gone"),
        (
            """
            async def open(self, settings):
                await super().open(settings)
                self.manager = trio.open_nursery()
                nursery = await self.manager.__aenter__()
                nursery.start_soon(trio.sleep_forever)
            """,
            "close",
            "ursery",
        ),
    ],
)
def test_a_client_that_breaks_its_contract_fails_and_says_why(
    mini, client_file, body, during, message
):
    result = run_scenario(mini, client_file(body))
    assert result.verdict is Verdict.FAIL
    assert verdicts(result)["client_contract"] is Verdict.FAIL
    failed = result.history.first(ClientFailed)
    assert failed.during == during
    assert message in failed.message


@pytest.mark.parametrize("method", ["open(self, settings)", "close(self)"])
def test_a_client_that_hangs_is_cut_off(mini, client_file, monkeypatch, method):
    monkeypatch.setattr("harness.runner.host.OPEN_LIMIT_S", 0.3)
    monkeypatch.setattr("harness.runner.host.CLOSE_LIMIT_S", 0.3)
    result = run_scenario(mini, client_file(f"async def {method}: await trio.sleep_forever()"))
    assert verdicts(result)["client_contract"] is Verdict.FAIL


def test_a_call_that_hangs_is_cut_off_and_judged(mini, client_file, monkeypatch):
    monkeypatch.setattr("harness.runner.calls.GRACE_S", 1.2)
    monkeypatch.setattr("harness.runner.workload.RECOVERY_LIMIT_S", 0.1)
    body = "async def call(self, call): await trio.sleep_forever()"
    result = run_scenario(mini, client_file(body))
    assert verdicts(result)["every_call_ends"] is Verdict.FAIL


def test_a_call_that_hangs_is_told_with_the_place_where_it_waits(mini, client_file):
    body = "async def call(self, call): await trio.Event().wait()"
    result = run_scenario(mini, client_file(body), fabric="virtual")
    message = result.history.first(CallUnknown).message
    assert "cut off by the harness; it waits in call (harness_client_" in message


def test_a_client_that_is_never_idle_is_cut_off_in_virtual_time_too(mini, client_file, monkeypatch):
    monkeypatch.setattr("harness.runner.workload.RECOVERY_LIMIT_S", 0.1)
    body = "async def call(self, call):\n    while True: await trio.lowlevel.checkpoint()"
    result = run_scenario(mini, client_file(body), fabric="virtual")
    assert verdicts(result)["every_call_ends"] is Verdict.FAIL


ON_ASYNCIO = """
RUNS_ON = "asyncio"
async def open(self, settings): pass
async def close(self): pass
"""


@pytest.mark.parametrize("blocking", ["time.sleep(100)", "while True: pass"])
@pytest.mark.parametrize("loop", ["loopback", "virtual", "asyncio"])
def test_a_client_that_blocks_the_event_loop_is_interrupted(
    mini, client_file, monkeypatch, blocking, loop
):
    monkeypatch.setattr(watchdog.Watchdog.__init__, "__defaults__", (0.5,))
    began = time.monotonic()
    other = "" if loop != "asyncio" else ON_ASYNCIO
    file = client_file(f"{other}async def call(self, call):\n    {blocking}")
    result = run_scenario(mini, file, fabric="loopback" if loop == "loopback" else "virtual")
    assert time.monotonic() - began < 30
    assert verdicts(result)["client_contract"] is Verdict.FAIL
    assert "blocked the event loop" in result.history.first(ClientFailed).message


@pytest.mark.parametrize("error", ["ValueError('x')", "SystemExit(0)", "KeyboardInterrupt"])
def test_whatever_a_call_raises_is_an_outcome(mini, client_file, monkeypatch, error):
    monkeypatch.setattr("harness.runner.workload.RECOVERY_LIMIT_S", 0.1)
    result = run_scenario(mini, client_file(f"async def call(self, call): raise {error}"))
    assert result.errors == 6
    assert verdicts(result)["client_contract"] is Verdict.PASS


def test_an_answer_of_the_wrong_type_is_an_error_that_names_it(mini, client_file, monkeypatch):
    monkeypatch.setattr("harness.runner.workload.RECOVERY_LIMIT_S", 0.1)
    result = run_scenario(mini, client_file("async def call(self, call): return 7"))
    assert "returned int" in result.history.first(CallUnknown).message


def test_bytes_are_an_answer_too(mini, client_file):
    body = """
    async def call(self, call):
        return (await super().call(call)).body
    """
    assert run_scenario(mini, client_file(body)).verdict is Verdict.PASS


def test_what_a_client_prints_does_not_reach_standard_output(mini, client_file, capfd):
    body = """
    async def call(self, call):
        print("noise")
        return await super().call(call)
    """
    run_scenario(mini, client_file(body))
    captured = capfd.readouterr()
    assert captured.out == ""
    assert "noise" in captured.err


def test_a_socket_that_is_never_closed_is_a_leak(mini, client_file):
    body = """
    kept = []

    async def open(self, settings):
        await super().open(settings)
        self.kept.append(await trio.open_tcp_stream(settings.host, settings.port))
    """
    result = run_scenario(mini, client_file(body))
    for stream in sys.modules["harness_client_mine"].Mine.kept:
        os.close(stream.socket.detach())
    assert verdicts(result)["no_leaks"] is Verdict.FAIL
    assert result.history.first(Leaked).what == "sockets"


def test_sockets_that_only_the_collector_closes_are_a_leak(mini, client_file):
    body = """
    async def call(self, call):
        stream = await trio.open_tcp_stream(self.host, self.port)
        del stream
        return await super().call(call)

    async def open(self, settings):
        self.host, self.port = settings.host, settings.port
        await super().open(settings)
    """
    result = run_scenario(mini, client_file(body))
    leaked = [leak for _, leak in result.history.of(Leaked)]
    assert verdicts(result)["no_leaks"] is Verdict.FAIL
    assert ["garbage collector" in leak.detail for leak in leaked] == [True]


def test_a_cancellation_that_the_client_ignores_is_told_all_the_same(scenario, client_file):
    body = """
    async def call(self, call):
        with trio.CancelScope(shield=True):
            return await super().call(call)
    """
    phases = "[{phase: work, callers: 2, calls: 2, slow: 200ms, cancel: {after: 20ms}}]"
    result = run_scenario(scenario(workload=phases), client_file(body))
    assert len(result.history.of(CallCancelled)) == 2


# --- interruption ---------------------------------------------------------------------------

DESCRIPTORS = Path("/proc/self/fd")
INTERRUPTED = """
import sys
from harness.runner import Interrupted, run_scenario
from harness.scenario import read_text
out = sys.__stdout__
text = '''
scenario: long
about: x
workload: [{phase: work, callers: 2, calls: 100000, every: 1ms}]
faults: [{fault: latency, delay: 1ms}]
expect: {errors: 0}
'''
try:
    run_scenario(
        read_text(text, file="long.yaml"),
        on_progress=lambda told: told.calls > 20 and print("going", file=out, flush=True),
    )
except Interrupted as interrupted:
    print("interrupted by", interrupted.number)
"""


@pytest.mark.parametrize("number", [signal.SIGINT, signal.SIGTERM])
def test_a_signal_ends_a_run_cleanly(number):
    with subprocess.Popen(
        [sys.executable, "-c", INTERRUPTED], stdout=subprocess.PIPE, text=True
    ) as process:
        assert process.stdout.readline() == "going\n"
        process.send_signal(number)
        killer = threading.Timer(20, process.kill)
        killer.start()
        out = process.stdout.read()
        killer.cancel()
    assert f"interrupted by {int(number)}" in out
    assert process.returncode == 0


def test_interrupted_is_a_keyboard_interrupt_so_nothing_swallows_it():
    assert issubclass(Interrupted, KeyboardInterrupt)
    assert Interrupted(signal.SIGTERM).number == signal.SIGTERM


@pytest.mark.skipif(not DESCRIPTORS.is_dir(), reason="descriptors can't be listed here")
def test_nothing_stays_open_after_a_run(mini):
    run_scenario(mini)
    before = len([*DESCRIPTORS.iterdir()])
    run_scenario(mini)
    assert len([*DESCRIPTORS.iterdir()]) == before


def test_a_client_whose_calls_never_end_gets_no_more_of_them(tmp_path):
    path = tmp_path / "hangs.py"
    path.write_text(
        "import trio\n\n\n"
        "class Hangs:\n"
        "    async def open(self, settings): ...\n"
        "    async def call(self, call):\n"
        "        await trio.sleep_forever()\n"
        "    async def close(self): ...\n"
    )
    text = (
        "scenario: hangs\nabout: x\n"
        "workload:\n- {phase: load, callers: 2, calls: 500, timeout: 10ms}\n"
        "expect: {every_call_ends: true}\n"
    )
    result = run_scenario(read_text(text, file="hangs.yaml"), f"{path}:Hangs", fabric="virtual")
    (ended,) = (event for _, event in result.history.of(PhaseEnded))
    assert ended.cut_short == "10 calls had to be cut off"
    assert result.verdict is Verdict.FAIL
    assert result.calls <= 12
