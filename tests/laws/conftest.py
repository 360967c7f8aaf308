"""Lets these tests play connections with the fake shell, and make packets by hand."""

import sys
from pathlib import Path

sys.path.insert(0, str(Path(__file__).parent.parent / "connection"))
sys.path.insert(0, str(Path(__file__).parent.parent / "faults"))
