"""What can be set on a socket: setsockopt(2), socket(7) and tcp(7), with Linux's numbers."""

from __future__ import annotations

import copy
import errno
import struct
from typing import Self, TypeAlias

from harness.fabric.virtual import linux

Value: TypeAlias = int | bytes | bytearray | memoryview

_LINGER = struct.Struct("ii")
_INT = struct.Struct("i")


class Options:
    """The options of one socket; what the simulation has no use for is remembered."""

    __slots__ = (
        "_others",
        "keep_count",
        "keep_idle_s",
        "keep_interval_s",
        "keepalive",
        "linger",
        "receive_bytes",
        "reuse_address",
        "send_bytes",
        "shown_receive_bytes",
        "shown_send_bytes",
        "user_timeout_ms",
    )

    def __init__(self) -> None:
        self.reuse_address = 0
        self.keepalive = 0
        self.keep_idle_s = linux.KEEPIDLE_S
        self.keep_interval_s = linux.KEEPINTVL_S
        self.keep_count = linux.KEEPCNT
        self.user_timeout_ms = 0
        self.linger = (0, 0)
        self.send_bytes = self.shown_send_bytes = linux.SEND_BYTES
        self.receive_bytes = self.shown_receive_bytes = linux.RECEIVE_BYTES
        self._others: dict[tuple[int, int], Value] = {}

    def copied(self) -> Self:
        """The same again, for an accepted connection: it inherits them from its listener."""
        twin = copy.copy(self)
        twin._others = dict(self._others)  # noqa: SLF001 - one of us
        return twin

    @property
    def lingers_not(self) -> bool:
        """Whether close() sends RST: a linger time of zero (socket(7))."""
        return self.linger[0] != 0 and self.linger[1] == 0

    def set(self, level: int, option: int, value: Value) -> None:
        """Set one; OSError EINVAL if the value makes no sense."""
        if (level, option) == (linux.SOL_SOCKET, linux.SO_LINGER):
            self.linger = _unpack_linger(value)
            return
        name = _NAMES.get((level, option))
        if name is None and (level, option) not in _BUFFERS:
            self._others[level, option] = value
            return
        number = value if isinstance(value, int) else _unpack_int(value)
        if name is not None:
            if number < _LEAST.get(name, 0):
                raise linux.error(errno.EINVAL)
            setattr(self, name, number)
        elif option == linux.SO_SNDBUF:
            self.send_bytes = _bounded(number, linux.SEND_BYTES_MIN)
            self.shown_send_bytes = 2 * self.send_bytes
        else:
            self.receive_bytes = _bounded(number, linux.RECEIVE_BYTES_MIN)
            self.shown_receive_bytes = 2 * self.receive_bytes

    def get(self, level: int, option: int, buflen: int) -> int | bytes:
        """One option's value; 0 or zeros if it was never set and means nothing here."""
        key = (level, option)
        value: Value
        if key == (linux.SOL_SOCKET, linux.SO_LINGER):
            value = _LINGER.pack(*self.linger) if buflen else self.linger[0]
        elif key in _BUFFERS:
            value = getattr(self, _BUFFERS[key])
        elif key in _NAMES:
            value = getattr(self, _NAMES[key])
        else:
            value = self._others.get(key, 0)
        return _as_asked(value, buflen)


_NAMES = {
    (linux.SOL_SOCKET, linux.SO_REUSEADDR): "reuse_address",
    (linux.SOL_SOCKET, linux.SO_KEEPALIVE): "keepalive",
    (linux.IPPROTO_TCP, linux.TCP_KEEPIDLE): "keep_idle_s",
    (linux.IPPROTO_TCP, linux.TCP_KEEPINTVL): "keep_interval_s",
    (linux.IPPROTO_TCP, linux.TCP_KEEPCNT): "keep_count",
    (linux.IPPROTO_TCP, linux.TCP_USER_TIMEOUT): "user_timeout_ms",
}
_BUFFERS = {
    (linux.SOL_SOCKET, linux.SO_SNDBUF): "shown_send_bytes",
    (linux.SOL_SOCKET, linux.SO_RCVBUF): "shown_receive_bytes",
}
_LEAST = {"keep_idle_s": 1, "keep_interval_s": 1, "keep_count": 1, "reuse_address": -(2**31)}


def _bounded(size_bytes: int, least_bytes: int) -> int:
    return min(max(size_bytes, least_bytes), linux.BUFFER_BYTES_MAX)


def _unpack_linger(value: Value) -> tuple[int, int]:
    if isinstance(value, int) or len(value) < _LINGER.size:
        raise linux.error(errno.EINVAL)
    switch, seconds = _LINGER.unpack_from(value)
    return int(switch), int(seconds)


def _unpack_int(value: bytes | bytearray | memoryview) -> int:
    if len(value) < _INT.size:
        raise linux.error(errno.EINVAL)
    return int(_INT.unpack_from(value)[0])


def _as_asked(value: Value, buflen: int) -> int | bytes:
    if not buflen:
        return value if isinstance(value, int) else int.from_bytes(value[: _INT.size], "little")
    raw = _INT.pack(value) if isinstance(value, int) else bytes(value)
    return raw.ljust(buflen, b"\0")[:buflen]
