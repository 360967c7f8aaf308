"""Taking a program's socket away from it: SOCK_DESTROY of sock_diag(7), in raw netlink.

A dump names the sockets that a host has dialed from a port; each is destroyed by its whole name and
cookie, so that no later socket of the same port is struck. The program sees ECONNABORTED, and the
other end gets a RST.
"""

from __future__ import annotations

import errno
import os
import socket
import struct
from collections.abc import Iterator
from typing import Protocol

from harness.errors import SetupError

_NETLINK_SOCK_DIAG = 4
_SOCK_DIAG_BY_FAMILY, _SOCK_DESTROY = 20, 21
_NLMSG_ERROR, _NLMSG_DONE = 2, 3
_REQUEST, _ACK, _DUMP = 0x1, 0x4, 0x300
_HEADER = struct.Struct("=IHHII")
"""struct nlmsghdr of netlink(7): length, type, flags, sequence number, port."""
_ASKED = struct.Struct("=BBxxI")
"""struct inet_diag_req_v2 of sock_diag(7) before the socket's name: family, protocol, states."""
_NAME = struct.Struct("!HH16s16s12s")
"""struct inet_diag_sockid: both ports and addresses, then interface and cookie as they came."""
_FOUND = struct.Struct("=BBxx")
"""struct inet_diag_msg before the socket's name: family, state."""
_INODE_AT = _FOUND.size + _NAME.size + 16
_FAILURE, _INODE = struct.Struct("=i"), struct.Struct("=I")
_LIVE_STATES = (1 << 1) | (1 << 4) | (1 << 5) | (1 << 8)
"""ESTABLISHED, FIN-WAIT-1, FIN-WAIT-2 and CLOSE-WAIT: those in which a program may still wait."""
ANSWER_BYTES = 1 << 16
ANSWERS_LIMIT = 1_000
ANSWER_LIMIT_S = 2.0


class Sockets(Protocol):
    """Makes sockets in namespaces: see ``namespaces.Namespaces``."""

    def socket(self, name: str, family: int, kind: int, protocol: int = 0) -> socket.socket:
        """A new socket in a namespace."""


def destroy(spaces: Sockets, namespace: str, port: int) -> bool:
    """Destroy each live connection of a namespace that was dialed from this port.

    False if no program there holds one. Raises SetupError if the kernel has no SOCK_DESTROY
    (CONFIG_INET_DIAG_DESTROY), or doesn't let us.
    """
    with spaces.socket(namespace, socket.AF_NETLINK, socket.SOCK_RAW, _NETLINK_SOCK_DIAG) as diag:
        diag.settimeout(ANSWER_LIMIT_S)
        names = list(_held(diag, port))
        return sum(_destroy_one(diag, name, namespace) for name in names) > 0


def _held(diag: socket.socket, port: int) -> Iterator[bytes]:
    """The names of the live sockets of this port that a program holds."""
    wanted = _NAME.pack(port, 0, b"", b"", b"")
    _ask(diag, _SOCK_DIAG_BY_FAMILY, _REQUEST | _DUMP, wanted)
    for kind, body in _answers(diag):
        if kind == _NLMSG_ERROR:
            raise _cannot(-_FAILURE.unpack_from(body)[0], "look for sockets")
        (inode,) = _INODE.unpack_from(body, _INODE_AT)
        name = body[_FOUND.size : _FOUND.size + _NAME.size]
        if inode and _NAME.unpack(name)[0] == port:
            yield name


def _destroy_one(diag: socket.socket, name: bytes, namespace: str) -> bool:
    """Whether it was there until now."""
    _ask(diag, _SOCK_DESTROY, _REQUEST | _ACK, name)
    for _, body in _answers(diag):
        failure = -_FAILURE.unpack_from(body)[0]
        if failure in {0, errno.ENOENT}:
            return not failure
        raise _cannot(failure, f"destroy a socket of {namespace}")
    return False


def _ask(diag: socket.socket, kind: int, flags: int, name: bytes) -> None:
    asked = _ASKED.pack(socket.AF_INET, socket.IPPROTO_TCP, _LIVE_STATES) + name
    diag.send(_HEADER.pack(_HEADER.size + len(asked), kind, flags, 1, 0) + asked)


def _answers(diag: socket.socket) -> Iterator[tuple[int, bytes]]:
    """Each message of an answer: its type and what is in it."""
    for _ in range(ANSWERS_LIMIT):
        received = diag.recv(ANSWER_BYTES)
        while len(received) >= _HEADER.size:
            size_bytes, kind, *_ = _HEADER.unpack_from(received)
            if kind == _NLMSG_DONE:
                return
            yield kind, received[_HEADER.size : size_bytes]
            if kind == _NLMSG_ERROR:
                return
            received = received[(size_bytes + 3) & ~3 :]


def _cannot(failure: int, what: str) -> SetupError:
    message = f"can't {what}: {os.strerror(failure)}"
    if failure == errno.EOPNOTSUPP:
        why = "this kernel has no SOCK_DESTROY (CONFIG_INET_DIAG_DESTROY)"
        return SetupError(f"{message}; {why}, so leave sock_destroy out or take another kernel")
    if failure == errno.ENOENT:
        return SetupError(f"{message}; load the kernel's module: modprobe tcp_diag")
    return SetupError(message)
