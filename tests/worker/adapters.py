"""Clients for tests of the worker: the standard library alone, in the syntax of Python 3.8.

Each call does what its nonce says, up to the first dash.
"""

import asyncio
import gc
import os
import socket
import sys
import threading
import time
from pathlib import Path

from harness.clients import Reply

STEPS = 4


class OnAsyncio:
    """Coroutines."""

    NAME = "on-asyncio"
    RUNS_ON = "asyncio"
    SERVES = ("http",)
    SUPPORTS = ("cancel", "cancel_step")
    REQUIRES = ("no-such-distribution",)

    async def open(self, settings):
        self.settings = settings
        self.count = 0
        sys.stdout.write("a library that prints\n")

    async def call(self, call):
        return await getattr(self, call.nonce.partition("-")[0])()

    async def close(self):
        pass

    async def turns(self):
        self.count = 0
        for _ in range(STEPS):
            self.count += 1
            await asyncio.sleep(0)
        return b""

    async def many(self):
        return Reply(str(self.count).encode())

    async def forever(self):
        await asyncio.sleep(60)

    async def dial(self):
        reader, writer = await asyncio.open_connection(self.settings.host, self.settings.port)
        body = await reader.read(5)
        writer.close()
        return Reply(body)

    async def reads(self):
        return Reply(sys.stdin.read().encode())

    async def raises(self):
        raise ConnectionResetError(104, "by somebody")

    async def exits(self):
        sys.exit(1)

    async def none(self):
        return None

    async def gives(self):
        raise asyncio.CancelledError

    async def leak(self):
        self.settings.report_leak("orders.py:3")
        return b"bare bytes"


class OnThreads:
    """Plain functions, which block."""

    NAME = "on-threads"
    RUNS_ON = "threads"

    def open(self, settings):
        self.address = (settings.host, settings.port)
        self.gate = threading.Event()
        self.count = 0

    def call(self, call):
        answer = getattr(self, call.nonce.partition("-")[0])()
        return Reply(b"\xff\n" if answer is None else answer)

    def close(self):
        pass

    def thread(self):
        is_main = threading.current_thread() is threading.main_thread()
        return b"main" if is_main else b"other"

    def sleep(self):
        try:
            time.sleep(60)
        finally:
            self.count += 1

    def cleaned(self):
        return str(self.count).encode()

    def until(self):
        self.gate.wait(60)

    def now(self):
        self.gate.set()

    def dial(self):
        with socket.create_connection(self.address) as sock:
            return sock.recv(5)

    def file(self):
        with socket.create_connection(self.address) as sock:
            file = sock.makefile("rb")
        with file:
            return file.read(5)

    def drop(self):
        socket.create_connection(self.address)
        gc.collect()

    def slow(self):
        with socket.socket() as sock:
            sock.settimeout(0.05)
            sock.connect(self.address)

    def keep(self):
        self.kept = socket.create_connection(self.address)

    def file_kept(self):
        self.kept_too = Path(os.devnull).open()  # noqa: SIM115 - left open on purpose

    def raises(self):
        raise RuntimeError("of its own")


class Sheltered(OnThreads):
    """Says what can be imported where it lives."""

    def call(self, call):
        import harness

        assert not hasattr(harness, "__file__")
        try:
            import trio
        except ImportError:
            return Reply(b"nothing else")
        return Reply(trio.__version__.encode())
