"""A scripted connector, and a way to cancel a task at an exact step."""

from collections import deque
from dataclasses import dataclass, field

import trio
from trio.lowlevel import Task


class FakeCertificateError(Exception):
    """A connect failure that is permanent."""


@dataclass(eq=False)
class FakeConnection:
    """A connection that lives until the test or the pool ends it."""

    number: int
    dead: trio.Event = field(default_factory=trio.Event)
    answers_ping: bool = True
    closed: bool = False
    aborted: bool = False
    pings: int = 0
    users: int = 0

    def use(self):
        """Count the callers that use it at once; there must never be two."""
        self.users += 1
        assert self.users == 1
        assert not self.closed

    def unuse(self):
        self.users -= 1


@dataclass
class FakeConnector:
    """Connects as its script says: a number is a delay in seconds, an exception is raised."""

    script: deque = field(default_factory=deque)
    connect_s: float = 0.0
    ping_s: float = 0.0
    close_s: float = 0.0
    opened: list = field(default_factory=list)
    attempts: list = field(default_factory=list)
    most_open: int = 0
    connecting: int = 0

    @property
    def open(self):
        return [connection for connection in self.opened if not connection.closed]

    async def connect(self):
        self.connecting += 1
        self.attempts.append((trio.current_time(), self.connecting))
        self.most_open = max(self.most_open, self.connecting + len(self.open))
        try:
            step = self.script.popleft() if self.script else self.connect_s
            if isinstance(step, BaseException):
                await trio.lowlevel.checkpoint()
                raise step
            await trio.sleep(step)
        finally:
            self.connecting -= 1
        connection = FakeConnection(len(self.opened) + 1)
        self.opened.append(connection)
        return connection

    async def is_stale(self, connection):
        await trio.lowlevel.checkpoint()
        return connection.dead.is_set()

    async def wait_stale(self, connection):
        await connection.dead.wait()

    async def ping(self, connection):
        connection.pings += 1
        await trio.sleep(self.ping_s)
        return connection.answers_ping

    async def close(self, connection):
        await trio.sleep(self.close_s)
        connection.closed = True

    def abort(self, connection):
        connection.aborted = not connection.closed
        connection.closed = True

    def is_permanent(self, error):
        return isinstance(error, FakeCertificateError)


class CancelAtStep(trio.abc.Instrument):
    """Cancels a scope after the k-th step that any task takes: every instant there is, in turn.

    Among them are those at which its task has already been woken but hasn't run yet. ``done``
    tells whether the run got that far.
    """

    def __init__(self, step: int, scope: trio.CancelScope) -> None:
        self._step = step
        self._scope = scope
        self.done = False

    def after_task_step(self, task: Task) -> None:
        self._step -= 1
        if self._step == 0:
            self.done = True
            self._scope.cancel()
