"""Lets these tests play connections with the fake shell of the connection's own tests."""

import sys
from pathlib import Path

sys.path.insert(0, str(Path(__file__).parent.parent / "connection"))
