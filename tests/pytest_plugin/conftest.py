"""Test suites of users: each has a server to stand in front of, and is run by pytest itself."""

from pathlib import Path

import pytest

import harness.fabric.virtual
import harness.pytest_plugin.scenarios  # noqa: F401 - see below
from harness.checks import all_checks
from harness.faults import all_faults

# A session inside this process forgets the modules that it was the first to import. Those that
# were must be whole, so all that a run may want is imported before.
all_faults()
all_checks()

CONFTEST = """
import sys
sys.path.insert(0, {folder!r})
import pytest
from serve_backends import Backend, connected

@pytest.fixture
def address():
    with Backend("blue") as backend:
        yield backend.address

@pytest.fixture
def green():
    with Backend("green") as backend:
        yield backend.address
"""


@pytest.fixture
def suite(pytester, monkeypatch):
    """A folder with a conftest; ``suite.makepyfile`` adds tests."""
    folder = Path(__file__).parents[1] / "serve"
    pytester.makeconftest(CONFTEST.format(folder=str(folder)))
    pytester.makeini("[pytest]\nfilterwarnings = error\nstrict_markers = true\n")
    monkeypatch.delenv("PYTEST_ADDOPTS", raising=False)
    return pytester
