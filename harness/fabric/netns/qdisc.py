"""The kernel's queueing disciplines in bytes: netem, tbf and htb from a shape, and their counters.

Everything here is pure: requests to be sent to rtnetlink(7), and what its answers say. The layout
of requests and attributes is that of <linux/pkt_sched.h> and <linux/rtnetlink.h>; what the
parameters mean is in tc-netem(8), tc-tbf(8) and tc-htb(8). Numbers are in the machine's own byte
order, as netlink has them.

**Order.** netem sorts packets by the instant at which they leave, so jitter reorders them, and so
does a delay that becomes shorter while packets wait. With a ``rate`` it counts each packet's delay
from no earlier than the one before it leaves. A rate no packet ever waits for
(``ORDER_RATE_BYTES_PER_S``) therefore keeps the order and changes nothing else.

**Tables.** netem draws from a table of deviations in units of the jitter, 8192 to one, in 16 bits:
four times the jitter at most. A distribution with a longer tail is told as one of a larger jitter
with smaller deviations, so its tail is not cut.
"""

from __future__ import annotations

import struct
from collections.abc import Iterable, Iterator
from dataclasses import dataclass
from statistics import NormalDist
from typing import NamedTuple

from harness.shape import Shape, draw_s

NETEM_LIMIT_PACKETS = 20_000
"""So many packets may be late at a time; more are dropped. Of full size they are 30 MB."""
ORDER_RATE_BYTES_PER_S = 10**12
OPEN_RATE_BYTES_PER_S = 10**10
"""What a bucket lets through once its fault is over: it stays, so that nothing in it is lost."""
BURST_LEAST_S = 0.004
"""A bucket holds at least this much, or each late wake-up would cost capacity."""
FRAME_BYTES = 1514
ETHERNET_BYTES = 14
TABLE_ENTRIES = 4096
TABLE_SCALE = 8192
TABLE_TOP = 2**15 - 1
TICK_NS = 64
"""The scheduler's unit of time in the older attributes (PSCHED_SHIFT, /proc/net/psched)."""

ROOT = 0xFFFF_FFFF
NETEM, TBF, HTB, FIFO = 0x1_0000, 0x2_0000, 0x3_0000, 0x4_0000
"""Handles, one for each kind, so that a new kind replaces an old one (``1:`` to ``4:``)."""
BELOW_NETEM, HTB_CLASS = NETEM + 1, HTB + 1

NEW_QDISC, GET_QDISC, NEW_CLASS = 36, 38, 40
_ERROR, _DONE = 2, 3
_REQUEST, _ACK, _DUMP, _REPLACE, _CREATE = 0x1, 0x4, 0x300, 0x100, 0x400
_KIND, _OPTIONS, _STATS2, _STAB = 1, 2, 7, 8
_NESTED, _TYPE = 0x8000, 0x3FFF
_ALL = 2**32 - 1
_HEADER = struct.Struct("=IHHII")
_TCMSG = struct.Struct("=BxxxiIII")
_ATTRIBUTE = struct.Struct("=HH")


# --- attributes -----------------------------------------------------------------------------


def attribute(kind: int, value: bytes) -> bytes:
    """A netlink attribute, padded to four bytes (netlink(7))."""
    return _ATTRIBUTE.pack(4 + len(value), kind) + value + bytes(-len(value) % 4)


def share(fraction: float) -> int:
    """A probability as the kernel has it: all 32 bits are certainty."""
    return round(min(max(fraction, 0.0), 1.0) * _ALL)


def netem(shape: Shape, seed: int) -> bytes:
    """The options of netem for a shape; what it says of capacity is not netem's.

    Every parameter is given each time, since a change keeps those it isn't told. Kernels before
    6.6 don't know the seed and pass over it.
    """
    jitter_s, table = _deviations(shape)
    qopt = struct.pack(
        "=6I",
        _ticks(shape.delay_s),
        NETEM_LIMIT_PACKETS,
        share(shape.loss),
        1 if shape.reorder else 0,
        share(shape.duplicate),
        _ticks(jitter_s),
    )
    early = 1 - shape.reorder if shape.reorder else 0.0
    rate = struct.pack("=IiIi", _ALL, 0, 0, 0)
    return b"".join(
        [
            qopt,
            attribute(1, struct.pack("=3I", share(shape.correlation), 0, 0)),
            attribute(3, struct.pack("=2I", share(early), 0)),
            attribute(4, struct.pack("=2I", share(shape.corrupt), 0)),
            attribute(8, struct.pack("=Q", ORDER_RATE_BYTES_PER_S)),
            attribute(6, rate),
            attribute(10, struct.pack("=q", round(shape.delay_s * 1e9))),
            attribute(11, struct.pack("=q", round(jitter_s * 1e9))),
            attribute(14, struct.pack("=Q", seed)),
            *_losses(shape),
            *([attribute(2, table)] if table else []),
        ]
    )


def _losses(shape: Shape) -> Iterator[bytes]:
    """The Gilbert-Elliott model: netem is told what is lost in good times, and kept in bad ones."""
    bursts = shape.bursts
    if bursts is not None:
        words = (share(bursts.p), share(bursts.r), share(bursts.h), share(1 - bursts.k))
        yield attribute(5 | _NESTED, attribute(2, struct.pack("=4I", *words)))


def _deviations(shape: Shape) -> tuple[float, bytes]:
    """The jitter to tell, and the table of deviations from the delay in its units."""
    if not shape.jitter_s:
        return 0.0, b""
    normal, mean_s = NormalDist(), shape.delay_s
    deviations_s = [
        draw_s(
            normal.inv_cdf((n + 0.5) / TABLE_ENTRIES), mean_s, shape.jitter_s, shape.distribution
        )
        - mean_s
        for n in range(TABLE_ENTRIES)
    ]
    widest_s = max(map(abs, deviations_s))
    jitter_s = max(shape.jitter_s, widest_s * TABLE_SCALE / TABLE_TOP)
    entries = [round(deviation_s / jitter_s * TABLE_SCALE) for deviation_s in deviations_s]
    return jitter_s, struct.pack(f"={TABLE_ENTRIES}h", *entries)


def tbf(shape: Shape) -> bytes:
    """The options of tbf: a bucket of a shape's capacity, and a bounded queue before it."""
    rate, burst_bytes = _bucket(shape)
    qopt = _ratespec(rate) + bytes(12)
    qopt += struct.pack("=3I", burst_bytes + shape.queue_bytes, _burst_ticks(rate, burst_bytes), 0)
    large = attribute(4, struct.pack("=Q", rate)) if rate > _ALL else b""
    return attribute(1, qopt) + large + attribute(6, struct.pack("=I", burst_bytes))


def htb() -> bytes:
    """The options of htb: whatever passes belongs to the one class there is."""
    return attribute(2, struct.pack("=5I", 3, 10, HTB_CLASS & 0xFFFF, 0, 0))


def htb_class(shape: Shape) -> bytes:
    """The options of htb's class: it has a shape's capacity and borrows none."""
    rate, burst_bytes = _bucket(shape)
    ticks = _burst_ticks(rate, burst_bytes)
    parameters = _ratespec(rate) * 2 + struct.pack("=5I", ticks, ticks, FRAME_BYTES, 0, 0)
    large = b""
    if rate > _ALL:
        wide = struct.pack("=Q", rate)
        large = attribute(6, wide) + attribute(7, wide)
    return attribute(1, parameters) + large


def fifo(shape: Shape) -> bytes:
    """The options of bfifo: the bounded queue before htb's class."""
    return struct.pack("=I", shape.queue_bytes)


def _bucket(shape: Shape) -> tuple[int, int]:
    """Capacity in bytes a second, and how many bytes may pass at once."""
    rate = max(1, round(shape.rate_bytes_per_s or OPEN_RATE_BYTES_PER_S))
    return rate, max(shape.burst_bytes, 2 * FRAME_BYTES, round(rate * BURST_LEAST_S))


def _ratespec(rate: int) -> bytes:
    """A tc_ratespec of an Ethernet: then the kernel asks for no table of times."""
    ethernet = 1
    return struct.pack("=BBHhHI", 0, ethernet, 0, -1, 0, min(rate, _ALL))


def _burst_ticks(rate: int, burst_bytes: int) -> int:
    return min(_ALL, burst_bytes * 1_000_000_000 // rate // TICK_NS)


def _ticks(seconds: float) -> int:
    return min(_ALL, round(seconds * 1e9 / TICK_NS))


# --- requests -------------------------------------------------------------------------------


@dataclass(frozen=True, slots=True)
class Standing:
    """A queueing discipline as it stands: where, and what it has counted."""

    interface_index: int
    handle: int
    parent: int
    kind: str
    packets: int = 0
    size_bytes: int = 0
    queued: int = 0
    drops: int = 0
    requeues: int = 0


class Step(NamedTuple):
    """A discipline or class to be put on an interface, or changed if it is there."""

    what: int
    parent: int
    handle: int
    kind: str
    options: bytes


def plan(shape: Shape, kinds: tuple[str, ...], seed: int) -> list[Step]:
    """What shall stand on an interface, from the root down.

    ``kinds`` are ``netem`` and, below it, ``tbf`` or ``htb``.
    """
    steps = []
    if "netem" in kinds:
        steps.append(Step(NEW_QDISC, ROOT, NETEM, "netem", netem(shape, seed)))
    parent = BELOW_NETEM if "netem" in kinds else ROOT
    if "tbf" in kinds:
        steps.append(Step(NEW_QDISC, parent, TBF, "tbf", tbf(shape)))
    if "htb" in kinds:
        steps += [
            Step(NEW_QDISC, parent, HTB, "htb", htb()),
            Step(NEW_CLASS, HTB, HTB_CLASS, "htb", htb_class(shape)),
            Step(NEW_QDISC, HTB_CLASS, FIFO, "bfifo", fifo(shape)),
        ]
    return steps


def request(step: Step, interface_index: int) -> bytes:
    """The request that performs a step; it is acknowledged.

    Sizes are those of IP packets: the size table takes the Ethernet header off (tc-stab(8)), and
    what stands below the root, which alone can have one, has its sizes from there.
    """
    stab = attribute(1, struct.pack("=BBhiIIII", 0, 0, 0, -ETHERNET_BYTES, 0, 0, 0, 0))
    body = b"".join(
        [
            _TCMSG.pack(0, interface_index, step.handle, step.parent, 0),
            attribute(_KIND, step.kind.encode("ascii") + b"\0"),
            attribute(_OPTIONS, step.options),
            attribute(_STAB | _NESTED, stab) if step.parent == ROOT else b"",
        ]
    )
    flags = _REQUEST | _ACK | _CREATE | (_REPLACE if step.what == NEW_QDISC else 0)
    return _message(step.what, flags, body)


def listing() -> bytes:
    """A request for all queueing disciplines of a namespace."""
    return _message(GET_QDISC, _REQUEST | _DUMP, _TCMSG.pack(0, 0, 0, 0, 0))


def _message(what: int, flags: int, body: bytes) -> bytes:
    return _HEADER.pack(_HEADER.size + len(body), what, flags, 1, 0) + body


# --- answers --------------------------------------------------------------------------------


@dataclass(frozen=True, slots=True)
class Answer:
    """What a datagram from the kernel says: disciplines, an error (0: done), whether it ends."""

    standing: tuple[Standing, ...]
    failure: int
    ends: bool


def answer(datagram: bytes) -> Answer:
    """The messages in a datagram, read."""
    standing, failure, ends = [], 0, False
    for what, body in _messages(datagram):
        if what == _ERROR:
            failure, ends = -struct.unpack_from("=i", body)[0], True
        elif what == _DONE:
            ends = True
        elif what == NEW_QDISC:
            standing.append(_standing(body))
    return Answer(tuple(standing), failure, ends)


def _messages(datagram: bytes) -> Iterator[tuple[int, bytes]]:
    offset = 0
    while offset + _HEADER.size <= len(datagram):
        length, what, *_ = _HEADER.unpack_from(datagram, offset)
        if length < _HEADER.size:
            return
        yield what, datagram[offset + _HEADER.size : offset + length]
        offset += length + -length % 4


def _standing(body: bytes) -> Standing:
    _, index, handle, parent, _ = _TCMSG.unpack_from(body)
    found = dict(attributes(body[_TCMSG.size :]))
    counted = dict(attributes(found.get(_STATS2, b"")))
    size_bytes, packets = struct.unpack_from("=QI", counted.get(1, bytes(12)))
    queued, _, drops, requeues, _ = struct.unpack_from("=5I", counted.get(3, bytes(20)))
    return Standing(
        interface_index=index,
        handle=handle,
        parent=parent,
        kind=found.get(_KIND, b"").rstrip(b"\0").decode("ascii"),
        packets=packets,
        size_bytes=size_bytes,
        queued=queued,
        drops=drops,
        requeues=requeues,
    )


def attributes(data: bytes) -> Iterable[tuple[int, bytes]]:
    """The attributes in a row of them: (type, value)."""
    offset = 0
    while offset + _ATTRIBUTE.size <= len(data):
        length, kind = _ATTRIBUTE.unpack_from(data, offset)
        if length < _ATTRIBUTE.size:
            return
        yield kind & _TYPE, data[offset + _ATTRIBUTE.size : offset + length]
        offset += length + -length % 4
