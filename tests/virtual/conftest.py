"""Makes the helpers beside the tests importable, and the clocks virtual before libraries are."""

import sys
from pathlib import Path

import pytest

from harness.fabric.virtual.shim import install_shim

sys.path.insert(0, str(Path(__file__).parent))
install_shim()


@pytest.fixture(scope="session")
def authority(tmp_path_factory):
    from kit import Authority

    return Authority.made(tmp_path_factory.mktemp("authority"))
