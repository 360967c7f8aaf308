"""What stands behind the proxy: built-in servers with a ledger, real ones, or the user's own."""

from harness.origin.kept import Identity
from harness.origin.origin import Origin, open_origin
from harness.origin.programs import INSTALL, Programs, find_programs, installed
from harness.origin.servers import open_servers

__all__ = [
    "INSTALL",
    "Identity",
    "Origin",
    "Programs",
    "find_programs",
    "installed",
    "open_origin",
    "open_servers",
]
