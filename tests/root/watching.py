"""An observer of a host's wire: every packet that leaves or arrives there, and when.

It shares no code with what strikes packets: a packet socket of its own, a parser of its own.
"""

from __future__ import annotations

import mmap
import socket
import struct
import time
from contextlib import ExitStack, closing, contextmanager
from dataclasses import dataclass

import trio

FIN, SYN, RST, PSH, ACK = 0x01, 0x02, 0x04, 0x08, 0x10
SLOT_BYTES, SLOTS, BLOCKS = 2048, 4096, 64
_ETH_P_IP = 0x0800
_PLAIN = 0x45
"""IPv4 without options; what else begins a packet here is damage."""
_ETH_P_ALL = 0x0003
_PACKET_OUTGOING = 4
_SOL_PACKET = 263
_PACKET_RX_RING, _PACKET_STATISTICS, _PACKET_VERSION, _TPACKET_V2 = 5, 6, 10, 1
_ADDRESS_AT = 32
"""Behind the header of 32 bytes stands who sent it: struct sockaddr_ll."""
UNREACHABLE = 3
"""ICMP's type of it (RFC 792); its codes are 0 for a network and 1 for a host."""


@dataclass(frozen=True)
class Seen:
    """A packet; ``at`` is on trio's clock. ``icmp`` is (type, code), and None for TCP."""

    at: float
    leaves: bool
    source: tuple[str, int]
    target: tuple[str, int]
    ident: int
    flags: int
    seq: int
    ack: int
    size: int
    length: int
    sound: bool
    icmp: tuple[int, int] | None = None

    @property
    def flow(self) -> tuple[tuple[str, int], tuple[str, int]]:
        return (self.source, self.target)

    @property
    def itself(self) -> tuple[object, ...]:
        """What makes it this very packet at every place of its way (RFC 6864 leaves the ident)."""
        return (*self.flow, self.ident, self.flags, self.seq, self.ack, self.size, self.icmp)

    def has(self, flag: int) -> bool:
        return bool(self.flags & flag)


class Observer:
    """Records what goes over one interface of a host while it is open.

    The kernel writes packets and their times into memory that it shares with us, packet(7).
    """

    def __init__(self, fabric, host: str, interface: str = "eth0") -> None:
        with ExitStack() as undo, fabric.inside(host):
            self._sock = undo.enter_context(socket.socket(socket.AF_PACKET, socket.SOCK_DGRAM, 0))
            self._sock.setsockopt(_SOL_PACKET, _PACKET_VERSION, _TPACKET_V2)
            request = struct.pack("IIII", SLOT_BYTES * SLOTS // BLOCKS, BLOCKS, SLOT_BYTES, SLOTS)
            self._sock.setsockopt(_SOL_PACKET, _PACKET_RX_RING, request)
            self._ring = undo.enter_context(mmap.mmap(self._sock.fileno(), SLOT_BYTES * SLOTS))
            self._sock.bind((interface, _ETH_P_ALL))  # who takes all is shown what leaves, too
            self._undo = undo.pop_all()
        self._place = 0
        self._offset = trio.current_time() - time.time()
        self._seen: list[Seen] = []

    def close(self) -> None:
        _, lost = struct.unpack("II", self._sock.getsockopt(_SOL_PACKET, _PACKET_STATISTICS, 8))
        self._undo.close()
        assert lost == 0, "the observer was not asked often enough"

    @property
    def seen(self) -> list[Seen]:
        """Everything so far, in order."""
        while True:
            at = self._place * SLOT_BYTES
            status, _, kept, _, net, seconds, nanoseconds = struct.unpack_from(
                "IIIHHII", self._ring, at
            )
            if not status & 1:
                return self._seen
            protocol, kind = struct.unpack_from("!2xH6xB", self._ring, at + _ADDRESS_AT)
            if protocol == _ETH_P_IP and self._ring[at + net] == _PLAIN:
                when = seconds + nanoseconds / 1e9 + self._offset
                raw = self._ring[at + net : at + net + kept]
                self._seen.append(_parsed(raw, when, kind == _PACKET_OUTGOING))
            struct.pack_into("I", self._ring, at, 0)  # the kernel's again
            self._place = (self._place + 1) % SLOTS

    def sent(self) -> list[Seen]:
        return [packet for packet in self.seen if packet.leaves]

    def arrived(self) -> list[Seen]:
        return [packet for packet in self.seen if not packet.leaves]

    def mark(self) -> float:
        """Now; for ``since``."""
        return trio.current_time()

    def since(self, instant: float) -> list[Seen]:
        return [packet for packet in self.seen if packet.at >= instant]


@contextmanager
def observers(fabric, *places: tuple[str, str]):
    """An observer of each (host, interface)."""
    if not places:
        yield []
        return
    first, *rest = places
    with closing(Observer(fabric, *first)) as observer, observers(fabric, *rest) as others:
        yield [observer, *others]


def _parsed(raw: bytes, at: float, leaves: bool) -> Seen:
    start = (raw[0] & 15) * 4
    length, ident = struct.unpack_from("!HH", raw, 2)
    hosts = socket.inet_ntoa(raw[12:16]), socket.inet_ntoa(raw[16:20])
    rest = {"at": at, "leaves": leaves, "ident": ident, "length": length}
    if raw[9] != socket.IPPROTO_TCP:
        what = (raw[start], raw[start + 1]) if raw[9] == socket.IPPROTO_ICMP else (-1, -1)
        ends = {"source": (hosts[0], 0), "target": (hosts[1], 0)}
        return Seen(flags=0, seq=0, ack=0, size=0, sound=True, icmp=what, **ends, **rest)
    source, target, seq, ack = struct.unpack_from("!HHII", raw, start)
    size = length - start - (raw[start + 12] >> 4) * 4
    return Seen(
        source=(hosts[0], source),
        target=(hosts[1], target),
        flags=raw[start + 13],
        seq=seq,
        ack=ack,
        size=size,
        sound=_is_sound(raw[:length], start),
        **rest,
    )


def _is_sound(raw: bytes, start: int) -> bool:
    """Whether the checksum holds; one that was left to a network card holds of the header alone."""
    pseudo = raw[12:20] + struct.pack("!HH", raw[9], len(raw) - start)
    left = struct.unpack_from("!H", raw, start + 16)[0]
    return _sum(pseudo + raw[start:]) == 0xFFFF or _sum(pseudo) == left


def _sum(data: bytes) -> int:
    total = sum(struct.unpack(f"!{(len(data) + 1) // 2}H", data + b"\0" * (len(data) % 2)))
    while total >> 16:
        total = (total & 0xFFFF) + (total >> 16)
    return total
