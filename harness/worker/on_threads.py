"""Serves a client whose methods block: its calls run in threads, as many at once as are made.

Nothing can stop a thread that blocks, but for the main thread, which a signal interrupts. So a
call that is to be cancelled runs there, if the main thread is free: then a signal's handler raises
in it, as Ctrl-C does, or the worker timeout of a server. Any other call goes on, and nobody says
that it was cancelled.
"""

from __future__ import annotations

import signal
import threading
import weakref
from concurrent.futures import ThreadPoolExecutor
from queue import SimpleQueue
from typing import TYPE_CHECKING, Any

from harness.worker.host import Desk
from harness.worker.messages import Message, call_of

if TYPE_CHECKING:
    from types import FrameType

    from harness.worker.stdio import Stdio

THREADS_LIMIT = 256
"""Calls that run at once; more of them wait. A thread that is free is used again."""
AGAIN_S = 0.001
"""A main thread that is in the middle of what must be whole is interrupted this much later."""


class Interrupted(BaseException):
    """The caller was cancelled; no Exception, so that only clean-up sees it, as with Ctrl-C."""


class ThreadsHost:
    """The client in this process, whose main thread waits for what must run there."""

    def __init__(self, client: Any, stdio: Stdio) -> None:
        self._client = client
        self._stdio = stdio
        self._desk = Desk(stdio)
        self._threads = ThreadPoolExecutor(THREADS_LIMIT, thread_name_prefix="caller")
        self._for_main: SimpleQueue[Message] = SimpleQueue()
        self._main_has = 0
        self._for_main_next = 0
        self._in_main = 0
        self._unwanted = 0

    def serve(self, hello: Message) -> None:
        """Greet, then serve until the harness is gone."""
        if hasattr(signal, "pthread_kill"):
            signal.signal(signal.SIGUSR1, self._interrupt)
            signal.signal(signal.SIGALRM, self._interrupt)
        self._stdio.pump(self._take)
        self._stdio.send(hello)
        while True:
            message = self._for_main.get()
            try:
                self._run_in_main(message)
            except Interrupted as error:
                self._free_main(message["id"])
                self._desk.cancelled(message["id"], error)

    def _take(self, message: Message) -> None:
        """In the thread that reads."""
        op = message.get("op")
        if op == "cancel":
            self._cancel(message["id"])
        elif op == "call" and not message["call"].get("cancellable"):
            self._threads.submit(self._run, message)
        elif op in {"open", "close", "call"}:
            self._give_to_main(message)

    def _give_to_main(self, message: Message) -> None:
        if self._main_has:
            self._threads.submit(self._run, message)
        else:
            self._main_has = message["id"]
            self._for_main_next = message["id"]
            self._for_main.put(message)

    def _run_in_main(self, message: Message) -> None:
        is_call = message["op"] == "call"
        failure: BaseException | None = None
        answer = None
        try:
            self._in_main = message["id"] if is_call else 0
            self._for_main_next = 0
            answer = self._ask(message)
        except Interrupted:
            raise
        except BaseException as error:  # noqa: ASYNC103, BLE001 - whatever a client raises is told
            failure = error
        finally:
            # Free before it is told: the next call to be cancelled comes as soon as that is read.
            self._free_main(message["id"])
        if failure is not None:
            self._desk.raised(message["id"], failure)
        else:
            self._tell(message, answer)

    def _free_main(self, number: int) -> None:
        self._in_main = 0
        if self._main_has == number:
            self._main_has = 0

    def _run(self, message: Message) -> None:
        try:
            answer = self._ask(message)
        except BaseException as error:  # noqa: ASYNC103, BLE001 - whatever a client raises is told
            self._desk.raised(message["id"], error)
        else:
            self._tell(message, answer)

    def _ask(self, message: Message) -> Any:
        if message["op"] == "call":
            return self._client.call(call_of(message))
        if message["op"] == "open":
            return self._client.open(self._desk.settings(message))
        return self._client.close()

    def _tell(self, message: Message, answer: Any) -> None:
        if message["op"] == "call":
            self._desk.replied(message["id"], answer)
        else:
            self._desk.done(message["id"])

    def _cancel(self, number: int) -> None:
        if number in {self._in_main, self._for_main_next} and hasattr(signal, "pthread_kill"):
            self._unwanted = number
            main = threading.main_thread().ident
            assert main is not None
            signal.pthread_kill(main, signal.SIGUSR1)

    def _interrupt(self, _number: int, frame: FrameType | None) -> None:
        """In the main thread: raise, if it still makes the call that is unwanted."""
        if not self._unwanted or self._unwanted not in {self._in_main, self._for_main_next}:
            return
        if self._for_main_next or self._stdio.shielded or _is_deaf(frame):
            signal.setitimer(signal.ITIMER_REAL, AGAIN_S)
            return
        number, self._unwanted = self._unwanted, 0
        self._desk.cancelling(number)
        raise Interrupted("the caller was cancelled")


def _is_deaf(frame: FrameType | None) -> bool:
    """Whether an exception raised here would be ignored: in a finalizer, as Python does then."""
    while frame is not None:
        code = frame.f_code
        if code.co_name == "__del__" or code.co_filename == weakref.__file__:
            return True
        frame = frame.f_back
    return False
