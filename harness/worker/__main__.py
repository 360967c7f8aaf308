"""The client's own process: ``PYTHON path/to/harness/worker FILE:CLASS``, speaking over its pipes.

It is run by path, so that nothing of the harness has to be installed beside the client, and
nothing that the harness needs can be imported by it.
"""

from __future__ import annotations

import sys
import types
from pathlib import Path

PACKAGE = Path(__file__).resolve().parent.parent
PR_SET_PDEATHSIG = 1


def settle_in() -> None:
    """Make ``harness`` a package that has our files and none of its surroundings."""
    here = str(Path(__file__).resolve().parent)
    sys.path[:] = [place for place in sys.path if not place or str(Path(place).resolve()) != here]
    harness = types.ModuleType("harness")
    harness.__path__ = [str(PACKAGE)]
    sys.modules["harness"] = harness


def die_with_parent(signal_number: int) -> None:
    """Be killed when the harness is, whatever this process is busy with: prctl(2), on Linux."""
    if not sys.platform.startswith("linux"):
        return
    try:
        import ctypes  # noqa: PLC0415 - missing in some builds, and then the pipe must do

        ctypes.CDLL(None).prctl(PR_SET_PDEATHSIG, signal_number)
    except (ImportError, OSError, AttributeError):
        return


def main(place: str) -> None:
    """Serve the client that ``FILE:CLASS`` names until standard input ends."""
    settle_in()
    die_with_parent(9)
    from harness.worker.serving import serve  # noqa: PLC0415 - can be found from here on

    serve(place)


if __name__ == "__main__":
    main(sys.argv[1])
