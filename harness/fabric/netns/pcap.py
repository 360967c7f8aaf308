"""Captured packets as bytes of a file that tcpdump and Wireshark read.

The format is libpcap's with nanoseconds, pcap-savefile(5): a header, then packets one by one. All
numbers are little-endian here; readers find that out by the magic number.
"""

from __future__ import annotations

import struct

MAGIC_NS = 0xA1B23C4D
"""Times are in nanoseconds."""
LINKTYPE_ETHERNET = 1
SNAP_BYTES = 1_920
"""Kept of each packet: all that an Ethernet carries; of larger ones, on a loopback, the start."""

_HEADER = struct.Struct("<IHHiIII")
_RECORD = struct.Struct("<IIII")
HEADER_BYTES, RECORD_BYTES = _HEADER.size, _RECORD.size

_ETHERNET_BYTES = 14
_IPV4 = b"\x08\x00"
_CHECKSUM_AT = {6: 16, 17: 6}
"""Where TCP (RFC 9293) and UDP (RFC 768) have their checksum, by IP's number for them."""


def opening() -> bytes:
    """What a file begins with."""
    return _HEADER.pack(MAGIC_NS, 2, 4, 0, 0, SNAP_BYTES, LINKTYPE_ETHERNET)


def record(seconds: int, nanoseconds: int, frame: bytes, length_bytes: int) -> bytes:
    """A packet: when it was there, the start of it, and how long it was."""
    kept = frame[:SNAP_BYTES]
    return _RECORD.pack(seconds, nanoseconds, len(kept), length_bytes) + kept


def completed(frame: bytes) -> bytes:
    """A whole Ethernet frame with the checksum that its sender left to the network card.

    Virtual cards never do it, and whoever reads the file would take each such packet for a damaged
    one. What isn't TCP or UDP over IPv4, or only a part of it, is as it was.
    """
    at = _ETHERNET_BYTES
    if len(frame) < at + 20 or frame[12:14] != _IPV4 or frame[at + 9] not in _CHECKSUM_AT:
        return frame
    length = int.from_bytes(frame[at + 2 : at + 4], "big")
    start = at + (frame[at] & 15) * 4
    field = start + _CHECKSUM_AT[frame[at + 9]]
    segment = frame[start : at + length]
    if len(frame) < at + length or len(segment) < field + 2 - start:
        return frame
    pseudo = frame[at + 12 : at + 20] + bytes((0, frame[at + 9])) + len(segment).to_bytes(2, "big")
    zeroed = frame[start:field] + b"\0\0" + frame[field + 2 : at + length]
    return frame[:field] + _checksum(pseudo + zeroed) + frame[field + 2 :]


def _checksum(data: bytes) -> bytes:
    """The Internet checksum (RFC 1071): ones' complement of a sum that is a remainder by 65535."""
    total = int.from_bytes(data + b"\0" * (len(data) % 2), "big") % 0xFFFF
    return (0xFFFF - total).to_bytes(2, "big")
