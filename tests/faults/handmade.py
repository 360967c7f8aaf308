"""Packets made by hand, and what a policy makes of them."""

from __future__ import annotations

from typing import Any

from harness.faults import all_faults
from harness.packet import Fate, Flow, Packet, PacketKind
from harness.timeline import Direction, Draws, Side

UP, DOWN = Direction.UPSTREAM, Direction.DOWNSTREAM
SYN, SYN_ACK, DATA, ACK, FIN, RST = PacketKind
SERVER = ("10.0.0.9", 80)


def flow(port: int = 40_000, side: Side = Side.CLIENT, host: str = "10.0.0.1") -> Flow:
    return Flow((host, port), SERVER, side)


def packet(kind: PacketKind = DATA, at: Flow | None = None, **fields: Any) -> Packet:
    """A packet upstream on a flow, unless said otherwise."""
    fields.setdefault("direction", UP)
    return Packet(kind, flow() if at is None else at, **fields)


def policy(name: str, *, seed: int = 0, began: float = 0.0, **fields: Any) -> Any:
    """A packet fault at work."""
    return all_faults()[name](**fields).policy(Draws(seed), began)


def fates(made: Any, *packets: Packet, now: float = 0.0) -> list[Fate | None]:
    return [made.on_packet(each, now) for each in packets]


def stream(count: int, at: Flow | None = None, size_bytes: int = 1000) -> list[Packet]:
    """A stream upstream, without losses."""
    return [packet(DATA, at, offset=n * size_bytes, size_bytes=size_bytes) for n in range(count)]
