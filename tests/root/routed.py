"""Namespaces whose packets all pass a packet router, and sockets in them."""

import errno
import socket
import struct
from contextlib import asynccontextmanager, closing, contextmanager
from pathlib import Path

import trio

from harness.errors import SetupError
from harness.fabric.netns import plan
from harness.fabric.netns.layout import PROXY, layout
from harness.fabric.netns.namespaces import Namespaces
from harness.fabric.netns.netlink import Netlink
from harness.fabric.netns.router import PacketRouter
from harness.fabric.netns.tun import Tun
from harness.fabric.timers import open_timers
from harness.scenario.model import Topology

PATIENCE_S = 20.0
SHORT_S = 0.3
CLIENT = "client-1"
ALL_IP = socket.htons(0x0800)
COUNTERS = Path("/proc/thread-self/net/snmp")


class Routed:
    """What stands while ``routed`` runs; ``packets`` are those that its filter was asked about."""

    def __init__(self, place, spaces, netlink, router):
        self.place = place
        self.spaces = spaces
        self.netlink = netlink
        self.router = router
        self.packets = []
        self.decide = None
        self._opened = []
        router.filter = self._ask

    def _ask(self, packet, now):
        self.packets.append(packet)
        return None if self.decide is None else self.decide(packet)

    def of(self, kind, direction):
        return [p for p in self.packets if (p.kind, p.direction) == (kind, direction)]

    def socket(self, host):
        sock = self.spaces.socket(host, socket.AF_INET, socket.SOCK_STREAM)
        sock.setsockopt(socket.IPPROTO_TCP, socket.TCP_NODELAY, 1)
        return self._kept(trio.socket.from_stdlib_socket(sock))

    def _kept(self, sock):
        self._opened.append(sock)
        return sock

    async def listen(self, host=PROXY):
        sock = self.socket(host)
        await sock.bind((self.place.address_of(host), 0))
        sock.listen(10)
        return sock

    async def dial(self, listener, host=CLIENT):
        sock = self.socket(host)
        await sock.connect(listener.getsockname())
        return sock

    async def pair(self):
        listener = await self.listen()
        client = await self.dial(listener)
        server = self._kept((await listener.accept())[0])
        server.setsockopt(socket.IPPROTO_TCP, socket.TCP_NODELAY, 1)
        return client, server

    def counter(self, host, name):
        with self.spaces.inside(host):
            lines = COUNTERS.read_text().splitlines()
        names, values = (line.split() for line in lines if line.startswith("Tcp:"))
        return int(values[names.index(name)])

    @contextmanager
    def wire(self, host):
        """TCP packets that reach a host, as (flags, seq, payload), once it is called."""
        with self.spaces.socket(host, socket.AF_PACKET, socket.SOCK_DGRAM, ALL_IP) as sock:
            sock.setblocking(False)
            yield lambda: [_tcp(raw) for raw in _received(sock)]

    def close(self):
        for sock in self._opened:
            sock.close()


def _received(sock):
    while True:
        try:
            raw, address = sock.recvfrom(4096)
        except BlockingIOError:
            return
        if address[2] != socket.PACKET_OUTGOING and raw[9] == socket.IPPROTO_TCP:
            yield raw


def _tcp(raw):
    start = (raw[0] & 15) * 4
    (seq,) = struct.unpack_from("!I", raw, start + 4)
    return raw[start + 13], seq, raw[start + (raw[start + 12] >> 4) * 4 :]


def why_not():
    """Why there can't be a packet router here, or empty."""
    try:
        with Namespaces(["router-1"]) as spaces, spaces.inside("router-1"):
            Tun.opened("tun0").close()
    except SetupError as error:
        return f"needs network namespaces and a TUN device: {error}"
    return ""


@asynccontextmanager
async def routed(decide=None, **topology):
    """Hosts whose packets all pass a packet router, where they meet what ``decide`` says."""
    place = layout(Topology(**topology), ["blue"])
    with Namespaces((*place.routers, *place.hosts)) as spaces:
        netlink = Netlink(spaces)
        netlink.perform(plan.building(place))
        async with open_timers() as timers:
            router = PacketRouter(spaces, place, timers.call_at)
            async with router.running():
                netlink.perform(plan.divert(place))
                with closing(Routed(place, spaces, netlink, router)) as run:
                    run.decide = decide
                    with trio.fail_after(PATIENCE_S):
                        yield run


async def read(sock, count):
    data = b""
    while len(data) < count and (more := await sock.recv(count - len(data))):
        data += more
    return data


async def outcome(call):
    """The errno's name that an awaitable ends with, or its result."""
    try:
        return await call
    except OSError as error:
        return errno.errorcode[error.errno]


async def until(condition):
    while not condition():  # noqa: ASYNC110 - what is waited for is in a kernel
        await trio.sleep(0.002)


async def stream(sender, receiver, data):
    async with trio.open_nursery() as nursery:
        nursery.start_soon(sender_of(sender, data))
        return await read(receiver, len(data))


def sender_of(sock, data):
    async def send():
        with memoryview(data) as left:
            sent = 0
            while sent < len(left):
                sent += await sock.send(left[sent:])

    return send


async def nothing_comes(sock):
    with trio.move_on_after(SHORT_S) as scope:
        await sock.recv(1)
    return scope.cancelled_caught
