"""What the harness asks of a client under test, on its own side."""

from __future__ import annotations

from collections.abc import Iterable
from typing import ClassVar, Protocol

from harness.worker.contract import Call, Reply, Settings


class Client(Protocol):
    """A client under test, as the runner calls it: coroutines on trio.

    One that says ``RUNS_ON = "asyncio"`` or ``"threads"`` is made to look like this by an adapter
    in between.
    """

    async def open(self, settings: Settings) -> None:
        """Get ready for calls."""

    async def call(self, call: Call) -> Reply | bytes:
        """Make one call and get its reply; raise if there is none."""

    async def close(self) -> None:
        """Close everything; return when it is closed."""


class NamedClient(Client, Protocol):
    """A client that ships with the harness: it has a name and says what it supports.

    All of these are written as literals, because they are read without importing the file.
    """

    NAME: ClassVar[str]
    RUNS_ON: ClassVar[str]
    SERVES: ClassVar[tuple[str, ...]]
    SUPPORTS: ClassVar[Iterable[str]]
    REQUIRES: ClassVar[tuple[str, ...]]
