"""The built-in echo server: every byte comes back; every line counts as an execution."""

from __future__ import annotations

import trio

from harness.origin.http import Execute

READ_BYTES = 64 * 1024
LINE_LIMIT_BYTES = 1024
UNSAFE_MARK = b"!"
"""A line that begins so is an unsafe call; its nonce is the word that follows."""


class EchoServer:
    """Sends back what it gets, at once, until the client is done."""

    def __init__(self, execute: Execute) -> None:
        self._execute = execute

    async def serve(self, stream: trio.abc.Stream) -> None:
        """Echo until FIN."""
        begun = b""
        while payload := await stream.receive_some(READ_BYTES):
            *lines, begun = (begun + payload).split(b"\n")
            begun = begun[:LINE_LIMIT_BYTES]
            for line in lines:
                words = line[:LINE_LIMIT_BYTES].split(None, 1)
                if words:
                    nonce = words[0].removeprefix(UNSAFE_MARK).decode("ascii", "replace")
                    self._execute(nonce, words[0].startswith(UNSAFE_MARK))
            await stream.send_all(payload)
