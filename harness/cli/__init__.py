"""The ``harness`` command: thin, it reads options, calls the rooms below and says what they say.

One module for each command, imported only when that command is called, so that ``harness
--help`` answers at once. ``exits`` holds the exit codes, ``screen`` what a terminal can show.
"""

from harness.cli.app import main

__all__ = ["main"]
