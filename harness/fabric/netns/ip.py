"""IPv4 packets with TCP in them, as bytes: read, built, answered and damaged.

Headers are those of RFC 791, RFC 792 (ICMP) and RFC 9293 section 3.1 (TCP). What is not a whole TCP
segment over IPv4 is no business of ours: IPv6, other protocols, and fragments.
"""

from __future__ import annotations

from struct import Struct
from typing import NamedTuple

from harness.packet import Address

FIN, SYN, RST, PSH, ACK = 0x01, 0x02, 0x04, 0x08, 0x10
"""Bits of a segment's ``flags``."""
WRAP = 2**32
"""Sequence numbers wrap here."""
NET_UNREACHABLE, HOST_UNREACHABLE = 0, 1
"""Codes of ICMP's "destination unreachable"."""

_TCP, _ICMP = 6, 1
_PLAIN = 0x45  # version 4, a header of five words: without options
_IS_FRAGMENT = 0x3FFF  # more follow, or it isn't the first
_DONT_FRAGMENT = 0x4000
_TTL = 64
_IP_BYTES = _TCP_BYTES = 20
_QUOTED_BYTES = 8  # of what follows the offending header, RFC 792
_UNREACHABLE = 3
_FLAGS_AT, _ACK_AT, _SUM_AT = 13, 8, 16

_BOTH = Struct("!BxHxxHxB14xIIBB")  # as far as the flags, where the IP header has no options
_IP = Struct("!BxHHHBBH8s")
_IP_START = Struct("!BxHxxHxB")
_TCP_START = Struct("!IIBB")
_TCP_WHOLE = Struct("!4sIIBBHHH")
_WORD = Struct("!H")
_ICMP_START = Struct("!BBHI")


class Segment(NamedTuple):
    """A TCP segment in its packet.

    ``key`` is who sends it to whom: both addresses, both ports, 12 bytes. ``start`` is where the
    TCP header begins, ``size_bytes`` what it carries.
    """

    raw: bytes
    key: bytes
    start: int
    seq: int
    ack: int
    flags: int
    size_bytes: int

    @property
    def length(self) -> int:
        """How many sequence numbers it takes: SYN and FIN count as one each."""
        return self.size_bytes + (self.flags & SYN != 0) + (self.flags & FIN != 0)


def parse(raw: bytes) -> Segment | None:
    """The segment in a packet, or None if it is anything else than one whole TCP segment."""
    if len(raw) < _IP_BYTES + _TCP_BYTES:
        return None
    version, total, fragment, protocol, seq, ack, header, flags = _BOTH.unpack_from(raw)
    if protocol != _TCP or version >> 4 != 4 or fragment & _IS_FRAGMENT:
        return None
    start, key = _IP_BYTES, raw[12:24]
    if version != _PLAIN:
        start = (version & 15) * 4
        if start < _IP_BYTES or len(raw) < start + _TCP_BYTES:
            return None
        seq, ack, header, flags = _TCP_START.unpack_from(raw, start + 4)
        key = raw[12:20] + raw[start : start + 4]
    size_bytes = total - start - (header >> 4) * 4
    if size_bytes < 0 or total > len(raw) or header >> 4 < 5:
        return None
    return Segment(raw, key, start, seq, ack, flags, size_bytes)


def ends_of(key: bytes) -> tuple[Address, Address]:
    """Who sends and who is to receive, each as an address and a port."""
    source, target = _dotted(key[:4]), _dotted(key[4:8])
    return (source, int.from_bytes(key[8:10])), (target, int.from_bytes(key[10:12]))


def key_of(source: Address, target: Address) -> bytes:
    """The key of what the first sends to the second."""
    ports = source[1].to_bytes(2) + target[1].to_bytes(2)
    return _packed(source[0]) + _packed(target[0]) + ports


def turned(key: bytes) -> bytes:
    """The key of what goes the other way."""
    return key[4:8] + key[:4] + key[10:12] + key[8:10]


def build(key: bytes, flags: int, *, seq: int, ack: int = 0, payload: bytes = b"") -> bytes:
    """A packet with a TCP segment without options, its checksums right."""
    tcp = _TCP_WHOLE.pack(key[8:12], seq % WRAP, ack % WRAP, 5 << 4, flags, 0, 0, 0)
    tcp += payload
    pseudo = key[:8] + _TCP.to_bytes(2) + _WORD.pack(len(tcp))
    tcp = _with_sum(tcp, checksum(pseudo + tcp), _SUM_AT)
    return _ip_header(key[:8], _TCP, len(tcp)) + tcp


def reset_for(segment: Segment) -> bytes:
    """The RST by which the other end would refuse it: RFC 9293 section 3.10.7.1.

    It is in its sender's window to the byte, so Linux believes it (RFC 5961 section 3.2).
    """
    key = turned(segment.key)
    if segment.flags & ACK:
        return build(key, RST, seq=segment.ack)
    return build(key, RST | ACK, seq=0, ack=segment.seq + segment.length)


def unreachable(raw: bytes, router: str, code: int) -> bytes:
    """ICMP "destination unreachable" from a router to a packet's sender, which quotes its head."""
    quoted = raw[: (raw[0] & 15) * 4 + _QUOTED_BYTES]
    message = _ICMP_START.pack(_UNREACHABLE, code, 0, 0) + quoted
    message = _with_sum(message, checksum(message), 2)
    return _ip_header(_packed(router) + raw[12:16], _ICMP, len(message)) + message


def damaged(segment: Segment) -> bytes:
    """The packet with one bit turned over, in the middle of what it carries or of its TCP header.

    One bit never leaves the Internet checksum as it was (RFC 1071). The IP header stays right, so
    that it arrives.
    """
    raw = bytearray(segment.raw)
    total = int.from_bytes(raw[2:4])
    first = total - segment.size_bytes
    place = first + segment.size_bytes // 2 if segment.size_bytes else segment.start + _ACK_AT
    raw[place] ^= 0x10
    return bytes(raw)


def checksum(data: bytes) -> int:
    """The Internet checksum (RFC 1071): the sum of 16-bit words in ones' complement, inverted.

    2**16 is 1 in arithmetic modulo 65,535, so the sum is the whole number's remainder.
    """
    number = int.from_bytes(data) << (len(data) % 2 * 8)
    return 0xFFFF - (number % 0xFFFF or (0xFFFF if number else 0))


def _with_sum(data: bytes, total: int, place: int) -> bytes:
    return data[:place] + _WORD.pack(total) + data[place + 2 :]


def _ip_header(pair: bytes, protocol: int, size_bytes: int) -> bytes:
    total = _IP_BYTES + size_bytes
    header = _IP.pack(_PLAIN, total, 0, _DONT_FRAGMENT, _TTL, protocol, 0, pair)
    return _with_sum(header, checksum(header), 10)


def _dotted(address: bytes) -> str:
    return ".".join(map(str, address))


def _packed(address: str) -> bytes:
    return bytes(map(int, address.split(".")))
