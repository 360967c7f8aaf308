"""The built-in HTTP/1.1 server: answers calls, counts executions, keeps connections alive."""

from __future__ import annotations

from collections.abc import Callable

import h11
import trio

from harness.worker.contract import Asked, reply_body

READ_BYTES = 64 * 1024
BODY_LIMIT_BYTES = 64 * 2**20
CHUNK_BYTES = 16 * 1024
MEETING_LIMIT_S = 3.0
SAFE_METHODS = (b"GET", b"HEAD", b"OPTIONS", b"TRACE")

Execute = Callable[[str, bool], None]
"""Notes an execution: the nonce, and whether the call was unsafe."""


class Meeting:
    """Where calls of a group wait until enough of them have arrived, at whichever backend."""

    def __init__(self) -> None:
        self._arrived: dict[str, set[str]] = {}
        self._complete: dict[str, trio.Event] = {}

    async def met(self, asked: Asked) -> bool:
        """Whether the group came together before ``MEETING_LIMIT_S``."""
        arrived = self._arrived.setdefault(asked.group, set())
        complete = self._complete.setdefault(asked.group, trio.Event())
        arrived.add(asked.nonce)
        if len(arrived) >= asked.together:
            complete.set()
        with trio.move_on_after(MEETING_LIMIT_S):
            await complete.wait()
        return complete.is_set()


class HttpServer:
    """Serves one connection after another; ``execute`` is told of every call that runs."""

    def __init__(
        self, execute: Execute, meeting: Meeting, keep_alive_s: float | None = None
    ) -> None:
        self._execute = execute
        self._meeting = meeting
        self._keep_alive_s = keep_alive_s

    async def serve(self, stream: trio.abc.Stream) -> None:
        """Answer requests until either side is done with the connection."""
        http = h11.Connection(h11.SERVER, max_incomplete_event_size=READ_BYTES)
        while True:
            try:
                request, count_bytes = await self._next_request(http, stream)
            except h11.RemoteProtocolError as error:
                await self._complain(http, stream, error)
                return
            if request is None or count_bytes > BODY_LIMIT_BYTES:
                return
            await self._answer(http, stream, request)
            if http.our_state is not h11.DONE or http.their_state is not h11.DONE:
                return
            http.start_next_cycle()

    async def _next_request(
        self, http: h11.Connection, stream: trio.abc.Stream
    ) -> tuple[h11.Request | None, int]:
        """The next whole request and the size of its body; None when there is no other."""
        request, count_bytes = None, 0
        while True:
            event = http.next_event()
            if event is h11.NEED_DATA:
                if http.they_are_waiting_for_100_continue:
                    await self._send(
                        http, stream, h11.InformationalResponse(status_code=100, headers=[])
                    )
                data = await self._more(stream, self._keep_alive_s if request is None else None)
                if data is None:
                    return None, 0
                http.receive_data(data)
                continue
            match event:
                case h11.Request():
                    request = event
                case h11.Data():
                    count_bytes += len(event.data)
                case h11.EndOfMessage():
                    return request, count_bytes
                case _:
                    return None, 0

    @staticmethod
    async def _more(stream: trio.abc.Stream, limit_s: float | None) -> bytes | None:
        """The next bytes, or None if they don't come within the limit."""
        if limit_s is None:
            return bytes(await stream.receive_some(READ_BYTES))
        with trio.move_on_after(limit_s):
            return bytes(await stream.receive_some(READ_BYTES))
        return None

    async def _answer(
        self, http: h11.Connection, stream: trio.abc.Stream, request: h11.Request
    ) -> None:
        asked = Asked.from_target(request.target.decode("ascii", "replace"))
        if asked is None:
            status = 200 if request.method == b"OPTIONS" else 404
            await self._reply(http, stream, status, b"")
            return
        self._execute(asked.nonce, request.method not in SAFE_METHODS)
        if asked.slow_s:
            await trio.sleep(asked.slow_s)
        if asked.together and not await self._meeting.met(asked):
            await self._reply(http, stream, 503, b"")
            return
        body = reply_body(asked.nonce, asked.size_bytes)
        framing = "head" if request.method == b"HEAD" else asked.framing
        match framing:
            case "head":  # only what GET would be told of it (RFC 9110 section 9.3.2)
                await self._reply(http, stream, 200, b"", length_bytes=len(body))
            case "chunked":
                await self._reply_in_chunks(http, stream, body)
            case "eof":
                # h11 would choose chunks: a body that ends with the connection is written by hand.
                await stream.send_all(b"HTTP/1.1 200 OK\r\nConnection: close\r\n\r\n" + body)
                http.send_failed()
            case _:
                await self._reply(http, stream, 200, body)

    async def _reply(
        self,
        http: h11.Connection,
        stream: trio.abc.Stream,
        status: int,
        body: bytes,
        length_bytes: int | None = None,
    ) -> None:
        length = len(body) if length_bytes is None else length_bytes
        headers = [("Content-Length", str(length)), *self._keep_alive_headers()]
        head = http.send(h11.Response(status_code=status, headers=headers))
        data = http.send(h11.Data(data=body))
        end = http.send(h11.EndOfMessage())
        await stream.send_all((head or b"") + (data or b"") + (end or b""))

    async def _reply_in_chunks(
        self, http: h11.Connection, stream: trio.abc.Stream, body: bytes
    ) -> None:
        headers = [("Transfer-Encoding", "chunked"), *self._keep_alive_headers()]
        await self._send(http, stream, h11.Response(status_code=200, headers=headers))
        step = max(1, min(CHUNK_BYTES, len(body) // 4))
        for start in range(0, len(body), step):
            await self._send(http, stream, h11.Data(data=body[start : start + step]))
        await self._send(http, stream, h11.EndOfMessage())

    async def _complain(
        self, http: h11.Connection, stream: trio.abc.Stream, error: h11.RemoteProtocolError
    ) -> None:
        if http.our_state in {h11.IDLE, h11.SEND_RESPONSE}:
            await self._reply(http, stream, error.error_status_hint, b"")

    async def _send(self, http: h11.Connection, stream: trio.abc.Stream, event: h11.Event) -> None:
        await stream.send_all(http.send(event) or b"")

    def _keep_alive_headers(self) -> list[tuple[str, str]]:
        if self._keep_alive_s is None or self._keep_alive_s < 1:
            return []  # the header counts whole seconds, and 0 would forbid any reuse
        return [("Keep-Alive", f"timeout={int(self._keep_alive_s)}")]
