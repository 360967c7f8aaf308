"""Runs pytest inside a user namespace, where a normal user may make networks:

python tests/root/confined.py tests/root
"""

from __future__ import annotations

import sys

import pytest

from harness.fabric.netns.entering import can_make, enter_user_namespace

if __name__ == "__main__":
    if not can_make():
        enter_user_namespace()
    imported = "ignore::pytest.PytestAssertRewriteWarning"  # the harness is, by now
    sys.exit(pytest.main([*sys.argv[1:], "-p", "no:xdist", "-W", imported]))
