"""What a pool must be told about the connections it pools."""

from __future__ import annotations

from typing import Protocol, TypeVar

C = TypeVar("C")


class Connector(Protocol[C]):
    """Opens, checks and closes connections of one kind to one place.

    The pool bounds every call in time by cancelling it, and takes any ``Exception`` for a
    failure. It never calls two methods for the same connection at once, but for ``abort``.
    """

    async def connect(self) -> C:
        """Return a connection that is ready for use; leave nothing open if cancelled."""
        ...

    async def is_stale(self, connection: C) -> bool:
        """Tell whether an idle connection is known to be unusable, without waiting for its peer.

        FIN, RST and bytes nobody asked for all mean yes. It runs before every hand-out, so it may
        take some scheduler ticks but no round trip.
        """
        ...

    async def wait_stale(self, connection: C) -> None:
        """Return once an idle connection has become unusable.

        It runs all the while a connection is idle and is cancelled before anything else happens
        to it; being cancelled must leave the connection as it was. Where there is nothing to wait
        for, sleep forever.
        """
        ...

    async def ping(self, connection: C) -> bool:
        """Tell whether the peer answers a round trip."""
        ...

    async def close(self, connection: C) -> None:
        """Close politely; may block, may be cancelled. ``abort`` always follows."""
        ...

    def abort(self, connection: C) -> None:
        """Close at once, whoever is using it; harmless on a closed connection."""
        ...

    def is_permanent(self, error: Exception) -> bool:
        """Tell whether another connect attempt would only fail like this again."""
        ...
