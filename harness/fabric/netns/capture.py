"""Files of every packet that a host sends or gets, for tcpdump and Wireshark.

It looks at packets by itself and shares no code with what strikes them. The kernel puts them, with
the instant at which they were there, into a ring of memory that it shares with us, packet(7) and
its PACKET_RX_RING (the kernel's networking/packet_mmap): no packet costs a call or wakes the event
loop. A task empties the rings now and then, a few packets at a time, so that nobody waits for it.
What still is in them at the end is written then.
"""

from __future__ import annotations

import mmap
import socket
import struct
import sys
from collections.abc import AsyncIterator, Callable, Iterator
from contextlib import ExitStack, asynccontextmanager, contextmanager
from io import RawIOBase
from pathlib import Path

import trio

from harness.errors import SetupError
from harness.fabric.netns import pcap
from harness.fabric.netns.layout import Layout
from harness.fabric.netns.namespaces import Namespaces
from harness.fabric.tasks import open_tasks

CAPTURE_LIMIT_BYTES = 64 * 2**20
"""No file is larger; what comes afterwards is not kept, and that is told."""
READ_S = 0.02
"""How often rings are emptied."""
BATCH_PACKETS = 16
"""Taken from a ring before others may do something."""
SLOT_BYTES = 2_048
SLOTS = 2_048
"""Packets that a ring has room for; 100,000 a second may come."""

_BLOCK_BYTES = 65_536
_SOL_PACKET, _PACKET_RX_RING, _PACKET_STATISTICS, _PACKET_VERSION = 263, 5, 6, 10
_TPACKET_V2 = 1
_ETH_P_ALL = 0x0003
_OURS, _NO_CHECKSUM = 1, 1 << 3
"""Bits of a slot's status: it is to be read, and the checksum was left to the card."""
_PACKET_OUTGOING = 4
_SLOT = struct.Struct("=IIIHHII")  # struct tpacket2_hdr, as far as it is needed
_STATUS = struct.Struct("=I")
_KIND_AT = 32 + 10  # sll_pkttype of the sockaddr_ll behind the header


class Ring:
    """Packets of one interface of the namespace in which it was made."""

    def __init__(self, interface: str) -> None:
        self._skips_outgoing = interface == "lo"  # there each is seen as it goes and as it comes
        self._next = 0
        with ExitStack() as undo:
            self._sock = socket.socket(socket.AF_PACKET, socket.SOCK_RAW, 0)
            undo.callback(self._sock.close)
            self._sock.setsockopt(_SOL_PACKET, _PACKET_VERSION, _TPACKET_V2)
            blocks = SLOTS * SLOT_BYTES // _BLOCK_BYTES
            request = struct.pack("=IIII", _BLOCK_BYTES, blocks, SLOT_BYTES, SLOTS)
            self._sock.setsockopt(_SOL_PACKET, _PACKET_RX_RING, request)
            self._memory = mmap.mmap(self._sock.fileno(), SLOTS * SLOT_BYTES)
            undo.callback(self._memory.close)
            self._sock.bind((interface, _ETH_P_ALL))
            self._undo = undo.pop_all()

    def read(self, limit: int = BATCH_PACKETS) -> tuple[list[bytes], bool]:
        """Records of the next packets, in order, and whether there may be more."""
        memory = self._memory
        records: list[bytes] = []
        for _ in range(limit):
            at = self._next * SLOT_BYTES
            status, length, kept, mac, _, seconds, nanoseconds = _SLOT.unpack_from(memory, at)
            if not status & _OURS:
                return records, False
            if not (self._skips_outgoing and memory[at + _KIND_AT] == _PACKET_OUTGOING):
                frame = memory[at + mac : at + mac + kept]
                whole = pcap.completed(frame) if status & _NO_CHECKSUM else frame
                records.append(pcap.record(seconds, nanoseconds, whole, length))
            _STATUS.pack_into(memory, at, 0)  # the kernel may use the slot again
            self._next = (self._next + 1) % SLOTS
        return records, True

    def lost(self) -> int:
        """Packets that found the ring full since this was asked last."""
        told = self._sock.getsockopt(_SOL_PACKET, _PACKET_STATISTICS, 8)
        return int.from_bytes(told[4:8], sys.byteorder)

    def close(self) -> None:
        """Give the memory back."""
        self._undo.close()


class Tape:
    """The file of one interface."""

    def __init__(self, ring: Ring, path: Path, file: RawIOBase, limit_bytes: int) -> None:
        self._ring = ring
        self._path = path
        self._file = file
        self._left_bytes = limit_bytes - file.write(pcap.opening())
        self._left_out = 0
        self._failure = ""

    def write(self) -> bool:
        """Write what waits, but only so much at once; whether there may be more."""
        records, more = self._ring.read()
        data = b"".join(record for record in records if self._fits(record))
        try:
            if data and self._file.write(data) < len(data):
                self._fail("no room for more")
        except OSError as error:
            self._fail(str(error.strerror))
        return more

    def _fail(self, why: str) -> None:
        """The run goes on, the file doesn't."""
        self._failure, self._left_bytes = why, 0

    def _fits(self, record: bytes) -> bool:
        if len(record) > self._left_bytes:
            self._left_out += 1
            self._left_bytes = 0  # a smaller one behind it would make a hole
            return False
        self._left_bytes -= len(record)
        return True

    def finish(self) -> str:
        """Write the rest; what there is to tell about the file, or nothing."""
        for _ in range(SLOTS // BATCH_PACKETS + 1):
            if not self.write():
                break
        lost = self._ring.lost()
        if self._failure:
            return f"{self._path}: not complete: {self._failure}"
        if self._left_out:
            return f"{self._path}: full; {self._left_out} more packets are not in it"
        return f"{self._path}: {lost} packets came too fast and are not in it" if lost else ""


def _say(line: str) -> None:
    sys.stderr.write(f"capture: {line}\n")


@asynccontextmanager
async def capturing(
    spaces: Namespaces, layout: Layout, folder: Path, tell: Callable[[str], None] = _say
) -> AsyncIterator[None]:
    """Captures while the block runs: a file for each host, or for each of its wires.

    ``tell`` gets a line for each file that could not hold everything. Raises SetupError if files
    can't be written, or packets can't be seen.
    """
    with _tapes(spaces, layout, folder) as tapes:
        try:
            async with open_tasks() as tasks:
                tasks.start_soon(_write_forever, tapes)
                yield
        finally:
            for line in filter(None, [tape.finish() for tape in tapes]):
                tell(line)


@contextmanager
def _tapes(spaces: Namespaces, layout: Layout, folder: Path) -> Iterator[list[Tape]]:
    """Rings and files that are open while the block runs."""
    with ExitStack() as stack:
        tapes = []
        try:
            folder.mkdir(parents=True, exist_ok=True)
            for host, interface, name in places(layout):
                with spaces.inside(host):
                    ring = Ring(interface)
                stack.callback(ring.close)
                path = folder / f"{name}.pcap"
                file = stack.enter_context(path.open("wb", buffering=0))
                tapes.append(Tape(ring, path, file, CAPTURE_LIMIT_BYTES))
        except OSError as error:
            place = error.filename or folder
            raise SetupError(f"can't capture packets: {place}: {error.strerror}") from error
        yield tapes


def places(layout: Layout) -> list[tuple[str, str, str]]:
    """What is captured, as (host, interface, name of the file).

    A sidecar's clients reach it over the loopback, so that has a file as well.
    """
    links = [(link.host, link.interface) for link in layout.uplinks]
    hosts = [host for host, _ in links]
    named = [(host, it, host if hosts.count(host) == 1 else f"{host}-{it}") for host, it in links]
    if layout.is_sidecar:
        named.append((layout.proxy_host, "lo", f"{layout.proxy_host}-lo"))
    return [(host, it, _file_name(name, n)) for n, (host, it, name) in enumerate(named)]


def _file_name(name: str, nth: int) -> str:
    """A name that every file system takes, and no other has."""
    plain = "".join(c if c.isalnum() or c in "-_." else "_" for c in name)
    return plain if plain == name else f"{plain}-{nth}"


async def _write_forever(tapes: list[Tape]) -> None:
    while True:
        more = False
        for tape in tapes:
            more |= tape.write()
            await trio.lowlevel.checkpoint()
        if not more:
            await trio.sleep(READ_S)
