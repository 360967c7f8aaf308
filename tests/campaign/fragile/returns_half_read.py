"""A pool that takes a connection back although the reply on it was not read."""

import trio

from harness.clients import Reply
from harness.clients.naive import NaiveClient, _read_reply


class ReturnsHalfRead(NaiveClient):
    """Whoever calls next gets the rest of a cancelled caller's reply."""

    async def close(self):
        for stream in self._all:
            await stream.aclose()

    async def _attempt(self, call):
        stream = self._idle.pop() if self._idle else await self._connect()
        try:
            await stream.send_all(self._request(call))
            status, body = await _read_reply(stream, walk_away=False)
        except trio.Cancelled:
            self._idle.append(stream)
            raise
        except BaseException:
            await stream.aclose()
            raise
        self._idle.append(stream)
        return Reply(body, status)


class ReadsUntilTheEnd(ReturnsHalfRead):
    """Takes a reply that a reset cut off for a whole one."""

    async def _attempt(self, call):
        stream = await self._connect()
        await stream.send_all(self._request(call))
        received = b""
        try:
            while more := await stream.receive_some(65536):
                received += more
                head, found, body = received.partition(b"\r\n\r\n")
                length = [line[15:] for line in head.lower().split(b"\r\n") if b"h: " in line[:16]]
                if found and length and len(body) >= int(length[0]):
                    break
        except trio.BrokenResourceError:
            if b"\r\n\r\n" not in received:
                raise
        finally:
            await stream.aclose()
        return Reply(received.partition(b"\r\n\r\n")[2], 200)


class NeverLooks(ReturnsHalfRead):
    """Reuses whatever is idle, without a look and without a second try."""

    async def call(self, call):
        return await self._attempt(call)
