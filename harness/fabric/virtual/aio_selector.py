"""A selector that never waits: it tells which sockets are ready, and notes how long it may rest.

Sockets are reported in the order in which they became ready, never in that of a set or of their
descriptors, so that the same run makes the same callbacks in the same order.
"""

from __future__ import annotations

import selectors
import weakref
from collections.abc import Callable, Mapping
from typing import Any, Final

from harness.fabric.virtual.aio_socket import AioSocket, Keeper

READ: Final = selectors.EVENT_READ
WRITE: Final = selectors.EVENT_WRITE


class ReadySelector(selectors.BaseSelector, Keeper):
    """What an event loop polls instead of epoll.

    ``on_select`` is called at every poll; ``on_wake`` when a socket may have become ready.
    """

    def __init__(self) -> None:
        self.on_select: Callable[[], None] = lambda: None
        self.on_wake: Callable[[], None] = lambda: None
        self.idle = False
        self.rest_s: float | None = None
        self._keys: dict[int, selectors.SelectorKey] = {}
        self._sockets: dict[int, weakref.ref[AioSocket]] = {}
        self._hot: dict[int, None] = {}

    # --- selectors.BaseSelector -----------------------------------------------------------------

    def register(self, fileobj: Any, events: int, data: Any = None) -> selectors.SelectorKey:
        """Watch a socket; ValueError if it is none of the virtual network."""
        fd = _fd(fileobj)
        if fd in self._keys:
            raise KeyError(f"descriptor {fd} is watched already")
        if fd not in self._sockets:
            raise ValueError(f"descriptor {fd} is no socket of the virtual network")
        return self._watch(selectors.SelectorKey(fileobj, fd, events, data))

    def modify(self, fileobj: Any, events: int, data: Any = None) -> selectors.SelectorKey:
        """Watch for something else."""
        fd = self._keys[_fd(fileobj)].fd
        return self._watch(selectors.SelectorKey(fileobj, fd, events, data))

    def unregister(self, fileobj: Any) -> selectors.SelectorKey:
        """Watch it no longer."""
        fd = _fd(fileobj)
        self._hot.pop(fd, None)
        return self._keys.pop(fd)

    def get_key(self, fileobj: Any) -> selectors.SelectorKey:
        """What is watched for; KeyError if nothing is."""
        return self._keys[_fd(fileobj)]

    def get_map(self) -> Mapping[Any, selectors.SelectorKey]:
        """All that is watched, by descriptor."""
        return self._keys

    def select(self, timeout: float | None = None) -> list[tuple[selectors.SelectorKey, int]]:
        """What is ready now; ``idle`` tells that there is nothing to do for ``rest_s``."""
        self.on_select()
        ready = []
        for fd in list(self._hot):
            key = self._keys[fd]
            mask = self._mask(fd, key.events)
            if mask:
                ready.append((key, mask))
            else:
                del self._hot[fd]
        self.idle = not ready and (timeout is None or timeout > 0)
        self.rest_s = timeout
        return ready

    def close(self) -> None:
        """Watch nothing any longer."""
        self._keys.clear()
        self._hot.clear()

    # --- Keeper ---------------------------------------------------------------------------------

    def keep(self, fd: int, sock: AioSocket) -> None:
        """A socket has got a descriptor."""
        self._sockets[fd] = weakref.ref(sock)

    def forget(self, fd: int) -> None:
        """A socket has given its descriptor back: it is ready for nothing any more."""
        self._sockets.pop(fd, None)
        self._hot.pop(fd, None)

    def changed(self, fd: int) -> None:
        """A socket may have become ready."""
        if fd in self._keys and fd in self._sockets:
            self._hot.setdefault(fd)
            self.on_wake()

    # --- inside ---------------------------------------------------------------------------------

    def _watch(self, key: selectors.SelectorKey) -> selectors.SelectorKey:
        self._keys[key.fd] = key
        if key.fd in self._sockets:
            self._hot.setdefault(key.fd)
        return key

    def _mask(self, fd: int, events: int) -> int:
        sock = self._sockets[fd]()
        if sock is None:
            return 0
        mask = events & READ if sock.readable else 0
        return mask | (events & WRITE if sock.writable else 0)


def _fd(fileobj: Any) -> int:
    return fileobj if isinstance(fileobj, int) else int(fileobj.fileno())
