"""Linux's numbers, which its sockets and ours are asked with, and its limits.

The standard library's ``socket`` has most of them too, but this is the pure part of the network,
and its numbers are Linux's on every system.
"""

from __future__ import annotations

import errno
import os

AF_INET, AF_INET6 = 2, 10
SOCK_STREAM = 1
MSG_PEEK = 2
SHUT_RD, SHUT_WR, SHUT_RDWR = 0, 1, 2

SOL_SOCKET = 1
SO_REUSEADDR, SO_TYPE, SO_ERROR = 2, 3, 4
SO_SNDBUF, SO_RCVBUF, SO_KEEPALIVE = 7, 8, 9
SO_LINGER, SO_ACCEPTCONN, SO_PROTOCOL, SO_DOMAIN = 13, 30, 38, 39
IPPROTO_TCP = 6
ELSEWHERE_SOL_SOCKET = 0xFFFF
ELSEWHERE_OPTIONS = {
    0x0002: SO_ACCEPTCONN,
    0x0004: SO_REUSEADDR,
    0x0008: SO_KEEPALIVE,
    0x0080: SO_LINGER,
    0x1001: SO_SNDBUF,
    0x1002: SO_RCVBUF,
    0x1007: SO_ERROR,
    0x1008: SO_TYPE,
}
"""What the ``socket`` module calls these on macOS and Windows: programs there ask by it."""
ELSEWHERE_AF_INET6 = {23, 30}
TCP_NODELAY, TCP_KEEPIDLE, TCP_KEEPINTVL, TCP_KEEPCNT, TCP_USER_TIMEOUT = 1, 4, 5, 6, 18

EPHEMERAL_PORTS = range(32_768, 61_000)
"""ip(7), ip_local_port_range."""
PORTS = range(65_536)
BACKLOG_MAX = 4_096
"""listen(2): the default of /proc/sys/net/core/somaxconn."""
SOCKETS_MAX = 65_536
"""Open at once; more fail with EMFILE."""

RECEIVE_BYTES = 131_072
"""What is kept for a reader: tcp(7), the middle value of tcp_rmem, without Linux's growing."""
SEND_BYTES = 2_626_560
"""What is kept for a writer: what Linux gives a connection over loopback."""
RECEIVE_BYTES_MIN, SEND_BYTES_MIN = 1_152, 2_304
"""Half of the smallest values that socket(7) names for SO_RCVBUF and SO_SNDBUF."""
BUFFER_BYTES_MAX = 4_194_304
"""The largest that can be set: socket(7), rmem_max and wmem_max."""

KEEPIDLE_S, KEEPINTVL_S, KEEPCNT = 7_200, 75, 9
"""tcp(7): the defaults of keepalive."""
RTO_MIN_S, RTO_MAX_S, RTO_INITIAL_S = 0.2, 120.0, 1.0
"""Between retransmissions; the least is Linux's, where RFC 6298 says one second."""
GIVE_UP_S = 924.6
"""tcp(7), tcp_retries2: for so long data may go unanswered, 15 doubling intervals."""
RETRIES = 15
ORPHAN_RETRIES = 8
"""tcp(7), tcp_orphan_retries: for a connection that no program holds any more."""
SYN_INSTANTS_S = (1.0, 2.0, 3.0, 4.0, 5.0, 7.0, 11.0, 19.0, 35.0, 67.0, 131.0)
"""When SYN is sent again, since the first; at the last instant connect() times out."""
SYN_ACK_INSTANTS_S = (1.0, 3.0, 7.0, 15.0, 31.0, 63.0)
"""tcp(7), tcp_synack_retries; at the last instant the half-open connection is forgotten."""
TIME_WAIT_S = 60.0
"""How long a connection that is over answers stragglers, and an orphan waits for FIN."""


def named_here(level: int, option: int) -> tuple[int, int]:
    """An option's level and number on Linux."""
    if level == ELSEWHERE_SOL_SOCKET:
        return SOL_SOCKET, ELSEWHERE_OPTIONS.get(option, -option)
    return level, option


def error(code: int) -> OSError:
    """The OSError of this number: BlockingIOError, ConnectionResetError and so on."""
    return OSError(code, os.strerror(code))


def would_block() -> OSError:
    """What a non-blocking call raises that can't go on."""
    return BlockingIOError(errno.EAGAIN, "Resource temporarily unavailable")
