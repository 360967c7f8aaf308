"""What is heard of the client's sockets, from a witness here or from the client's own process."""

from __future__ import annotations

from collections.abc import Callable

import trio

from harness.history import Dialed, Event, LeakReported, SocketClosed
from harness.worker.messages import LeakTold, News, SocketDialed, SocketGone


class Wire:
    """Writes down what client sockets do, and knows which of them are open.

    ``on_refused`` is told the instant of each connect that was refused, ``on_no_port`` of each
    that its own host had no port for.
    """

    def __init__(
        self,
        tell: Callable[[Event], None],
        at_s: Callable[[], float],
        on_refused: Callable[[float], None],
        on_no_port: Callable[[float], None],
    ) -> None:
        self.open_ports: set[int] = set()
        self.lost = 0
        self.is_silent = True
        self._tell = tell
        self._at_s = at_s
        self._on_failed = {"refused": on_refused, "no_port": on_no_port}

    def on_dialed(self, port: int, outcome: str, began: float) -> None:
        """A socket has connected, or not."""
        now = trio.current_time()
        self.is_silent = False
        self._tell(Dialed(at_s=self._at_s(), local_port=port, outcome=outcome, took_s=now - began))
        if outcome == "ok":
            self.open_ports.add(port)
        elif outcome in self._on_failed:
            self._on_failed[outcome](now)

    def on_closed(self, port: int) -> None:
        """A socket that was connected is closed."""
        self.open_ports.discard(port)
        self._tell(SocketClosed(at_s=self._at_s(), local_port=port))

    def on_lost(self, port: int) -> None:
        """A socket was closed by nobody but the garbage collector."""
        self.on_closed(port)
        self.lost += 1

    def on_leak_reported(self, where: str) -> None:
        """The client's pool says itself that a connection was not given back."""
        # Without the folders above: the same run has the same history on any machine.
        place = "/".join(where.replace("\\", "/").split("/")[-2:])
        self._tell(LeakReported(at_s=self._at_s(), where=place))

    def on_news(self, news: News) -> None:
        """What a client in another process tells of itself."""
        match news:
            case SocketDialed():
                began = trio.current_time() - news.took_s
                self.on_dialed(news.local_port, news.outcome, began)
            case SocketGone(lost=True):
                self.on_lost(news.local_port)
            case SocketGone():
                self.on_closed(news.local_port)
            case LeakTold():
                self.on_leak_reported(news.where)
            case _:
                pass

    def on_call_failed(self, kind: str) -> None:
        """Of a client that doesn't tell when it connects, this is all that is heard of it."""
        if self.is_silent and kind in self._on_failed:
            self._on_failed[kind](trio.current_time())
