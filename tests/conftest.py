"""What all tests share: hypothesis doesn't judge by speed, for machines are shared and noisy."""

import os
import sys

import pytest
from hypothesis import HealthCheck, settings

settings.register_profile(
    "patient",
    deadline=None,
    suppress_health_check=[HealthCheck.too_slow],
    print_blob=True,
)
settings.load_profile("patient")

pytest_plugins = ["pytester"]  # pytest takes it here alone; tests/pytest_plugin needs it

NETNS_REQUIRED = "CHAOS_NETNS"
"""If this variable says "required", what can't have network namespaces fails, and isn't skipped."""


@pytest.fixture
def ready_for():
    """Takes the name of a fabric, and skips the test, saying why, if it can't be had here."""

    def ready(fabric):
        why = _no_namespaces() if fabric == "netns" else ""
        if why and os.environ.get(NETNS_REQUIRED) == "required":
            pytest.fail(why)
        if why:
            pytest.skip(why)

    return ready


def _no_namespaces():
    if sys.platform != "linux":
        return "network namespaces are Linux's own"
    from harness.fabric.netns.access import probe

    access = probe()
    if not access.way:
        return f"needs network namespaces: {access.reason}; {access.advice}"
    return "" if access.tun else "needs network namespaces with /dev/net/tun"
