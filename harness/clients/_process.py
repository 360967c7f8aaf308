"""A client in a process of its own, made to look like one on trio: ``open``, ``call``, ``close``.

The other side of ``PROTOCOL.md``. One task writes what is asked, one reads what is answered and
wakes the calls, one listens to standard error. Whatever the process does that the protocol doesn't
allow, or that ends it, is told once, fails every call that waits, and makes the client useless.
"""

from __future__ import annotations

import signal
import sys
from collections import deque
from collections.abc import AsyncIterator, Callable
from contextlib import AbstractContextManager, asynccontextmanager

import trio

from harness.clients._answers import ClientGone, NotAnswered, Waiting
from harness.clients._launch import Launch
from harness.clients._spawn import Child, spawn
from harness.fabric.tasks import open_tasks
from harness.worker.contract import Call, Reply, Settings
from harness.worker.messages import (
    LINE_LIMIT_BYTES,
    Answer,
    Cancelling,
    Hello,
    Message,
    News,
    answer_of,
    call_request,
    decode,
    encode,
    hello_of,
    hello_request,
    news_of,
    open_request,
    shown,
)
from harness.worker.outcome import Outcome

HELLO_LIMIT_S = 20.0
"""How long a client may take to be there: some libraries are slow to import."""
CANCEL_LIMIT_S = 1.0
"""How long a cancelled call may take to end before its caller goes on without it."""
LEAVE_LIMIT_S = 1.0
"""How long the process may take to leave after its standard input has ended; then after SIGTERM."""
LAST_WORDS_LIMIT_S = 0.5
OUTSTANDING_LIMIT = 10_000
"""Calls that may wait for an answer at once."""
NEWS_LIMIT = 200_000
"""Events that a client may send in a run."""
GIVEN_UP_LIMIT = 10_000
"""Of so many calls that were given up, late answers are still known to be harmless."""
STDERR_LIMIT_BYTES = 2**16
"""So much of its standard error is passed on."""
LAST_LINES = 3
READ_BYTES = 2**16


class ProcessClient:
    """A client behind two pipes."""

    def __init__(self, launch: Launch, child: Child) -> None:
        self.hello = Hello()
        self.on_news: Callable[[News], None] = lambda _: None
        self.on_failure: Callable[[str], None] = lambda _: None
        self.failure: ClientGone | None = None
        self.launch = launch
        self.pid = child.pid
        self._child = child
        self._greeted = trio.Event()
        self._waiting: dict[int, Waiting] = {}
        self._numbers: dict[str, int] = {}
        self._given_up: dict[int, None] = {}
        self._plans: dict[str, tuple[int | None, Callable[[], None]]] = {}
        self._last = 0
        self._news = 0
        self._serve = "http"
        self._queue: deque[bytes] = deque()
        self._queued = trio.Event()
        self._last_words: deque[str] = deque(maxlen=LAST_LINES)
        self._silent = trio.Event()
        self._leaving = False

    # --- what the runner asks ---------------------------------------------------------------

    async def greet(self) -> Hello:
        """Who the client is. Raises ClientGone if it doesn't say so in time."""
        self._put(hello_request())
        with trio.move_on_after(HELLO_LIMIT_S):
            await self._greeted.wait()
        if not self._greeted.is_set():
            self._fail(f"it did not answer hello within {HELLO_LIMIT_S:g} s")
        if self.failure is not None:
            raise self.failure
        return self.hello

    async def open(self, settings: Settings) -> None:
        """Open it."""
        self._serve = settings.serve
        self._last += 1
        await self._ask(self._last, open_request(self._last, settings))

    async def call(self, call: Call) -> Reply:
        """Make one call. Raises NotAnswered, CallStruck or ClientGone if there is no reply."""
        step, on_cancelling = self._plans.pop(call.nonce, (None, None))
        is_planned = on_cancelling is not None
        self._last += 1
        number = self._last
        self._numbers[call.nonce] = number
        request = call_request(number, call, self._serve, cancellable=is_planned, step=step)
        try:
            answer = await self._ask(number, request, on_cancelling)
        finally:
            del self._numbers[call.nonce]
        if answer.reply is None:
            outcome = Outcome("unknown", "protocol", "the call was answered without a reply")
            raise NotAnswered(outcome)
        return answer.reply

    async def close(self) -> None:
        """Close it; the process lives on, so that what it left open can be counted."""
        self._last += 1
        await self._ask(self._last, {"id": self._last, "op": "close"})

    def plan_cancel(
        self, nonce: str, step: int | None, on_cancelling: Callable[[], None]
    ) -> Callable[[], None]:
        """Say before a call that it will be cancelled, at a step or by ``cancel``.

        ``on_cancelling`` is called at the instant the client says that it is cancelled. Returns
        what takes the plan back.
        """
        self._plans[nonce] = (step, on_cancelling)
        return lambda: void(self._plans.pop(nonce, None))

    def cancel(self, nonce: str) -> None:
        """Cancel a call that is under way."""
        number = self._numbers.get(nonce)
        if number is not None:
            self._put({"id": number, "op": "cancel"})

    # --- asking -----------------------------------------------------------------------------

    async def _ask(
        self, number: int, request: Message, on_cancelling: Callable[[], None] | None = None
    ) -> Answer:
        await trio.lowlevel.checkpoint_if_cancelled()
        if self.failure is not None:
            raise ClientGone(str(self.failure), sent=False)
        if len(self._waiting) >= OUTSTANDING_LIMIT:
            raise ClientGone(f"more than {OUTSTANDING_LIMIT} calls wait for answers", sent=False)
        waiting = self._waiting[number] = Waiting(on_cancelling)
        self._put(request)
        try:
            await waiting.ended.wait()
        except trio.Cancelled:
            await self._take_back(number, waiting)  # noqa: ASYNC102 - it shields itself, for long
            raise
        finally:
            if self._waiting.pop(number, None) is not None:
                self._give_up(number)
        return waiting.result()

    async def _take_back(self, number: int, waiting: Waiting) -> None:
        """Let a call end that nobody waits for any more, as far as it heeds that."""
        with trio.CancelScope(shield=True, deadline=trio.current_time() + CANCEL_LIMIT_S):
            self._put({"id": number, "op": "cancel"})
            await waiting.ended.wait()

    def _give_up(self, number: int) -> None:
        self._given_up[number] = None
        if len(self._given_up) > GIVEN_UP_LIMIT:
            del self._given_up[next(iter(self._given_up))]

    def _put(self, message: Message) -> None:
        if self.failure is None:
            self._queue.append(encode(message))
            self._queued.set()

    # --- the pipes --------------------------------------------------------------------------

    async def write(self) -> None:
        """Send what is asked, as much at once as there is."""
        while True:
            await self._queued.wait()
            self._queued = trio.Event()
            data = b"".join(self._queue)
            self._queue.clear()
            try:
                await self._child.stdin.send_all(data)
            except trio.BrokenResourceError:
                return  # the reader knows more

    async def read(self) -> None:
        """Take each line that comes, until the end or until one makes no sense."""
        source = self._child.stdout
        parts: list[bytes] = []
        held_bytes = 0
        while data := bytes(await source.receive_some(READ_BYTES)):
            first, *rest = data.split(b"\n")
            parts.append(first)
            held_bytes += len(first)
            if held_bytes > LINE_LIMIT_BYTES:
                self._fail(f"it sent a line of more than {LINE_LIMIT_BYTES} bytes")
            for line in rest:
                self._take(b"".join(parts))
                parts, held_bytes = [line], len(line)
            if self.failure is not None:
                return
        if not self._leaving:
            self._fail(await self._how_it_ended())

    async def listen(self) -> None:
        """Pass on what comes on standard error, up to a limit, and remember the last lines."""
        source = self._child.stderr
        left_bytes = STDERR_LIMIT_BYTES
        rest = ""
        while data := bytes(await source.receive_some(READ_BYTES)):
            text = data.decode("utf-8", "replace")
            *lines, rest = (rest + text).split("\n")
            rest = rest[-READ_BYTES:]
            self._last_words.extend(line.strip()[:300] for line in lines if line.strip())
            if left_bytes > 0:
                sys.stderr.write(text[:left_bytes])
                left_bytes -= len(data)
                if left_bytes <= 0:
                    sys.stderr.write("\n(what else the client prints is left out)\n")
        if rest.strip():
            self._last_words.append(rest.strip()[:300])
        self._silent.set()

    async def _how_it_ended(self) -> str:
        with trio.move_on_after(LAST_WORDS_LIMIT_S):
            await self._silent.wait()
            await self._child.wait()
        return f"{_ending(self._child.returncode)}{self._said()}"

    def _said(self) -> str:
        return f"; it said: {' | '.join(self._last_words)}" if self._last_words else ""

    # --- what is answered -------------------------------------------------------------------

    def _take(self, line: bytes) -> None:
        if self.failure is not None or not line.strip():
            return
        try:
            message = decode(line)
            if not self._greeted.is_set():
                self.hello = hello_of(message)
                self._greeted.set()
            elif "event" in message:
                self._take_news(news_of(message))
            else:
                self._take_answer(answer_of(message))
        except (ValueError, TypeError) as error:
            self._fail(f"it broke the protocol: {error}; the line is {shown(line)}")

    def _take_news(self, news: News) -> None:
        self._news += 1
        if self._news > NEWS_LIMIT:
            raise ValueError(f"it sent more than {NEWS_LIMIT} events")
        if isinstance(news, Cancelling):
            if news.number in self._waiting:
                self._waiting[news.number].struck()
        elif news is not None:
            self.on_news(news)

    def _take_answer(self, answer: Answer) -> None:
        number = answer.number
        waiting = self._waiting.pop(number, None)
        if waiting is not None:
            waiting.end(answer)
        elif number in self._given_up:
            del self._given_up[number]
        elif 0 < number <= self._last:
            raise ValueError(f"request {number} was answered before")
        else:
            raise ValueError(f"there is no request {number}")

    def _fail(self, message: str) -> None:
        """The client is no use any more: say so once, and let nobody wait for it."""
        if self.failure is not None:
            return
        self.failure = ClientGone(message)
        self._greeted.set()
        self.on_failure(message)
        for waiting in self._waiting.values():
            waiting.fail(self.failure)
        self._child.kill()

    # --- the end ----------------------------------------------------------------------------

    async def leave(self) -> None:
        """End the process: its input ends, then it is asked to, then it must."""
        self._leaving = True
        await self._child.stdin.aclose()
        with trio.move_on_after(LEAVE_LIMIT_S):
            await self._child.wait()
        if self._child.returncode is None:
            self._child.signal(signal.SIGTERM)
            with trio.move_on_after(LEAVE_LIMIT_S):
                await self._child.wait()
        self._child.kill()  # what it has started may still be there
        await self._child.wait()
        await self._child.aclose()


def _ending(code: int | None) -> str:
    if code is None:
        return "it closed its standard output"
    if code >= 0:
        return f"its process ended with exit status {code}"
    try:
        return f"its process was ended by {signal.Signals(-code).name}"
    except ValueError:
        return f"its process was ended by signal {-code}"


@asynccontextmanager
async def open_process_client(
    launch: Launch, inside: AbstractContextManager[None] | None = None
) -> AsyncIterator[ProcessClient]:
    """A client that is starting; its process, and all it has started, is gone after the block.

    ``inside`` is entered while it is started. Raises OSError if the program can't be.
    """
    child = await spawn(launch.arguments, inside)
    client = ProcessClient(launch, child)
    try:
        async with open_tasks() as tasks:
            for task in (client.write, client.read, client.listen):
                tasks.start_soon(task)
            yield client
    finally:
        with trio.CancelScope(shield=True):
            await client.leave()


def void(_: object) -> None:
    """Nothing, of anything."""
