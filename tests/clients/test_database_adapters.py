"""What every adapter for PostgreSQL or Redis keeps: its card, and two short scenarios."""

import ast
import re
from pathlib import Path

import psycopg
import psycopg_pool
import pytest
import redis
import sqlalchemy.exc

from harness.checks import Verdict
from harness.clients import Settings, all_clients, outcome_of
from harness.runner import run_scenario
from harness.scenario import read_text

DATABASES = {"postgres", "redis"}
WORDS = ("size", "max_overflow", "recycle", "idle_timeout", "pre_ping", "min_idle")
"""Pool settings that a client must have before a scenario that asks for them applies to it."""
LONG_ENOUGH = {"recycle": "1h", "idle_timeout": "1h", "pre_ping": "true", "min_idle": "1"}
CARDS = [card for card in all_clients().values() if card.requires and DATABASES & set(card.serves)]
each_adapter = pytest.mark.parametrize("card", CARDS, ids=lambda card: card.name)


def failures(result):
    """The checks that did not pass, with what they say; empty if all is well."""
    assert not result.setup_error
    return {
        finding.check: f"{finding.verdict.name}: {finding.actual}"
        for finding in result.findings
        if finding.verdict is not Verdict.PASS
    }


def run(card, text, idiomatic=False):
    scenario = read_text(text.replace("DATABASE", card.serves[0]), file="inline.yaml")
    return run_scenario(scenario, card.name + ("+idiomatic" if idiomatic else ""))


def test_the_database_libraries_are_all_there():
    assert {card.name for card in CARDS} >= {
        "asyncpg",
        "django",
        "django-pool",
        "psycopg-pool",
        "psycopg-pool-async",
        "redis",
        "redis-asyncio",
        "sqlalchemy-asyncpg",
        "sqlalchemy-psycopg",
    }


@each_adapter
def test_a_card_says_what_becomes_of_each_pool_word(card):
    assert card.summary.endswith(".")
    assert "Idiomatic" in card.doc
    mapped = " ".join(line for line in card.doc.splitlines() if "->" in line)
    for word in WORDS:
        assert (f"``{word}``" in mapped) >= (word in card.supports), word


@each_adapter
def test_an_adapter_can_be_read_by_the_oldest_python_a_worker_runs_on(card):
    text = Path(card.file).read_text(encoding="utf-8")
    ast.parse(text, feature_version=(3, 8))
    assert "from __future__ import annotations" in text


@each_adapter
def test_an_adapter_asks_the_worker_for_nothing_but_the_contract(card):
    text = Path(card.file).read_text(encoding="utf-8")
    assert set(re.findall(r"from (harness[.\w]*) import", text)) == {"harness.clients"}


PLAIN = """
scenario: replies
about: Callers come one after the other and at once, for small replies and for large ones.
origin: {serve: DATABASE}
client: {pool: {size: 2, timeout: 5s, MORE}}
workload:
  - {phase: small, callers: CALLERS, calls: 12, slow: 3ms, unsafe: 50%}
  - {phase: large, callers: 1, calls: 2, size: 100KiB}
expect:
  errors: 0
  at_most_once: true
  no_crosstalk: true
  no_silent_truncation: true
  no_leaks: true
  slots_conserved: true
  connections_opened: {at_least: 1, at_most: 3}
  closes_within: 5s
"""


@each_adapter
def test_every_caller_gets_the_right_reply_within_the_limit_on_connections(card):
    more = [f"{word}: {value}" for word, value in LONG_ENOUGH.items() if word in card.supports]
    callers = "4" if "size" in card.supports else "2"
    text = PLAIN.replace(", MORE", "".join(f", {each}" for each in more))
    result = run(card, text.replace("CALLERS", callers))
    assert result.unsupported == ()
    assert failures(result) == {}


FAULT = """
scenario: idle-fin-with-tls
about: The server closes what is idle for a moment. Callers may notice, but nothing is lost by it.
origin: {serve: DATABASE}
proxy: {tls: terminate}
client: {pool: {size: 2, timeout: 5s}}
workload:
  - {phase: warm,   callers: 2, calls: 4, slow: 10ms}
  - {phase: quiet,  pause: 300ms}
  - {phase: resume, callers: 2, calls: 8}
faults:
  - {fault: close, when: {idle: 150ms}, during: quiet}
expect:
  errors: {at_most: 2}
  handshakes: {at_most: 6}
  no_crosstalk: true
  no_silent_truncation: true
  no_leaks: true
  slots_conserved: true
  recovers_within: 5s
"""


@each_adapter
def test_an_idle_connection_that_is_closed_costs_at_most_the_call_that_finds_it(card):
    result = run(card, FAULT, idiomatic=True)
    assert result.unsupported == ()
    assert failures(result) == {}


def chained(error, cause):
    error.__cause__ = cause
    return error


LOST = "consuming input failed: server closed the connection unexpectedly\n\tThis probably means"
REFUSED = 'connection to server at "127.0.0.1", port 1 failed: Connection refused\n\tIs the server'


@pytest.mark.parametrize(
    ("error", "certainty", "kind"),
    [
        (psycopg.OperationalError(REFUSED), "failed", "refused"),
        (psycopg.OperationalError(LOST), "unknown", "closed"),
        (psycopg.OperationalError("the connection is lost"), "unknown", "closed"),
        (psycopg.OperationalError("the connection is closed"), "unknown", "closed"),
        (
            psycopg.OperationalError("SSL connection has been closed unexpectedly"),
            "unknown",
            "closed",
        ),
        (psycopg.OperationalError("SSL SYSCALL error: EOF detected"), "unknown", "closed"),
        (
            psycopg.OperationalError("could not receive data: Connection reset by peer"),
            "unknown",
            "reset",
        ),
        (psycopg.OperationalError("connection timeout expired"), "unknown", "timeout"),
        (psycopg.OperationalError("SSL error: certificate verify failed"), "unknown", "tls"),
        (
            psycopg.OperationalError('server certificate for "x" does not match host name "y"'),
            "unknown",
            "tls",
        ),
        (psycopg.OperationalError("lost synchronization with server"), "unknown", "protocol"),
        (psycopg.errors.AdminShutdown("terminating connection"), "unknown", "closed"),
        (psycopg.errors.QueryCanceled("canceling statement"), "unknown", "timeout"),
        (psycopg.errors.UniqueViolation("duplicate key"), "unknown", "other"),
        (psycopg_pool.PoolTimeout("couldn't get a connection"), "failed", "pool_timeout"),
        (psycopg_pool.TooManyRequests("the pool has 9"), "failed", "pool_timeout"),
        (psycopg_pool.PoolClosed("the pool 'p' is already closed"), "unknown", "pool_closed"),
        (sqlalchemy.exc.TimeoutError("QueuePool limit of size 2"), "failed", "pool_timeout"),
        (
            chained(
                sqlalchemy.exc.OperationalError("SELECT 1", {}, Exception("no text of libpq")),
                psycopg.errors.AdminShutdown("x"),
            ),
            "unknown",
            "closed",
        ),
        (redis.ConnectionError("Connection closed by server."), "unknown", "closed"),
        (redis.TimeoutError("Timeout reading from socket"), "unknown", "timeout"),
        (
            chained(redis.ConnectionError("No connection available."), TimeoutError()),
            "failed",
            "pool_timeout",
        ),
        (
            chained(redis.ConnectionError("Error 111 connecting"), ConnectionRefusedError(111, "")),
            "failed",
            "refused",
        ),
        (redis.InvalidResponse("Protocol Error: b'x'"), "unknown", "protocol"),
    ],
    ids=str,
)
def test_an_exception_of_a_database_library_stands_for_an_outcome(error, certainty, kind):
    outcome = outcome_of(error)
    assert (outcome.certainty, outcome.kind) == (certainty, kind)


def test_libpq_is_told_where_to_connect_and_what_name_to_verify():
    plain = Settings("127.0.0.1", 1, user="u", password="p", database="d").libpq
    assert (plain["host"], plain["sslmode"], plain["password"]) == ("127.0.0.1", "disable", "p")
    secure = Settings("127.0.0.1", 1, tls=True, ca_file="ca.pem").libpq
    assert (secure["host"], secure["hostaddr"]) == ("localhost", "127.0.0.1")
    assert (secure["sslmode"], secure["sslrootcert"]) == ("verify-full", "ca.pem")
