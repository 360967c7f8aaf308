"""What a watcher is told of client sockets: each attempt once, and each connection's end once."""

from __future__ import annotations

from typing import Protocol


class Watcher(Protocol):
    """Told of client sockets: those that dial an address of the proxy's client side."""

    def dialed(self, port: int, outcome_errno: int, began: float) -> None:
        """An attempt is over: the local port and 0, or an errno (ECANCELED: closed meanwhile)."""

    def closed(self, port: int) -> None:
        """A socket that was connected has been closed."""

    def lost(self, port: int) -> None:
        """A socket that was connected has been collected; nobody closed it."""


class Watched:
    """Remembers of one socket what is still to be told."""

    __slots__ = ("_began", "_connected_port")

    def __init__(self) -> None:
        self._began: float | None = None
        self._connected_port = 0

    def begin(self, now: float) -> None:
        """It dials."""
        self._began = now

    def forget(self) -> None:
        """It never came to dialing."""
        self._began = None

    def end(self, watcher: Watcher | None, port: int, code: int) -> None:
        """The attempt is over, if there was one."""
        began, self._began = self._began, None
        if began is None:
            return
        self._connected_port = 0 if code else port
        if watcher is not None:
            watcher.dialed(port, code, began)

    def close(self, watcher: Watcher | None, *, lost: bool) -> None:
        """The connection is let go of, if there was one."""
        port, self._connected_port = self._connected_port, 0
        if port and watcher is not None:
            (watcher.lost if lost else watcher.closed)(port)
