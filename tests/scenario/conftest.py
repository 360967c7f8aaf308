"""Two scenarios: one that uses most of the language, one that uses as little as it can."""

import pytest

FULL = """\
scenario: idle-close-race
about: >
  The server drops keep-alive connections after 2 s idle, just as the pool reuses them.
  No caller may notice and no call may run twice.
level: must
seed: 7

origin:
  serve: http
  backends: [blue, green]
  tls: false
proxy:
  tls: terminate
client:
  pool: {size: 4, max_overflow: 2, timeout: 1s, recycle: 1h, idle_timeout: 30s, pre_ping: true}

workload:
  - {phase: warm,   callers: 4, calls: 40}
  - {phase: quiet,  pause: 2.5s}
  - {phase: resume, callers: 4, calls: 200, every: 5ms, unsafe: 50%, cancel: {probability: 5%, after: 3ms}}

faults:
  - {fault: close,   when: {idle: 2s}}
  - {fault: reset,   when: {response: every 10, byte: 512}, side: client}
  - {fault: latency, delay: 20ms, jitter: 5ms, distribution: normal, direction: downstream, during: resume}
  - {fault: rotate,  to: green, at: 3s, drain: false}

expect:
  errors: 0
  at_most_once: true
  no_crosstalk: true
  no_leaks: true
  connections_opened: {at_most: 12}
  recovers_within: 1s
"""  # noqa: E501 - as people write it

SMALL = """\
scenario: small
workload: [{phase: load, calls: 4}]
expect: {no_leaks: true}
"""


@pytest.fixture(scope="session")
def full():
    return FULL


@pytest.fixture(scope="session")
def small():
    return SMALL
