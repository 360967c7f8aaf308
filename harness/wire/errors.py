"""What a peer did that its protocol doesn't allow."""

from __future__ import annotations


class WireError(Exception):
    """The peer broke its protocol, or went beyond a limit; nothing after it can be trusted."""
