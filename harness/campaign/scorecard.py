"""Every scenario with every client: which pairs there are, and their runs.

Runs mostly wait, for faults and for the client to notice them, so there may be more of them at
once than there are processors. A pair that can't be run (a library or a server is missing, a
client's file fails to import) is a result that says so: a survey goes on.
"""

from __future__ import annotations

import os
import sys
from collections.abc import Callable, Iterable, Iterator, Mapping, Sequence
from contextlib import closing, contextmanager, nullcontext
from dataclasses import dataclass
from functools import partial

from harness.choice import ClientChoice
from harness.clients import Card
from harness.errors import HarnessError
from harness.history import History
from harness.result import RunResult
from harness.runner import must_be_confined, run_scenario, spread
from harness.runner.executors import PROCESS
from harness.scenario import Scenario

FIRST = "reference"
"""The client that comes first: what it passes can be passed."""
LEFT_OUT = ("naive",)
"""Shipped clients that are no library; who wants them names them."""
PYTHON = "@"
"""Between a client and the interpreter it is to run in."""
STDERR = 2
COMMAND = "command:"
"""Before a program that speaks the protocol of clients."""


@dataclass(frozen=True, slots=True)
class Pair:
    """A run to be made: a scenario with a client, for the ``ordinal``-th time."""

    scenario: Scenario
    choice: ClientChoice
    ordinal: int = 1


@dataclass(frozen=True, slots=True)
class Survey:
    """How runs are made: with which seed, how many at once, where.

    With ``quiet`` what clients write to standard error goes nowhere: on a terminal it would be
    strewn over the progress of all of them.
    """

    seed: int | None = None
    jobs: int = 1
    executor: str = PROCESS
    quiet: bool = False


def default_choices(cards: Mapping[str, Card]) -> list[ClientChoice]:
    """The reference client first, then every library's, those of one protocol together."""
    names = [name for name in cards if name != FIRST and name not in LEFT_OUT]
    names.sort(key=lambda name: (cards[name].serves, name))
    return [ClientChoice(name) for name in (FIRST, *names)]


def parsed_choices(texts: Iterable[str]) -> list[ClientChoice]:
    """The clients that are named, each once, in the order they are named in.

    A text is a list with commas of ``NAME``, ``NAME+idiomatic`` and ``FILE:CLASS``, each with
    ``@PYTHON`` behind it perhaps; or ``command:PROGRAM ARGUMENTS``, which is one client.
    """
    found: dict[ClientChoice, None] = {}
    for text in texts:
        if text.startswith(COMMAND):
            found[ClientChoice(name="", command=text.removeprefix(COMMAND).strip())] = None
            continue
        for word in filter(None, (part.strip() for part in text.split(","))):
            name, _, python = word.partition(PYTHON)
            found[ClientChoice(name=name, python=python)] = None
    return list(found)


def pairs(
    scenarios: Sequence[Scenario], cards: Mapping[ClientChoice, Card | None], repeat: int = 1
) -> Iterator[Pair]:
    """Every scenario with every client that speaks its protocol, one round after the other.

    A client without a card, or whose card doesn't say, is taken to speak everything.
    """
    for ordinal in range(1, repeat + 1):
        for scenario in scenarios:
            for choice, card in cards.items():
                if card is None or not card.serves or scenario.origin.protocol in card.serves:
                    yield Pair(scenario, choice, ordinal)


def survey(
    asked: Sequence[Pair],
    options: Survey,
    on_result: Callable[[RunResult], None] = lambda _: None,
) -> list[RunResult]:
    """The results of these pairs, but for those whose client turned out to speak no such protocol.

    ``on_result`` is called as each run ends, in no order, with those left out as well. Raises
    Interrupted on SIGINT or SIGTERM, after cleaning up.
    """
    results = []
    told = spread(
        options.executor,
        options.jobs,
        partial(run_pair, options),
        asked,
        lambda pair: must_be_confined(pair.scenario.home),
    )
    with closing(told):  # also if what is done with a result raises
        for pair, result in told:
            on_result(result)
            if pair.scenario.origin.protocol not in result.unsupported:
                results.append(result)
    return results


def run_pair(options: Survey, pair: Pair) -> RunResult:
    """One run; executors carry it out. What keeps it from being made is its ``setup_error``."""
    try:
        with _silenced() if options.quiet and options.executor == PROCESS else nullcontext():
            return run_scenario(pair.scenario, pair.choice, seed=options.seed, ordinal=pair.ordinal)
    except (HarnessError, ImportError) as error:
        return _not_set_up(options.seed, pair, "; ".join(str(error).splitlines()))


@contextmanager
def _silenced() -> Iterator[None]:
    """Send this process's standard error, and that of processes started meanwhile, nowhere."""
    sys.stderr.flush()
    kept = os.dup(STDERR)
    try:
        nowhere = os.open(os.devnull, os.O_WRONLY)
        os.dup2(nowhere, STDERR)
        os.close(nowhere)
        yield
    finally:
        sys.stderr.flush()
        os.dup2(kept, STDERR)
        os.close(kept)


def _not_set_up(seed: int | None, pair: Pair, why: str) -> RunResult:
    return RunResult(
        scenario=pair.scenario,
        choice=pair.choice,
        seed=pair.scenario.seed if seed is None else seed,
        fabric=pair.scenario.home,
        history=History(),
        findings=(),
        took_s=0.0,
        round=pair.ordinal,
        setup_error=why,
    )
