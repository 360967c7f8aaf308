"""A network driven by hand, and what went over its wires."""

from __future__ import annotations

import errno
import math
from collections.abc import Callable

from harness.fabric.virtual.linux import SO_ERROR, SOL_SOCKET
from harness.fabric.virtual.network import Network
from harness.fabric.virtual.socket import Socket
from harness.packet import DROPPED, Fate, Packet, PacketKind

SERVER = ("127.0.0.1", 8000)
EVENTS_MAX = 20_000


class Tap:
    """A filter that writes down each packet and asks a rule for its fate."""

    def __init__(
        self, network: Network, rule: Callable[[Packet, float], Fate | None] | None = None
    ):
        self.seen: list[tuple[float, Packet]] = []
        self.rule = rule or (lambda packet, now: None)
        network.filter = self.ask

    def ask(self, packet: Packet, now: float) -> Fate | None:
        self.seen.append((now, packet))
        return self.rule(packet, now)

    def instants(self, kind: PacketKind) -> list[float]:
        return [round(now, 6) for now, packet in self.seen if packet.kind is kind]

    def kinds(self) -> list[str]:
        return [packet.kind.value for _, packet in self.seen]


def drop_all(packet: Packet, now: float) -> Fate:
    return DROPPED


def listening(network: Network, backlog: int = 16) -> Socket:
    sock = Socket(network)
    sock.bind(SERVER)
    sock.listen(backlog)
    return sock


def dialing(network: Network) -> Socket:
    """A socket that dials the server; whether it is through is its own affair."""
    sock = Socket(network)
    assert outcome(lambda: sock.connect(SERVER)) in {None, "EINPROGRESS"}
    return sock


def connected(network: Network) -> tuple[Socket, Socket]:
    """A client and the server's end of its connection; the listener is closed."""
    listener = listening(network)
    client = dialing(network)
    run(network, lambda: listener.readable)
    server, _ = listener.accept()
    run(network, lambda: client.writable)
    listener.close()
    return client, server


def run(
    network: Network, until: Callable[[], bool] = lambda: False, limit: float = math.inf
) -> None:
    """Let time pass until a condition holds, the limit is reached or nothing is due."""
    for _ in range(EVENTS_MAX):
        if until() or (due := network.next_due()) == math.inf or due > limit:
            break
        network.run_until(due)
    else:
        raise AssertionError("the network never comes to rest")
    if limit < math.inf and not until():
        network.run_until(limit)


def error_of(sock: Socket) -> str:
    """The pending error, by name."""
    return errno.errorcode.get(sock.getsockopt(SOL_SOCKET, SO_ERROR), "none")


def outcome(call: Callable[[], object]) -> object:
    """What a call returns, or the name of its errno."""
    try:
        return call()
    except OSError as error:
        return errno.errorcode[error.errno]


def drained(sock: Socket, into: bytearray, limit_bytes: int = 1 << 16) -> bool:
    """Read all there is; whether the stream has ended."""
    while True:
        try:
            taken = sock.recv(limit_bytes)
        except BlockingIOError:
            return False
        if not taken:
            return True
        into += taken
