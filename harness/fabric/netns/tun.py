"""A TUN device: what a kernel routes into it is read here, what is written here it receives.

The device lives as long as its descriptor (Linux, networking/tuntap): nothing is left of it when
this process ends, however it ends. Packets come one by one, whole and with right checksums, since
the device offers the kernel to do none of that work itself; a checksum that is wrong in what is
written stays wrong on its way, and is not trusted either.
"""

from __future__ import annotations

import fcntl
import os
import socket
from contextlib import suppress
from pathlib import Path
from struct import pack, unpack_from

from harness.errors import SetupError

DEVICE = "/dev/net/tun"
QUEUE_PACKETS = 10_000
"""So many wait in the kernel to be read; more are lost (the default is 500)."""
READ_BYTES = 2_048
"""More than a packet may have on our links, whose MTU is 1,500."""

_TUNSETIFF = 0x400454CA
_IFF_TUN, _IFF_NO_PI = 0x0001, 0x1000
_NEW_LINK, _REQUEST_AND_ACK = 16, 0x5
_QUEUE_LENGTH = 13
_IFF_UP = 0x1
_ANSWER_LIMIT_S, _ANSWER_BYTES = 10.0, 4_096
_COUNTERS = Path("/proc/thread-self/net/dev")
_DROPPED_AT = 11
"""The column of packets that could not be handed out, proc(5)."""


class Tun:
    """An open device. ``read`` and ``write`` never wait."""

    __slots__ = ("_name", "descriptor")

    def __init__(self, name: str, descriptor: int) -> None:
        self._name = name
        self.descriptor = descriptor

    @classmethod
    def opened(cls, name: str) -> Tun:
        """The device of this name in the namespace where the calling thread is, made and up.

        Raises SetupError with the system's words and what to do.
        """
        try:
            descriptor = os.open(DEVICE, os.O_RDWR | os.O_NONBLOCK | os.O_CLOEXEC)
        except OSError as error:
            raise SetupError(
                f"can't open {DEVICE}: {error.strerror}; `harness doctor` says what to do"
            ) from error
        try:
            _set_up(name, descriptor)
        except OSError as error:
            os.close(descriptor)
            raise SetupError(f"ip link set {name} up: {error.strerror}") from error
        return cls(name, descriptor)

    def read(self) -> bytes:
        """The next packet; BlockingIOError if none is there."""
        return os.read(self.descriptor, READ_BYTES)

    def write(self, raw: bytes) -> None:
        """Let the kernel receive a packet, and lose it if it won't: a link is down, or so."""
        with suppress(OSError):
            os.write(self.descriptor, raw)

    def overflowed(self) -> int:
        """How many packets were lost before they were read; to be asked in its namespace."""
        for line in _COUNTERS.read_text(encoding="ascii").splitlines():
            name, _, counters = line.partition(":")
            if name.strip() == self._name:
                return int(counters.split()[_DROPPED_AT])
        return 0

    def close(self) -> None:
        """The device is gone."""
        os.close(self.descriptor)


def _set_up(name: str, descriptor: int) -> None:
    interface = name.encode("ascii")
    fcntl.ioctl(descriptor, _TUNSETIFF, pack("16sH22x", interface, _IFF_TUN | _IFF_NO_PI))
    _bring_up(socket.if_nametoindex(name))


def _bring_up(index: int) -> None:
    """Set the interface up and lengthen its queue, by one message of rtnetlink(7).

    Older calls that set the queue's length want privileges over the whole machine.
    """
    request = pack("=IHHII", 40, _NEW_LINK, _REQUEST_AND_ACK, 1, 0)
    request += pack("=BxHiII", socket.AF_UNSPEC, 0, index, _IFF_UP, _IFF_UP)
    request += pack("=HHI", 8, _QUEUE_LENGTH, QUEUE_PACKETS)
    with socket.socket(socket.AF_NETLINK, socket.SOCK_RAW, socket.NETLINK_ROUTE) as control:
        control.settimeout(_ANSWER_LIMIT_S)
        control.send(request)
        (failure,) = unpack_from("=i", control.recv(_ANSWER_BYTES), 16)
    if failure:
        raise OSError(-failure, os.strerror(-failure))
