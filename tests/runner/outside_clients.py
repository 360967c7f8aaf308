"""Small pools for tests of the runner: the standard library alone, and Python 3.8's syntax."""

import asyncio
import http.client
import ssl
import threading

from harness.clients import Reply


class OnThreads:
    """http.client connections, kept in a list."""

    RUNS_ON = "threads"
    SERVES = ("http",)
    SUPPORTS = ("size", "tls", "cancel", "close_busy")

    def open(self, settings):
        self.settings = settings
        self.slots = threading.Semaphore(settings.pool.capacity)
        self.idle = []

    def call(self, call):
        if not self.slots.acquire(timeout=self.settings.pool.timeout_s):
            raise TimeoutError("no connection became free")
        try:
            connection = self.idle.pop() if self.idle else self.connect()
            try:
                connection.timeout = call.timeout_s
                connection.request(call.method, call.target, call.body or None)
                response = connection.getresponse()
                reply = Reply(response.read(), response.status)
            except BaseException:
                connection.close()
                raise
            self.idle.append(connection)
            return reply
        finally:
            self.slots.release()

    def connect(self):
        settings = self.settings
        if settings.tls:
            context = ssl.create_default_context(cafile=settings.ca_file)
            context.check_hostname = False
            return http.client.HTTPSConnection(settings.host, settings.port, context=context)
        return http.client.HTTPConnection(settings.host, settings.port)

    def close(self):
        while self.idle:
            self.idle.pop().close()


class Leaky(OnThreads):
    """Closes nothing."""

    def close(self):
        pass


class Idiomatic(OnThreads):
    """Tells whether it was asked to be."""

    def call(self, call):
        assert self.settings.idiomatic
        return super().call(call)


class OnAsyncio:
    """asyncio streams, kept in a list."""

    RUNS_ON = "asyncio"
    SERVES = ("http",)
    SUPPORTS = ("size", "cancel", "cancel_step")

    async def open(self, settings):
        self.settings = settings
        self.slots = asyncio.Semaphore(settings.pool.capacity)
        self.idle = []

    async def call(self, call):
        async with self.slots:
            reader, writer = self.idle.pop() if self.idle else await self.connect()
            try:
                reply = await asyncio.wait_for(
                    self.exchange(call, reader, writer), call.timeout_s or 30
                )
            except BaseException:
                writer.close()
                raise
            self.idle.append((reader, writer))
            return reply

    async def connect(self):
        return await asyncio.open_connection(self.settings.host, self.settings.port)

    async def exchange(self, call, reader, writer):
        head = "{} {} HTTP/1.1\r\nHost: origin\r\nContent-Length: {}\r\n\r\n"
        writer.write(head.format(call.method, call.target, len(call.body)).encode() + call.body)
        head = (await reader.readuntil(b"\r\n\r\n")).decode().lower()
        length = int(head.partition("content-length:")[2].split()[0])
        return Reply(await reader.readexactly(length))

    async def close(self):
        for _, writer in self.idle:
            writer.close()
