"""The pure rules: settings, back-off, retries, keep-alive times and the words for exceptions."""

import errno
import ssl
from math import inf
from random import Random

import h11
import pytest
import trio
from hypothesis import given
from hypothesis import strategies as st

from harness.causes import reason_of
from harness.pool import PoolSettings
from harness.pool.backoff import backoff_s
from harness.pool.http_connection import keep_alive_s
from harness.pool.retry import is_stray_timeout, may_retry
from harness.pool.translate import kind_of


@given(failures=st.integers(1, 10_000), seed=st.integers())
def test_a_pause_stays_below_its_doubling_ceiling_and_the_cap(failures, seed):
    pause_s = backoff_s(failures, base_s=0.5, cap_s=8, random=Random(seed))
    assert 0 <= pause_s <= min(8, 0.5 * 2 ** min(failures - 1, 60))


def test_failures_count_from_one():
    with pytest.raises(ValueError, match="counts from 1"):
        backoff_s(0, base_s=1, cap_s=1, random=Random(0))


@pytest.mark.parametrize(
    ("wrong", "match"),
    [
        ({"size": 0}, "whole number from 1"),
        ({"size": 1.5}, "whole number from 1"),
        ({"max_overflow": -1}, "whole number from 0"),
        ({"timeout_s": 0}, "more than 0 seconds"),
        ({"timeout_s": inf}, "seconds from 0"),
        ({"recycle_s": -1}, "seconds from 0"),
        ({"min_idle": 6}, r"at most size \(5\)"),
        ({"backoff_base_s": 3}, "at least backoff_base_s"),
    ],
)
def test_settings_that_make_no_sense_say_what_would(wrong, match):
    with pytest.raises(ValueError, match=match):
        PoolSettings(**wrong)


@pytest.mark.parametrize(
    ("method", "kind", "sent", "left", "expected"),
    [
        ("GET", "reset", True, 1, True),
        ("GET", "closed", True, 1, True),
        ("GET", "reset", True, 0, False),
        ("GET", "timeout", True, 1, False),
        ("GET", "protocol", True, 1, False),
        ("get", "reset", True, 1, False),
        ("POST", "reset", True, 1, False),
        ("PUT", "closed", True, 1, False),
        ("POST", "closed", False, 1, True),
    ],
)
def test_only_what_is_safe_is_repeated(method, kind, sent, left, expected):
    assert may_retry(method, kind, sent=sent, retries_left=left) is expected


@pytest.mark.parametrize(
    ("method", "status", "reused", "expected"),
    [("GET", 408, True, True), ("GET", 408, False, False), ("POST", 408, True, False),
     ("GET", 404, True, False)],
)  # fmt: skip
def test_only_a_408_on_a_reused_connection_may_be_stray(method, status, reused, expected):
    assert is_stray_timeout(method, status, reused=reused, retries_left=1) is expected


@pytest.mark.parametrize(
    ("value", "expected"),
    [(b"timeout=10", 9), (b"timeout=1", 0.5), (b"max=5, Timeout=2", 1), (b"timeout=0", 0),
     (b"timeout=soon", inf), (b"", inf)],
)  # fmt: skip
def test_a_keep_alive_time_is_read_less_its_margin(value, expected):
    assert keep_alive_s([(b"server", b"x"), (b"keep-alive", value)]) == expected


def caused(error, cause):
    error.__cause__ = cause
    return error


@pytest.mark.parametrize(
    ("error", "expected"),
    [
        (ConnectionRefusedError(errno.ECONNREFUSED, "no"), "refused"),
        (caused(trio.BrokenResourceError(), OSError(errno.ECONNRESET, "no")), "reset"),
        (caused(trio.BrokenResourceError(), OSError(errno.EPIPE, "no")), "reset"),
        (caused(trio.BrokenResourceError(), ssl.SSLEOFError(8, "no")), "closed"),
        (caused(trio.BrokenResourceError(), ssl.SSLError(1, "no")), "tls"),
        (OSError(errno.ETIMEDOUT, "no"), "timeout"),
        (OSError(errno.EHOSTUNREACH, "no"), "unreachable"),
        (OSError(errno.ENETUNREACH, "no"), "unreachable"),
        (OSError(errno.EADDRNOTAVAIL, "no"), "no_port"),
        (trio.TooSlowError(), "timeout"),
        (caused(EOFError("end"), h11.RemoteProtocolError("cut")), "closed"),
        (h11.RemoteProtocolError("no"), "protocol"),
        (caused(OSError("all failed"), ExceptionGroup("", [OSError(errno.ECONNREFUSED, "no")])),
         "refused"),
        (ValueError("no"), "other"),
    ],
)  # fmt: skip
def test_an_exception_is_named_by_what_lies_beneath_it(error, expected):
    assert kind_of(error) == expected
    assert reason_of(error)
