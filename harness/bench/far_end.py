"""The server behind every contender: it echoes, or it sends as fast as it can.

A process of its own, one thread, no framework: what it costs is the same for all contenders.
A connection whose first byte is ``SEND`` is sent bytes until it ends; any other is echoed.
"""

from __future__ import annotations

import selectors
import socket

from harness.bench.child import end_with_parent, raise_file_limit, say_hello

BACKLOG = 1024
SEND = b"s"
ECHO = b"e"
READ_BYTES = 64 * 1024
_FLOOD = memoryview(bytes(1024 * 1024))


class FarEnd:
    """Serves whoever connects, from one loop."""

    def __init__(self, port: socket.socket) -> None:
        self._port = port
        self._selector = selectors.DefaultSelector()
        self._selector.register(port, selectors.EVENT_READ, self._accept)

    def serve_once(self) -> None:
        """Do what can be done now; waits until there is something."""
        for key, _ in self._selector.select():
            key.data(key.fileobj)

    def _accept(self, port: socket.socket) -> None:
        try:
            while True:
                connection, _ = port.accept()
                connection.setblocking(False)
                connection.setsockopt(socket.IPPROTO_TCP, socket.TCP_NODELAY, 1)
                self._selector.register(connection, selectors.EVENT_READ, self._answer)
        except OSError:
            return  # nobody waits, or who waited is gone

    def _answer(self, connection: socket.socket) -> None:
        try:
            payload = connection.recv(READ_BYTES)
            if payload[:1] == SEND:
                self._selector.modify(connection, selectors.EVENT_WRITE, self._flood)
            elif payload:
                connection.send(payload)
            else:
                self._drop(connection)
        except BlockingIOError:
            return
        except OSError:
            self._drop(connection)

    def _flood(self, connection: socket.socket) -> None:
        try:
            connection.send(_FLOOD)
        except BlockingIOError:
            return
        except OSError:
            self._drop(connection)

    def _drop(self, connection: socket.socket) -> None:
        self._selector.unregister(connection)
        connection.close()


def main() -> None:
    """Say where we listen, then serve."""
    raise_file_limit()
    end_with_parent()
    with socket.create_server(("127.0.0.1", 0), backlog=BACKLOG) as port:
        port.setblocking(False)
        far_end = FarEnd(port)
        say_hello(port=port.getsockname()[1])
        while True:
            far_end.serve_once()


if __name__ == "__main__":
    main()
