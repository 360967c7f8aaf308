"""Servers of our own, and one process whose proxies stand in front of them."""

import sys
from pathlib import Path

import pytest

sys.path.insert(0, str(Path(__file__).parent))

from serve_backends import Backend

from harness.serve import ProxyProcess


@pytest.fixture(scope="session")
def process():
    with ProxyProcess() as process:
        yield process


@pytest.fixture
def backend():
    with Backend("blue") as backend:
        yield backend


@pytest.fixture
def green():
    with Backend("green") as backend:
        yield backend


@pytest.fixture
def proxy(process, backend):
    with process.open(backend.address) as proxy:
        yield proxy
