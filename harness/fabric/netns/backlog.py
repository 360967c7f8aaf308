"""A listening socket whose queue of those who wait to be accepted is full.

listen(2)'s ``backlog`` of n lets n + 1 connections wait. So a few connections of our own that
nobody accepts fill the queue, and from then on the kernel drops each SYN and counts it
(``ListenOverflows`` of /proc/net/netstat). Those connections come from an address of the host's
own loopback, which no client has: that is how ``accept`` knows and skips them.
"""

from __future__ import annotations

import select
import socket
import struct
import time
from collections.abc import Callable

from harness.errors import SetupError
from harness.fabric.netns.counters import NETSTAT, counted

BACKLOG_CROWDED = 1
"""With 0 the kernel takes its queue of half-open ones for full as well, answers by SYN cookies and
writes of a flood into its log."""
FILLER_HOST = "127.98.76.54"
FILLERS_LIMIT = 16
FILL_LIMIT_S = 2.0
POLL_MS = 5.0

_IP_BIND_ADDRESS_NO_PORT = 24
_TCP_INFO_BYTES = 104
_QUEUE_AT = 24
"""Where a listening socket's struct tcp_info (tcp(7)) has how many wait, and the backlog."""
_LINGER_ZERO = struct.pack("ii", 1, 0)

MakeSocket = Callable[[int, int, int], socket.socket]
"""Makes a socket on the listener's host, of this family, kind and protocol."""


class Crowd:
    """Who fills the queue of a listening socket; nobody at first."""

    def __init__(self) -> None:
        self._fillers: list[socket.socket] = []

    def fill(self, listener: socket.socket, make: MakeSocket) -> None:
        """Let the queue be full: nobody more gets in until ``leave``.

        Raises SetupError if it doesn't become full, and OSError if the host's loopback is down.
        """
        listener.listen(BACKLOG_CROWDED)
        over = time.monotonic() + FILL_LIMIT_S
        while not is_full(listener):
            if len(self._fillers) >= FILLERS_LIMIT or time.monotonic() >= over:
                self.leave()
                raise SetupError("the queue of a listening socket doesn't become full")
            waiting = _waiting(listener)[0]
            self._fillers.append(_filler(listener, make))
            while _waiting(listener)[0] == waiting and time.monotonic() < over:
                select.select([], [], [], POLL_MS / 1000)

    def leave(self) -> None:
        """Let go; the queue keeps what is dead until it is accepted, and those who were real."""
        fillers, self._fillers = self._fillers, []
        for filler in fillers:
            filler.close()

    @staticmethod
    def accept(listener: socket.socket) -> tuple[socket.socket, tuple[str, int]]:
        """The next connection that is real, and whose it is; raises as the system call does."""
        while True:
            sock, address = listener.accept()
            if address[0] != FILLER_HOST:
                return sock, address
            sock.close()


def is_full(listener: socket.socket) -> bool:
    """Whether nobody more may wait to be accepted."""
    waiting, backlog = _waiting(listener)
    return waiting > backlog


def listen_drops() -> int:
    """How many connects of this thread's namespace were dropped because a queue was full."""
    return counted(NETSTAT)["TcpExt ListenOverflows"]


def _waiting(listener: socket.socket) -> tuple[int, int]:
    """How many wait to be accepted, and the backlog."""
    info = listener.getsockopt(socket.IPPROTO_TCP, socket.TCP_INFO, _TCP_INFO_BYTES)
    waiting, backlog = struct.unpack_from("II", info, _QUEUE_AT)
    return waiting, backlog


def _filler(listener: socket.socket, make: MakeSocket) -> socket.socket:
    """A connection that leaves without a FIN, and takes no port that a client could need."""
    filler = make(socket.AF_INET, socket.SOCK_STREAM, 0)
    try:
        filler.setblocking(False)
        filler.setsockopt(socket.SOL_SOCKET, socket.SO_LINGER, _LINGER_ZERO)
        filler.setsockopt(socket.IPPROTO_IP, _IP_BIND_ADDRESS_NO_PORT, 1)
        filler.bind((FILLER_HOST, 0))
        filler.connect_ex(listener.getsockname())
    except BaseException:
        filler.close()
        raise
    return filler
