"""The states of a TCP connection and what moves one end from state to state: RFC 9293, 3.3.2."""

from __future__ import annotations

import errno
from enum import Enum, auto

RECEIVE, SEND, BOTH = 1, 2, 3
"""Which directions are shut down: shutdown(2), plus one."""


class State(Enum):
    """Where one end stands; TIME-WAIT is CLOSED here, except that the network still knows it."""

    CLOSED = auto()
    SYN_SENT = auto()
    SYN_RECEIVED = auto()
    ESTABLISHED = auto()
    FIN_WAIT_1 = auto()
    FIN_WAIT_2 = auto()
    CLOSE_WAIT = auto()
    CLOSING = auto()
    LAST_ACK = auto()


ON_CLOSE = {
    State.SYN_RECEIVED: State.FIN_WAIT_1,
    State.ESTABLISHED: State.FIN_WAIT_1,
    State.CLOSE_WAIT: State.LAST_ACK,
}
"""FIN goes out."""
ON_FIN = {
    State.ESTABLISHED: State.CLOSE_WAIT,
    State.FIN_WAIT_1: State.CLOSING,
    State.FIN_WAIT_2: State.CLOSED,
}
"""FIN has come."""
ON_FIN_ACKED = {
    State.FIN_WAIT_1: State.FIN_WAIT_2,
    State.CLOSING: State.CLOSED,
    State.LAST_ACK: State.CLOSED,
}
"""The other end has our FIN."""
RESET_ERRORS = {State.SYN_SENT: errno.ECONNREFUSED, State.CLOSE_WAIT: errno.EPIPE}
"""What RST means to a program, where it isn't ECONNRESET (Linux: tcp_reset)."""
WORTH_A_RESET = {
    State.SYN_RECEIVED,
    State.ESTABLISHED,
    State.CLOSE_WAIT,
    State.FIN_WAIT_1,
    State.FIN_WAIT_2,
}
"""Where an abort tells the other end."""
OPENING = {State.SYN_SENT, State.SYN_RECEIVED}
