"""An observer on the loopback interface that shares no code with the proxy: it reads packets."""

from __future__ import annotations

import ctypes
import socket
import struct
import time
from dataclasses import dataclass

import trio

FIN, SYN, RST, PSH, ACK = 0x01, 0x02, 0x04, 0x08, 0x10
_ETH_P_IP = 0x0800
_PACKET_OUTGOING = 4
_SO_ATTACH_FILTER = 26
PROBE_S = 0.004
PROBES_LIMIT = 1_000
_SO_TIMESTAMPNS = 35


@dataclass(frozen=True)
class Segment:
    """A TCP segment as it went over the interface; ``at`` is on trio's clock."""

    at: float
    source: int
    target: int
    flags: int
    seq: int
    size: int

    def has(self, flag: int) -> bool:
        return bool(self.flags & flag)


def _wait_for_stamps() -> None:
    """Return once the kernel stamps packets as they arrive.

    The first socket that asks for stamps has them switched on by a kernel thread, some time
    later. A packet that arrived before is stamped only as it is read.
    """
    with socket.socket(socket.AF_INET, socket.SOCK_DGRAM) as probe:
        probe.setsockopt(socket.SOL_SOCKET, _SO_TIMESTAMPNS, 1)
        probe.bind(("127.0.0.1", 0))
        probe.connect(probe.getsockname())
        for _ in range(PROBES_LIMIT):
            probe.send(b"?")
            sent = time.time()
            time.sleep(PROBE_S)
            ancillary = probe.recvmsg(1, 64)[1]
            seconds, nanoseconds = struct.unpack("ll", ancillary[0][2])
            if seconds + nanoseconds / 1e9 < sent + PROBE_S / 2:
                return
    raise AssertionError("the kernel does not stamp packets as they arrive")


def why_not() -> str:
    """Why packets can't be observed here, or empty."""
    try:
        socket.socket(socket.AF_PACKET, socket.SOCK_RAW, 0).close()
    except (AttributeError, OSError) as error:
        return f"needs a packet socket: {error}"
    return ""


class Sniffer:
    """Records every segment of one port while it is open."""

    def __init__(self, port: int) -> None:
        self._port = port
        self._sock = socket.socket(socket.AF_PACKET, socket.SOCK_DGRAM, 0)
        self._attach_filter()
        self._sock.setsockopt(socket.SOL_SOCKET, socket.SO_RCVBUF, 1 << 22)
        self._sock.setsockopt(socket.SOL_SOCKET, _SO_TIMESTAMPNS, 1)
        self._sock.bind(("lo", _ETH_P_IP))
        self._sock.setblocking(False)
        _wait_for_stamps()
        self._offset = trio.current_time() - time.time()
        self.segments: list[Segment] = []

    def _attach_filter(self) -> None:
        """Let the kernel queue this port's segments alone (socket(7), SO_ATTACH_FILTER).

        Others use the interface as well, and what overflows the queue is lost for good.
        """
        port = self._port
        program = b"".join(
            struct.pack("HBBI", *instruction)
            for instruction in (
                (0x30, 0, 0, 9),  # A = protocol
                (0x15, 0, 6, socket.IPPROTO_TCP),  # else to the end: drop
                (0xB1, 0, 0, 0),  # X = length of the IP header
                (0x48, 0, 0, 0),  # A = source port
                (0x15, 2, 0, port),
                (0x48, 0, 0, 2),  # A = target port
                (0x15, 0, 1, port),
                (0x06, 0, 0, 0xFFFFFFFF),  # keep all of it
                (0x06, 0, 0, 0),  # drop it
            )
        )
        kept = ctypes.create_string_buffer(program)
        count = len(program) // struct.calcsize("HBBI")
        fprog = struct.pack("HP", count, ctypes.addressof(kept))
        self._sock.setsockopt(socket.SOL_SOCKET, _SO_ATTACH_FILTER, fprog)

    def close(self) -> None:
        self._sock.close()

    def read(self) -> list[Segment]:
        """Everything seen so far."""
        while True:
            try:
                packet, ancillary, _, address = self._sock.recvmsg(1 << 16, 64)
            except BlockingIOError:
                return self.segments
            if address[2] == _PACKET_OUTGOING:
                continue  # on lo each packet is seen twice: as it goes and as it comes
            segment = self._parse(packet, ancillary)
            if segment is not None and self._port in (segment.source, segment.target):
                self.segments.append(segment)

    def _parse(self, packet: bytes, ancillary: list[tuple[int, int, bytes]]) -> Segment | None:
        if len(packet) < 40 or packet[0] >> 4 != 4 or packet[9] != socket.IPPROTO_TCP:
            return None
        seconds, nanoseconds = struct.unpack("ll", ancillary[0][2])
        ip_header = (packet[0] & 15) * 4
        total = struct.unpack_from("!H", packet, 2)[0]
        source, target, seq = struct.unpack_from("!HHI", packet, ip_header)
        tcp_header = (packet[ip_header + 12] >> 4) * 4
        return Segment(
            at=seconds + nanoseconds / 1e9 + self._offset,
            source=source,
            target=target,
            flags=packet[ip_header + 13],
            seq=seq,
            size=total - ip_header - tcp_header,
        )

    # --- questions --------------------------------------------------------------------------

    def between(self, source: int, target: int) -> list[Segment]:
        return [s for s in self.read() if (s.source, s.target) == (source, target)]

    def bytes_before(self, source: int, target: int, ending: int) -> int:
        """By sequence numbers: how many bytes were sent before the FIN or RST."""
        segments = self.between(source, target)
        isn = next(s.seq for s in segments if s.has(SYN))
        end = next(s for s in segments if s.has(ending))
        return (end.seq + end.size - isn - 1) % 2**32

    def payloads(self, source: int, target: int) -> list[Segment]:
        return [s for s in self.between(source, target) if s.size]

    def first(self, source: int, target: int, flag: int) -> Segment | None:
        return next((s for s in self.between(source, target) if s.has(flag)), None)

    async def until(self, source: int, target: int, flag: int) -> Segment:
        with trio.fail_after(20):
            while (found := self.first(source, target, flag)) is None:
                await trio.lowlevel.wait_readable(self._sock)
        return found
