"""What every adapter of an HTTP library keeps: its card, and two short scenarios."""

import ast
import importlib.metadata
import re
from pathlib import Path

import pytest

from harness.checks import Verdict
from harness.clients import all_clients
from harness.runner import run_scenario
from harness.scenario import read_text

WORDS = ("size", "max_overflow", "recycle", "idle_timeout", "pre_ping", "min_idle")
CARDS = [card for card in all_clients().values() if card.requires and "http" in card.serves]
each_adapter = pytest.mark.parametrize("card", CARDS, ids=lambda card: card.name)


def failures(result):
    """The checks that did not pass, with what they say; empty if all is well."""
    assert not result.setup_error
    assert not result.unsupported
    return {
        finding.check: f"{finding.verdict.name}: {finding.actual}"
        for finding in result.findings
        if finding.verdict is not Verdict.PASS
    }


def run(card, text, idiomatic=False):
    scenario = read_text(text, file="inline.yaml")
    return run_scenario(scenario, card.name + ("+idiomatic" if idiomatic else ""))


def test_the_http_libraries_are_all_there():
    assert {card.name for card in CARDS} >= {
        "aiohttp",
        "httpx",
        "httpx-asyncio",
        "httpx-trio",
        "requests",
        "urllib3",
    }


@each_adapter
def test_a_card_says_what_becomes_of_each_pool_word(card):
    assert card.summary.endswith(".")
    assert "Default" in card.doc
    assert "Idiomatic" in card.doc
    mapped = " ".join(line for line in card.doc.splitlines() if "->" in line)
    for word in WORDS:
        assert f"``{word}``" in card.doc, word
        assert (f"``{word}``" in mapped) >= (word in card.supports), word


@each_adapter
def test_what_a_card_requires_is_installed_and_has_a_version(card):
    for distribution in card.requires:
        assert importlib.metadata.version(distribution)


@each_adapter
def test_an_adapter_can_be_read_by_the_oldest_python_a_worker_runs_on(card):
    text = Path(card.file).read_text(encoding="utf-8")
    ast.parse(text, feature_version=(3, 8))
    assert "from __future__ import annotations" in text
    assert set(re.findall(r"from (harness[.]?\w*)", text)) == {"harness.clients"}


SHARED = """
scenario: shared-over-tls
about: More callers than there may be connections, over TLS, for replies of all framings.
proxy: {tls: terminate}
client:
  pool: {size: 2, timeout: 10s}
workload:
  - {phase: length,  callers: 5, calls: 20, unsafe: 50%, request: 2KiB, size: 40KiB}
  - {phase: chunked, callers: 5, calls: 10, framing: chunked, size: 40KiB, slow: 2ms}
expect:
  errors: 0
  at_most_once: true
  no_crosstalk: true
  no_silent_truncation: true
  connections_opened: {at_least: 2, at_most: 2}
  connections_peak: true
  no_leaks: true
  slots_conserved: true
  retry_amplification: 1
"""


@each_adapter
def test_callers_share_as_many_connections_as_there_may_be_and_get_their_own_replies(card):
    assert failures(run(card, SHARED)) == {}


SANE = """
scenario: closed-long-ago
about: >
  The server closed idle connections long before they are used again, which can be seen; later
  it cuts replies short, which can be seen as well. Callers notice the second alone.
client:
  pool: {size: 2, timeout: 10s}
workload:
  - {phase: warm,  callers: 2, calls: 8, slow: 5ms, unsafe: 50%}
  - {phase: quiet, pause: 600ms}
  - {phase: again, callers: 2, calls: 8, slow: 5ms, unsafe: 100%}
  - {phase: cut,   callers: 1, calls: 4, unsafe: 100%, size: 32KiB}
faults:
  - {fault: close, when: {idle: 100ms}, during: quiet}
  - {fault: reset, when: {response: every 2, byte: 1024}, during: cut}
expect:
  errors: {at_least: 1, at_most: 4, only: [reset, closed]}
  at_most_once: true
  no_crosstalk: true
  no_silent_truncation: true
  no_leaks: true
  slots_conserved: true
  recovers_within: 5s
"""


@each_adapter
def test_what_can_be_seen_is_seen_and_what_is_cut_short_is_an_error(card):
    assert failures(run(card, SANE, idiomatic=True)) == {}
