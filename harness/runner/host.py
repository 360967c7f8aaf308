"""The client under test, kept in a task of its own: opened and closed there, watched all along.

``open`` and ``close`` run in the same task, so a client may open a nursery in one and close it in
the other; limits are kept by moving the deadline of the task's own scope, never by a scope that
ends between the two.
"""

from __future__ import annotations

import math
from collections.abc import Callable
from contextlib import AbstractContextManager, nullcontext, suppress

import trio

from harness.clients import Client, ProcessClient, Settings, outcome_of
from harness.errors import InputError, SetupError
from harness.history import ClientClosed, ClientClosing, ClientFailed, ClientOpened, Event
from harness.runner.party import Party, members_of
from harness.runner.watchdog import Watchdog

OPEN_LIMIT_S = 10.0
CLOSE_LIMIT_S = 10.0
CLIENT_RAISES = (Exception, SystemExit, KeyboardInterrupt)
"""Whatever a client raises is told; a real Ctrl-C arrives as a signal, not as an exception."""


class ClientHost:
    """Opens the client, closes it when asked, and tells how both went."""

    def __init__(
        self,
        client: Client,
        settings: Settings,
        tell: Callable[[Event], None],
        watchdog: Watchdog,
    ) -> None:
        self.client = client
        self.failed = False
        self.left_open = False
        self.in_flight = 0
        self.opened = trio.Event()
        self.closed = trio.Event()
        self._settings = settings
        self._tell = tell
        self._watchdog = watchdog
        self._close = trio.Event()
        self._scope = trio.CancelScope()
        self._zero = trio.current_time()
        self._doing = ""
        self._took_s = 0.0

    @property
    def usable(self) -> bool:
        """Whether the client may be called: one that blocked the event loop would do it again."""
        return not (self._watchdog.barked or self.failed)

    def turn(self) -> tuple[Client, AbstractContextManager[None]]:
        """Who makes the next call, and what to be within for it."""
        if isinstance(self.client, Party):
            return self.client.turn()
        return self.client, nullcontext()

    def ask_to_close(self) -> None:
        """Let the client be closed now; ``closed`` is set when that is over."""
        self._close.set()

    def give_up(self, message: str) -> None:
        """The client's process is gone, or of no use; told here unless ``do`` tells it anyway."""
        if self.opened.is_set() and not self._close.is_set():
            self._fail("call", "other", message)

    async def run(self, zero: float) -> None:
        """The client's whole life; if the run is cut short it is closed all the same."""
        self._zero = zero
        try:
            with self._scope:
                try:
                    await self._live()
                except trio.Cancelled:
                    await self._close_in_haste()  # noqa: ASYNC102 - it shields itself
                    raise
                finally:
                    self._cancel_open_nurseries()
            if self._scope.cancelled_caught:
                self._fail(self._doing, "timeout", f"it did not return within {OPEN_LIMIT_S:g} s")
        finally:
            self.opened.set()
            self.closed.set()

    async def _live(self) -> None:
        if not await self.do("open"):
            return
        self._tell(ClientOpened(at_s=self._at_s(), took_s=self._took_s))
        self.opened.set()
        await self._close.wait()
        if self.failed:
            return
        self._tell(ClientClosing(at_s=self._at_s(), in_flight=self.in_flight))
        if await self.do("close"):
            self._tell(ClientClosed(at_s=self._at_s(), took_s=self._took_s))

    async def _close_in_haste(self) -> None:
        """Give an open client the chance to leave its nurseries when the run is cancelled.

        One in a process of its own has none here, and ends with its process. The scope that
        shields it must be the one around everything: a new one would end between the client's
        nursery and its surroundings.
        """
        is_here = not any(isinstance(c, ProcessClient) for c in members_of(self.client))
        if is_here and self._doing == "open" and self.opened.is_set():
            self._scope.shield = True
            with suppress(trio.Cancelled):
                await self.do("close")

    async def do(self, what: str) -> bool:
        """Open or close the client within its limit; whether it did."""
        began = trio.current_time()
        self._doing = what
        limit_s = OPEN_LIMIT_S if what == "open" else CLOSE_LIMIT_S
        self._scope.deadline = began + limit_s
        try:
            if what == "open":
                await self.client.open(self._settings)
            else:
                await self.client.close()
        except (InputError, SetupError):
            raise
        except CLIENT_RAISES as error:
            outcome = outcome_of(error)
            self._fail(what, outcome.kind, outcome.message)
            return False
        finally:
            self._scope.deadline = math.inf
            self._took_s = trio.current_time() - began
        return True

    def _fail(self, during: str, kind: str, message: str) -> None:
        self.failed = True
        self._tell(ClientFailed(at_s=self._at_s(), during=during, kind=kind, message=message))

    def _cancel_open_nurseries(self) -> None:
        for nursery in trio.lowlevel.current_task().child_nurseries:
            self.left_open = True
            nursery.cancel_scope.cancel()

    def _at_s(self) -> float:
        return trio.current_time() - self._zero
