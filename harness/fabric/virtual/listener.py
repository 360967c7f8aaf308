"""A listening port: connections that nobody has accepted yet."""

from __future__ import annotations

import errno
from collections import deque

from harness.fabric.virtual import linux
from harness.fabric.virtual.end import End
from harness.fabric.virtual.options import Options
from harness.fabric.virtual.ports import Claim
from harness.fabric.virtual.talker import Holder
from harness.packet import Flow


class Listener:
    """Admits one connection more than its backlog, as Linux does."""

    __slots__ = ("_backlog", "_queue", "claim", "half_open", "holder", "options")

    def __init__(self, claim: Claim, options: Options, holder: Holder, backlog: int) -> None:
        self.claim = claim
        self.options = options
        self.holder = holder
        self.half_open: dict[Flow, End] = {}
        """Connections whose handshake is under way."""
        self._queue: deque[End] = deque()
        self.resize(backlog)

    def resize(self, backlog: int) -> None:
        """A backlog of so many; negative ones are as large as can be (listen(2))."""
        self._backlog = min(backlog, linux.BACKLOG_MAX) if backlog >= 0 else linux.BACKLOG_MAX

    @property
    def is_full(self) -> bool:
        """Whether no more can be queued."""
        return len(self._queue) > self._backlog

    @property
    def may_greet(self) -> bool:
        """Whether one more handshake may begin."""
        return not self.is_full and len(self.half_open) < linux.BACKLOG_MAX

    @property
    def readable(self) -> bool:
        """Whether a connection waits."""
        return bool(self._queue)

    def put(self, end: End) -> None:
        """Queue a connection."""
        self._queue.append(end)
        self.holder.changed()

    def take(self) -> End:
        """The next connection; OSError EAGAIN if none waits."""
        if not self._queue:
            raise linux.error(errno.EAGAIN)
        return self._queue.popleft()

    def drain(self) -> list[End]:
        """Everything that waits or is half open, in order: it is up to the caller to end it."""
        ends = [*self._queue, *self.half_open.values()]
        self._queue.clear()
        self.half_open.clear()
        return ends
