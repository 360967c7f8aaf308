"""One scenario, one client, one seed: the run and its verdict."""

from __future__ import annotations

import gc
import platform
import signal
import ssl
import sys
import threading
import time
from collections.abc import Callable, Iterable, Iterator
from contextlib import contextmanager, redirect_stdout
from dataclasses import replace
from functools import partial
from pathlib import Path
from typing import NamedTuple

import trio

import harness
from harness.checks import Check, Finding, Verdict, all_checks
from harness.choice import ClientChoice, as_choice
from harness.clients import Card, card_for, versions_for
from harness.errors import InputError, SetupError
from harness.history import History
from harness.result import Progress, RunResult
from harness.runner.executors import open_executor, tell_progress
from harness.runner.fabrics import capture_folder, capture_problem, make_fabric
from harness.runner.placing import VIRTUAL_TIME, check_fabric, needs_real_time, placed
from harness.runner.stage import Stage
from harness.scenario import KERNEL_FABRIC, Scenario, needs, refusals
from harness.worker.serving import version_of

ALWAYS = ("fault_fired", "client_contract", "every_call_ends")
"""Checks that no scenario can leave out: without them a pass would mean nothing."""


def run_scenario(
    scenario: Scenario,
    client: str | ClientChoice = "reference",
    *,
    fabric: str | None = None,
    seed: int | None = None,
    ordinal: int = 1,
    capture: Path | None = None,
    on_progress: Callable[[Progress], None] = lambda _: None,
) -> RunResult:
    """Run a scenario and judge it.

    ``fabric`` is what it runs on (None: where it and the client belong); ``seed`` overrides the
    scenario's own. With a ``capture`` each host's packets are written to a file in a folder in it,
    on the netns fabric. What a client prints goes to stderr, so that it can't spoil what the
    harness prints. Raises InputError if there is no such client or nothing to capture, Interrupted
    on SIGINT or SIGTERM; a port that can't be had is told in ``setup_error``.
    """
    choice = as_choice(client)
    card = card_for(choice)
    if fabric is not None:
        check_fabric(choice, card, fabric)
    home = fabric or scenario.home
    if problems := refusals(scenario, home):
        raise InputError(*problems)
    if capture is not None and (problem := capture_problem(scenario, home)):
        raise InputError(problem)
    folder = capture and capture_folder(capture, scenario, ordinal)
    seed = scenario.seed if seed is None else seed
    lacking = card.lacks(needs(scenario), scenario.origin.protocol)
    if home == "virtual" and needs_real_time(choice, card):
        lacking += (VIRTUAL_TIME,)
    if lacking:
        return RunResult(
            scenario=scenario,
            choice=choice,
            seed=seed,
            fabric=home,
            history=History(),
            findings=(),
            took_s=0.0,
            round=ordinal,
            unsupported=lacking,
            environment=environment_of(choice, card),
        )
    if must_be_confined(home):
        again = partial(_confined, scenario, choice, home, seed, ordinal, capture)
        with open_executor(jobs=1, on_progress=on_progress, confined=True) as executor:
            return executor.submit(again).result()
    hosts = scenario.topology.clients if scenario.topology is not None else 1
    began = time.perf_counter()
    played = _play(
        lambda: Stage(
            scenario,
            seed,
            [placed(choice, card, home) for _ in range(hosts)],
            choice.label,
            make_fabric(home, scenario, seed, capture=folder),
            lambda progress: on_progress(replace(progress, round=ordinal)),
            supports=tuple(sorted(card.supports or ())),
            idiomatic=choice.is_idiomatic,
        )
    )
    if played.abandoned:
        _collect_quietly()
    return RunResult(
        scenario=scenario,
        choice=choice,
        seed=seed,
        fabric=home,
        history=played.history,
        findings=() if played.setup_error else judge(scenario.checks, played.history),
        took_s=time.perf_counter() - began,
        round=ordinal,
        setup_error=played.setup_error,
        environment=environment_of(choice, card),
    )


def must_be_confined(fabric: str) -> bool:
    """Whether runs on a fabric need a user namespace, which this process is not in."""
    if fabric != KERNEL_FABRIC:
        return False
    # Linux's own: only who needs them pays for them.
    from harness.fabric.netns.access import probe  # noqa: PLC0415
    from harness.fabric.netns.entering import can_make  # noqa: PLC0415

    return not can_make() and bool(probe().way)


def _confined(
    scenario: Scenario,
    choice: ClientChoice,
    fabric: str,
    seed: int,
    ordinal: int,
    capture: Path | None,
) -> RunResult:
    """In a process of its own: the run."""
    return run_scenario(
        scenario,
        choice,
        fabric=fabric,
        seed=seed,
        ordinal=ordinal,
        capture=capture,
        on_progress=tell_progress,
    )


_ONE_AT_A_TIME = threading.Lock()
"""Runs in threads of one process take turns: output and descriptors are the process's."""


class _Played(NamedTuple):
    """What is left when a stage is gone."""

    history: History
    setup_error: str = ""
    abandoned: bool = False


def _play(make_stage: Callable[[], Stage]) -> _Played:
    """Play on a stage that nobody else holds, so that all of it can be thrown away."""
    with _ONE_AT_A_TIME, redirect_stdout(sys.stderr):
        stage = make_stage()
        try:
            with _signals_restored():
                stage.play()
        except SetupError as error:
            return _Played(stage.history, setup_error=str(error))
        except trio.TrioInternalError:
            if not stage.client_left_open():
                raise
            return _Played(stage.history, abandoned=True)
        return _Played(stage.history)


@contextmanager
def _signals_restored() -> Iterator[None]:
    """Put signal handlers and the alarm back, even if trio could not unwind what had set them."""
    if threading.current_thread() is not threading.main_thread():
        yield
        return
    before = {number: signal.getsignal(number) for number in (signal.SIGINT, signal.SIGTERM)}
    try:
        yield
    finally:
        if hasattr(signal, "setitimer"):
            signal.setitimer(signal.ITIMER_REAL, 0)
        for number, handler in before.items():
            signal.signal(number, handler)


def _collect_quietly() -> None:
    """Throw away what a client left behind, without the noise that its remains make."""
    before, sys.unraisablehook = sys.unraisablehook, lambda _: None
    try:
        gc.collect()
    finally:
        sys.unraisablehook = before


def judge(checks: Iterable[Check], history: History) -> tuple[Finding, ...]:
    """The findings of these checks, and of those that are always on."""
    asked = {check.NAME: check for check in checks}
    always = {name: all_checks()[name]() for name in ALWAYS if name not in asked}
    return tuple(_judge(check, history) for check in (*asked.values(), *always.values()))


def _judge(check: Check, history: History) -> Finding:
    """A check never raises; if a third party's does, that is no pass."""
    try:
        return check.judge(history)
    except Exception as error:  # noqa: BLE001 - a broken check must not hide the others
        actual = f"the check itself failed: {type(error).__name__}: {error}"
        return Finding(check.NAME, Verdict.UNKNOWN, check.REQUIREMENT, "a judgement", actual)


def environment() -> dict[str, str]:
    """What a run depends on besides its scenario and seed: versions and the platform."""
    return {
        "harness": harness.__version__,
        "python": platform.python_version(),
        "trio": trio.__version__,
        "openssl": ssl.OPENSSL_VERSION,
        "platform": platform.platform(),
    }


def environment_of(choice: ClientChoice, card: Card) -> dict[str, str]:
    """The same, and the versions of what the client stands on, where it runs."""
    told = versions_for(choice) or {name: version_of(name) for name in card.requires}
    own = {"client's python" if name == "python" else name: told[name] for name in told}
    return environment() | own
