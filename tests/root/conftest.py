"""Lets these tests use the raw peers of the proxy's own tests, and says if they must be there.

With CHAOS_NETNS=required a test that is skipped for want of network namespaces fails instead:
where they are known to be there, nobody should be glad of a run that has tested nothing.
"""

import os
import sys
from pathlib import Path

import pytest

from harness.fabric.netns.access import probe

sys.path.insert(0, str(Path(__file__).parent))
sys.path.insert(0, str(Path(__file__).parent.parent / "proxy"))

REQUIRED = os.environ.get("CHAOS_NETNS") == "required"


@pytest.hookimpl(wrapper=True)
def pytest_runtest_makereport(item):
    report = yield
    reason = str(report.longrepr[2]) if report.skipped and REQUIRED else ""
    if "namespace" in reason and not (probe().way and probe().tun):
        report.outcome, report.longrepr = "failed", f"CHAOS_NETNS=required, but {reason}"
    return report
