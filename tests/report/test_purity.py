"""The room draws; it neither acts nor asks for the time."""

import subprocess
import sys

ACTING = ("trio", "click", "harness.runner", "harness.fabric", "harness.cli")


def test_importing_it_imports_nothing_that_acts():
    code = f"import sys, harness.report; print([m for m in {ACTING} if m in sys.modules])"
    done = subprocess.run([sys.executable, "-c", code], capture_output=True, text=True, check=True)
    assert done.stdout.strip() == "[]"
