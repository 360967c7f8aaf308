"""Tries for real what this machine lets us do with networks, in a throw-away one of its own.

Run as a file, with the standard library alone: it begins at once. It says what it found in a line
of JSON on stdout (``way``, or ``failed`` with ``number``, an errno; what could be done; why not
what couldn't) and ends, and everything it made is gone with it. It never touches the network in
which it was started. Modules are loaded by the kernel itself where it does so for whoever asks,
and by nobody else.
"""

from __future__ import annotations

import ctypes
import errno
import fcntl
import json
import os
import socket
import struct
import sys
from collections.abc import Callable
from itertools import count
from pathlib import Path

CLONE_NEWUSER, CLONE_NEWNET = 0x10000000, 0x40000000
CAP_NET_ADMIN, CAP_SYS_ADMIN = 12, 21
WANTED = 1 << CAP_NET_ADMIN | 1 << CAP_SYS_ADMIN
NS_GET_USERNS = 0xB701
SIOCSIFFLAGS, IFF_UP = 0x8914, 0x1
TUNSETIFF, IFF_TUN, IFF_NO_PI = 0x400454CA, 0x0001, 0x1000
REQUEST, ACK, REPLACE, CREATE = 0x1, 0x4, 0x100, 0x400
NEW_QDISC = 36
ERROR = 2
SOCK_DIAG, SOCK_DESTROY = 4, 21
NETFILTER, BATCH_BEGIN, BATCH_END = 12, 0x10, 0x11
NFTABLES = 10
NEW_TABLE, NEW_CHAIN, NEW_RULE = 0, 3, 6
ROOT = 0xFFFFFFFF
ETHERNET = 1
LOOPBACK_INDEX = 1
REPLY_LIMIT_S = 5.0
REPLY_LIMIT_BYTES = 65_536
_HEADER = struct.Struct("=IHHII")
_NESTED = 0x8000
_PROC = Path("/proc/self")
_numbers = count(1)


class StepError(Exception):
    """A step on the way into a network of our own failed: which one, with which errno."""

    def __init__(self, step: str, number: int) -> None:
        super().__init__(step, number)
        self.step, self.number = step, number


def main() -> int:
    """Print what could be done; always 0."""
    found: dict[str, object] = {}
    try:
        found["way"] = enter()
    except StepError as error:
        found |= {"way": "", "failed": error.step, "number": error.number}
    else:
        why: dict[str, str] = {}
        for name, attempt in ATTEMPTS.items():
            try:
                found[name] = attempt()
            except OSError as error:
                found[name] = False
                why[name] = errno.errorcode.get(error.errno or 0, "") or str(error)
        found["why"] = why
    sys.stdout.write(json.dumps(found) + "\n")
    return 0


# --- the way in -----------------------------------------------------------------------------


def enter() -> str:
    """Be in a network of our own: ``root``, or ``user namespace`` if it took one to get there.

    Raises StepError.
    """
    way = "root" if _is_first_user_namespace() else "user namespace"
    if not (_capable() and _owns_its_network()):
        way = "user namespace"
        _enter_user_namespace()
    _unshare(CLONE_NEWNET, "net")
    try:
        with socket.socket(socket.AF_INET, socket.SOCK_DGRAM) as asking:
            fcntl.ioctl(asking, SIOCSIFFLAGS, struct.pack("16sH22x", b"lo", IFF_UP))
    except OSError as error:
        raise StepError("lo", error.errno or 0) from error
    _write("sysctl", Path("/proc/sys/net/ipv4/ip_forward"), "1")
    return way


def _enter_user_namespace() -> None:
    uid, gid = os.geteuid(), os.getegid()
    _unshare(CLONE_NEWUSER, "user")
    _write("map", _PROC / "setgroups", "deny")
    _write("map", _PROC / "uid_map", f"{uid} {uid} 1")
    _write("map", _PROC / "gid_map", f"{gid} {gid} 1")


def _unshare(flags: int, step: str) -> None:
    libc = ctypes.CDLL(None, use_errno=True)
    if libc.unshare(flags) != 0:
        raise StepError(step, ctypes.get_errno())


def _write(step: str, path: Path, text: str) -> None:
    try:
        path.write_text(text, encoding="ascii")
    except OSError as error:
        raise StepError(step, error.errno or 0) from error


def _is_first_user_namespace() -> bool:
    try:
        return (_PROC / "uid_map").read_text(encoding="ascii").split() == ["0", "0", "4294967295"]
    except OSError:
        return True


def _capable() -> bool:
    for line in (_PROC / "status").read_text(encoding="utf-8", errors="replace").splitlines():
        if line.startswith("CapEff:"):
            return int(line.split()[1], 16) & WANTED == WANTED
    return False


def _owns_its_network() -> bool:
    """Whether a thread that leaves this network may come back: the owner is one of ours."""
    network = os.open(_PROC / "ns" / "net", os.O_RDONLY | os.O_CLOEXEC)
    try:
        os.close(fcntl.ioctl(network, NS_GET_USERNS))
    except OSError:
        return False
    finally:
        os.close(network)
    return True


# --- what can be done there -----------------------------------------------------------------


def try_netem() -> bool:
    """Whether the loopback takes netem; its options begin with struct tc_netem_qopt."""
    limit_packets = 10
    _shape("netem", struct.pack("=IIIIII", 0, limit_packets, 0, 0, 0, 0))
    return True


def try_tbf() -> bool:
    """Whether the loopback takes a token bucket: struct tc_tbf_qopt."""
    rate = struct.pack("=BBHhHI", 0, ETHERNET, 0, -1, 0, 125_000)
    options = rate + bytes(12) + struct.pack("=III", 10_000, 10_000, 2_000)
    _shape("tbf", _attribute(1, options))
    return True


def try_htb() -> bool:
    """Whether the loopback takes a hierarchy of them: struct tc_htb_glob."""
    version, quantum = 3, 10
    _shape("htb", _attribute(2, struct.pack("=IIIII", version, quantum, 1, 0, 0)))
    return True


def _shape(kind: str, options: bytes) -> None:
    """Put a queueing discipline at the loopback's root; raises OSError if it isn't there."""
    message = struct.pack("=BxxxiIII", 0, LOOPBACK_INDEX, 0, ROOT, 0)
    message += _attribute(1, kind.encode() + b"\0") + _attribute(2, options)
    _ask(socket.NETLINK_ROUTE, NEW_QDISC, CREATE | REPLACE | ACK, message)


def try_nft() -> bool:
    """Whether a table can be made."""
    _nft(_table())
    return True


def try_conntrack() -> bool:
    """Whether a rule can look at the state of connections."""
    name = _attribute(1, b"probe\0")
    chain = (NEW_CHAIN, name + _attribute(3, b"all\0"))
    loads = _attribute(1, struct.pack("!I", 1)) + _attribute(2, struct.pack("!I", 0))
    state = _attribute(1, b"ct\0") + _attribute(2 | _NESTED, loads)
    rule = name + _attribute(2, b"all\0") + _attribute(4 | _NESTED, _attribute(1 | _NESTED, state))
    _nft(_table(), chain, (NEW_RULE, rule))
    return True


def _table() -> tuple[int, bytes]:
    return NEW_TABLE, _attribute(1, b"probe\0")


def _nft(*commands: tuple[int, bytes]) -> None:
    """Perform commands as one batch; raises OSError for the first that fails."""
    family = struct.pack("!BBH", socket.AF_INET, 0, 0)
    edge = struct.pack("!BBH", socket.AF_UNSPEC, 0, NFTABLES)
    batch = _message(BATCH_BEGIN, 0, edge)
    for command, attributes in commands:
        flags = CREATE | (ACK if (command, attributes) == commands[-1] else 0)
        batch += _message(NFTABLES << 8 | command, flags, family + attributes)
    _exchange(NETFILTER, batch + _message(BATCH_END, 0, edge))


def try_tun() -> bool:
    """Whether a TUN device can be made."""
    device = os.open("/dev/net/tun", os.O_RDWR | os.O_CLOEXEC)
    try:
        fcntl.ioctl(device, TUNSETIFF, struct.pack("16sH22x", b"probe", IFF_TUN | IFF_NO_PI))
    finally:
        os.close(device)
    return True


def try_sock_destroy() -> bool:
    """Whether the kernel destroys a connected socket when asked: struct inet_diag_req_v2."""
    with socket.socket() as listener, socket.socket() as client:
        listener.bind(("127.0.0.1", 0))
        listener.listen(1)
        client.settimeout(REPLY_LIMIT_S)
        client.connect(listener.getsockname())
        ends = [client.getsockname(), client.getpeername()]
        ports = struct.pack("!HH", *(port for _, port in ends))
        hosts = b"".join(socket.inet_aton(host) + bytes(12) for host, _ in ends)
        any_state, no_cookie = 0xFFFFFFFF, 0xFFFFFFFF
        request = struct.pack("=BBBxI", socket.AF_INET, socket.IPPROTO_TCP, 0, any_state)
        request += ports + hosts + struct.pack("=III", 0, no_cookie, no_cookie)
        _ask(SOCK_DIAG, SOCK_DESTROY, ACK, request)
        return client.getsockopt(socket.SOL_SOCKET, socket.SO_ERROR) == errno.ECONNABORTED


ATTEMPTS: dict[str, Callable[[], bool]] = {
    "netem": try_netem,
    "tbf": try_tbf,
    "htb": try_htb,
    "nft": try_nft,
    "conntrack": try_conntrack,
    "tun": try_tun,
    "sock_destroy": try_sock_destroy,
}


# --- netlink(7) -----------------------------------------------------------------------------


def _attribute(kind: int, payload: bytes) -> bytes:
    size = 4 + len(payload)
    return struct.pack("=HH", size, kind) + payload + bytes(-size % 4)


def _message(kind: int, flags: int, payload: bytes) -> bytes:
    number = next(_numbers)
    return _HEADER.pack(_HEADER.size + len(payload), kind, REQUEST | flags, number, 0) + payload


def _ask(family: int, kind: int, flags: int, payload: bytes) -> None:
    _exchange(family, _message(kind, flags, payload))


def _exchange(family: int, request: bytes) -> None:
    """Send a request and wait for its acknowledgement; raises OSError if it is refused."""
    with socket.socket(socket.AF_NETLINK, socket.SOCK_RAW, family) as sock:
        sock.settimeout(REPLY_LIMIT_S)
        sock.send(request)
        while True:
            reply = sock.recv(REPLY_LIMIT_BYTES)
            while reply:
                size, kind, _, _, _ = _HEADER.unpack_from(reply)
                if kind == ERROR:
                    (failure,) = struct.unpack_from("=i", reply, _HEADER.size)
                    if failure:
                        raise OSError(-failure, os.strerror(-failure))
                    return
                reply = reply[(size + 3) & ~3 :]


if __name__ == "__main__":
    sys.exit(main())
