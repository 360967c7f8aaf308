"""The load: bulk, round trips, new connections and idle ones, from one blocking thread.

Blocking sockets on purpose: the fewer layers here, the more of a difference is the contender's.
"""

from __future__ import annotations

import socket
import struct
import sys
import time
from collections.abc import Iterator
from contextlib import ExitStack, contextmanager
from pathlib import Path

from harness.bench.contenders import Target
from harness.bench.far_end import ECHO, SEND

CALL_LIMIT_S = 10.0
"""Longer than any reply takes: a contender that is silent for so long is broken."""
PAYLOAD = ECHO * 64
BUFFER_BYTES = 1024 * 1024
CROWD = 16
"""So many connections are opened at once, as a pool that starts up does."""
SETTLE_S = 0.2
_LINGER_ZERO = struct.pack("ii", 1, 0)


def bulk_bytes_per_s(target: Target, seconds: float) -> float:
    """How fast bytes come through one connection."""
    buffer = memoryview(bytearray(BUFFER_BYTES))
    with connected(target) as sock:
        sock.sendall(SEND)
        _count_bytes(sock, buffer, seconds / 4)  # until windows and buffers have grown
        start = time.perf_counter()
        count = _count_bytes(sock, buffer, seconds)
        return count / (time.perf_counter() - start)


def _count_bytes(sock: socket.socket, buffer: memoryview, seconds: float) -> int:
    count, until = 0, time.perf_counter() + seconds
    while time.perf_counter() < until:
        count += sock.recv_into(buffer)
    return count


def round_trips_s(target: Target, seconds: float, pause_s: float = 0.0) -> list[float]:
    """How long each of many small calls on one connection took, with pauses between them."""
    took_s = list[float]()
    with connected(target) as sock:
        _echo(sock, PAYLOAD)  # until the contender has accepted and dialed
        until = time.perf_counter() + seconds
        while (start := time.perf_counter()) < until or not took_s:
            _echo(sock, PAYLOAD)
            took_s.append(time.perf_counter() - start)
            if pause_s:
                time.sleep(pause_s)
    return took_s


def connections_per_s(target: Target, seconds: float) -> float:
    """How many connections are made, used once and reset, a crowd at a time."""
    count, start = 0, time.perf_counter()
    while time.perf_counter() < start + seconds:
        with ExitStack() as stack:
            crowd = [stack.enter_context(connected(target)) for _ in range(CROWD)]
            for sock in crowd:
                sock.sendall(ECHO)
            for sock in crowd:
                sock.recv(1)
        count += CROWD
    return count / (time.perf_counter() - start)


def idle_bytes(target: Target, connections: int) -> float | None:
    """By how much a contender's memory grows for each idle connection; None if nobody can tell.

    Only a fresh contender tells the truth: memory that was used once is used again.
    """
    with ExitStack() as stack:
        for _ in range(CROWD):  # what the first connections alone cost is not the question
            _echo(stack.enter_context(connected(target)), ECHO)
    time.sleep(SETTLE_S)
    before = resident_bytes(target.pid)
    with ExitStack() as stack:
        for _ in range(connections):
            _echo(stack.enter_context(connected(target)), ECHO)
        time.sleep(SETTLE_S)
        after = resident_bytes(target.pid)
    return None if before is None or after is None else (after - before) / connections


def resident_bytes(pid: int) -> int | None:
    """The memory a process occupies (VmRSS of proc(5)); None where the system doesn't say."""
    if sys.platform != "linux" or not pid:
        return None
    for line in Path(f"/proc/{pid}/status").read_text().splitlines():
        if line.startswith("VmRSS:"):
            return int(line.split()[1]) * 1024
    return None


@contextmanager
def connected(target: Target) -> Iterator[socket.socket]:
    """A connection, which is reset when the block ends: nothing lingers in TIME_WAIT."""
    with ExitStack() as stack:
        sock = stack.enter_context(
            socket.create_connection(("127.0.0.1", target.port), CALL_LIMIT_S)
        )
        sock.setsockopt(socket.IPPROTO_TCP, socket.TCP_NODELAY, 1)
        sock.setsockopt(socket.SOL_SOCKET, socket.SO_LINGER, _LINGER_ZERO)
        if target.tls is not None:
            sock = stack.enter_context(target.tls.wrap_socket(sock, server_hostname="localhost"))
        yield sock


def _echo(sock: socket.socket, payload: bytes) -> None:
    sock.sendall(payload)
    missing = len(payload)
    while missing:
        reply = sock.recv(missing)
        if not reply:
            raise ConnectionAbortedError("the connection ended before its reply was whole")
        missing -= len(reply)
