"""A small pool over HTTP that is right in most things; the racy ones beside it are not in one."""

from __future__ import annotations

import trio

from harness.clients import Reply

RECEIVE_BYTES = 65_536
PATIENCE_S = 10.0


class Connection:
    """A socket, whether a caller has it, and what was read too early."""

    def __init__(self, socket):
        self.socket = socket
        self.busy = True
        self._rest = b""
        self._reading = trio.Lock()

    async def is_alive(self):
        """Whether nothing waits to be read: neither an end nor bytes nobody asked for."""
        with trio.CancelScope() as scope:
            scope.deadline = trio.current_time()  # it may look, not wait
            try:
                await self.socket.recv(1, trio.socket.MSG_PEEK)
            except OSError:
                return False
            return False
        return True

    async def exchange(self, request):
        await self.socket.send(request)
        async with self._reading:
            return await self._read_reply()

    async def _read_reply(self):
        while b"\r\n\r\n" not in self._rest:
            await self._read_more()
        head, _, self._rest = self._rest.partition(b"\r\n\r\n")
        length = int(head.lower().partition(b"content-length:")[2].split()[0])
        while len(self._rest) < length:
            await self._read_more()
        body, self._rest = self._rest[:length], self._rest[length:]
        return Reply(body, int(head.split()[1]))

    async def _read_more(self):
        more = await self.socket.recv(RECEIVE_BYTES)
        if not more:
            raise ConnectionResetError("closed before the end of the reply")
        self._rest += more


class PlainPool:
    """At most ``size`` connections, looked at before use; safe calls are made twice if need be."""

    async def open(self, settings):
        self._settings = settings
        self._connections = []
        self._slots = trio.Semaphore(settings.pool.size)

    async def close(self):
        for connection in list(self._connections):
            self._drop(connection)

    async def call(self, call):
        with trio.fail_after(call.timeout_s or PATIENCE_S):
            async with self._slots:
                try:
                    return await self._attempt(call)
                except OSError:
                    if call.unsafe:
                        raise
                    return await self._attempt(call)

    async def _attempt(self, call):
        connection = await self.check_out() or await self._connect()
        try:
            reply = await connection.exchange(self._request(call))
        except BaseException:
            self._drop(connection)
            raise
        connection.busy = False
        return reply

    async def check_out(self):
        """A live connection that nobody has, taken; None if there is none."""
        for connection in list(self._connections):
            if connection.busy:
                continue
            connection.busy = True
            if await connection.is_alive():
                return connection
            self._drop(connection)
        return None

    async def _connect(self):
        socket = trio.socket.socket()
        connection = Connection(socket)
        self._connections.append(connection)
        try:
            await socket.connect((self._settings.host, self._settings.port))
        except BaseException:
            self._drop(connection)
            raise
        return connection

    def _drop(self, connection):
        connection.socket.close()
        if connection in self._connections:
            self._connections.remove(connection)

    def _request(self, call):
        head = f"{call.method} {call.target} HTTP/1.1\r\nHost: {self._settings.host}\r\n"
        if call.method == "POST":
            head += f"Content-Length: {len(call.body)}\r\n"
        return head.encode() + b"\r\n" + call.body
