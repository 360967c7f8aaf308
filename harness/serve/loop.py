"""Reading requests and writing replies, line by line, until the asker hangs up."""

from __future__ import annotations

import os
from dataclasses import dataclass

import trio

from harness import __version__
from harness.serve.desk import Desk
from harness.serve.messages import LINE_LIMIT_BYTES, READY, decode, encode, failure

READ_BYTES = 64 * 1024


@dataclass
class Lines:
    """Two descriptors, read and written in a thread of trio's, so that it works everywhere.

    They are read without Python's buffers: a thread that still waits in one of those when the
    interpreter ends would bring it down.
    """

    reads: int
    writes: int
    _rest: bytes = b""

    async def exchange(self, reply: bytes) -> bytes | None:
        """Send a reply and get the next line; None if the asker hung up."""
        return await trio.to_thread.run_sync(self._exchange, reply, abandon_on_cancel=True)

    def _exchange(self, reply: bytes) -> bytes | None:
        try:
            while reply:
                reply = reply[os.write(self.writes, reply) :]
            while b"\n" not in self._rest:
                chunk = os.read(self.reads, READ_BYTES)
                if not chunk or len(self._rest) > LINE_LIMIT_BYTES:
                    return None
                self._rest += chunk
        except OSError:  # nobody is there any more
            return None
        line, _, self._rest = self._rest.partition(b"\n")
        return line


async def converse(desk: Desk, lines: Lines, greeting: dict[str, object]) -> None:
    """Answer requests until one says stop, or the asker hangs up."""
    reply = encode({"ok": True, READY: __version__} | greeting)
    while (line := await lines.exchange(reply)) is not None:
        if not line.strip():
            reply = b""
            continue
        try:
            request = decode(line)
        except ValueError as error:
            reply = encode(failure("mistake", str(error)))
            continue
        if request.get("do") == "stop":
            return
        reply = encode(await desk.answer(request))
