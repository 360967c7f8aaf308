"""What needs privileges in the test's own process, as a normal user: in a user namespace."""

import subprocess
import sys
from pathlib import Path

import pytest

from harness.fabric.netns.access import probe
from harness.fabric.netns.entering import can_make

HERE = Path(__file__).parent
FILES = ["test_silence_on_the_wire.py", "test_shape_on_the_wire.py", "test_capture.py"]
WHY = "" if probe().way else f"needs network namespaces: {probe().reason}; {probe().advice}"
LIMIT_S = 300


@pytest.mark.skipif(bool(WHY), reason=WHY or "never")
@pytest.mark.skipif(can_make(), reason="this process is privileged: the files run by themselves")
def test_the_tests_that_look_at_the_wire_pass_there():
    command = [sys.executable, str(HERE / "confined.py"), "-q", *(str(HERE / f) for f in FILES)]
    told = subprocess.run(command, capture_output=True, text=True, check=False, timeout=LIMIT_S)
    assert told.returncode == 0, told.stdout + told.stderr
    assert "needs network namespaces" not in told.stdout
