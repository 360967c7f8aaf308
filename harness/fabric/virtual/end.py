"""One end of a TCP connection: its states, and what each segment, call and timer does to it.

This is the part that Linux calls ``sk``; what a program holds is ``socket.Socket``. States and
transitions are those of RFC 9293, section 3.3.2; what a program sees of them (errno, readiness,
what close() sends) is Linux's, found out by running the same programs on both (``tests/arms``).

Rules worth knowing:

- An error is told once: by the next call or by SO_ERROR. Bytes that came before a RST can still
  be read, and only then comes the error.
- After the peer's FIN and then its RST, reading goes on to say "end", writing says EPIPE.
- close() with unread bytes sends RST (RFC 1122, section 4.2.2.13), and so does data that arrives
  once nobody can read it.
- Simultaneous open is left out, and any RST of the same connection is believed (no RFC 5961).
"""

from __future__ import annotations

import errno
from typing import Protocol

from harness.fabric.virtual import linux
from harness.fabric.virtual.incoming import Incoming
from harness.fabric.virtual.options import Options
from harness.fabric.virtual.ports import Claim
from harness.fabric.virtual.segment import Segment
from harness.fabric.virtual.states import (
    BOTH,
    ON_CLOSE,
    ON_FIN,
    ON_FIN_ACKED,
    OPENING,
    RECEIVE,
    RESET_ERRORS,
    SEND,
    WORTH_A_RESET,
    State,
)
from harness.fabric.virtual.talker import Carrier, Talker
from harness.packet import Flow, PacketKind, Refusal
from harness.timeline import Direction

_CLOSED, _SYN_SENT, _SYN_RECEIVED = State.CLOSED, State.SYN_SENT, State.SYN_RECEIVED
_ESTABLISHED, _CLOSE_WAIT = State.ESTABLISHED, State.CLOSE_WAIT
_FIN_WAIT_1, _FIN_WAIT_2 = State.FIN_WAIT_1, State.FIN_WAIT_2
_DATA, _ACK, _FIN, _RST = PacketKind.DATA, PacketKind.ACK, PacketKind.FIN, PacketKind.RST
_SYN, _SYN_ACK = PacketKind.SYN, PacketKind.SYN_ACK


class Medium(Carrier, Protocol):
    """What an end asks of the network."""

    def other_end(self, end: End) -> End | None:
        """The end that this one is connected to, if it is still there."""

    def admit(self, end: End) -> bool:
        """Queue a new connection for accept(); False if there is no room."""

    def linger(self, end: End) -> None:
        """Keep an end that waits for nothing but stragglers for a while."""

    def retire(self, end: End, *, knows_stragglers: bool) -> None:
        """Forget an end that is over, at once or after TIME-WAIT."""


class End(Talker):
    """One end of a connection, or of none yet."""

    __slots__ = ("_medium", "claim", "done_reading", "error", "lingers_until")

    def __init__(self, medium: Medium, options: Options) -> None:
        super().__init__(medium, options)
        self._medium = medium
        self.error = 0
        self.done_reading = False
        """FIN has come, so reading never tells an error again."""
        self.claim: Claim | None = None
        """The port it keeps from others as long as it lives."""
        self.lingers_until = 0.0
        """Kept by the network: when to forget an end that waits for stragglers only."""

    # --- opening ----------------------------------------------------------------------------

    def dial(self, flow: Flow) -> None:
        """Send SYN."""
        self.flow, self.direction = flow, Direction.UPSTREAM
        self.incoming = Incoming(self.options.receive_bytes)
        self.state = State.SYN_SENT
        self.alarms.handshake(linux.SYN_INSTANTS_S)
        self._transmit(_SYN)

    def answer(self, syn: Segment) -> None:
        """Send SYN-ACK."""
        self.flow, self.direction = syn.flow, Direction.DOWNSTREAM
        self.state = State.SYN_RECEIVED
        self.outgoing.edge = syn.edge
        self.alarms.handshake(linux.SYN_ACK_INSTANTS_S)
        self._transmit(_SYN_ACK, echo=syn.sent_at)

    def _become_established(self, segment: Segment) -> None:
        self.state = State.ESTABLISHED
        self.alarms.established()
        self._measure(segment)
        self.outgoing.edge = max(self.outgoing.edge, segment.edge)
        other = self._medium.other_end(self)
        if other is not None and other.state is _ESTABLISHED:
            self.peer, other.peer = other, self
        self.watch_life()

    def watch_life(self) -> None:
        """Start what timers an open connection needs where packets may be lost."""
        if self._medium.lossy and self.state is not _CLOSED and self.state not in OPENING:
            self.alarms.watch()
            self.alarms.keep_alive()

    def catch_up(self) -> None:
        """Ask for the window, whose opening may have been lost, now that nothing is lost."""
        if self.outgoing.unsent_bytes and not self.awaits:
            self.probe()

    def options_changed(self) -> None:
        """Take buffer sizes and keepalive as they are set now."""
        self.outgoing.limit_bytes = self.options.send_bytes
        self.incoming.limit_bytes = self.options.receive_bytes
        if self.claim is not None:
            self.claim.reuse = bool(self.options.reuse_address)
        self.watch_life()

    # --- what a program asks for ------------------------------------------------------------

    def send(self, data: bytes | bytearray | memoryview) -> int:
        """How many bytes were taken; the errors are those of the system call."""
        state = self.state
        if (state is not _ESTABLISHED and state is not _CLOSE_WAIT) or self.error or self.shut & 2:
            raise self._send_error()
        size_bytes = len(data)
        outgoing = self.outgoing
        room = outgoing.limit_bytes - len(outgoing.kept)
        if room <= 0 and size_bytes:
            raise linux.would_block()
        if not outgoing.kept:
            taken = self._push(data, size_bytes)
            if taken == size_bytes:
                return taken
            data, size_bytes = memoryview(data)[taken:], size_bytes - taken
        else:
            taken = 0
        if size_bytes > room:
            data, size_bytes = memoryview(data)[:room], room
        outgoing.write(data)
        self._flush()
        return taken + size_bytes

    def _send_error(self) -> OSError:
        if not self.error and self.state in OPENING:
            return linux.would_block()
        return linux.error(self.take_error() or errno.EPIPE)

    def receive(self, limit_bytes: int, *, peek: bool = False) -> bytes:
        """Bytes, or none at the end; the errors are those of the system call."""
        incoming = self.incoming
        if not incoming.unread:
            self._check_receivable()
            return b""
        if peek:
            return incoming.peek(limit_bytes)
        taken = incoming.take(limit_bytes)
        self._open_window()
        return taken

    def _check_receivable(self) -> None:
        """Return at the end of the stream, raise otherwise."""
        if self.done_reading:
            return
        if self.error:
            raise linux.error(self.take_error())
        if self.shut & RECEIVE:
            return
        raise linux.error(errno.ENOTCONN) if self.state is _CLOSED else linux.would_block()

    def take_error(self) -> int:
        """The pending error, which is gone then; 0 if none."""
        code, self.error = self.error, 0
        return code

    @property
    def readable(self) -> bool:
        """POLLIN, POLLHUP or POLLERR of poll(2)."""
        if self.incoming.unread and self.state is not _SYN_SENT:
            return True
        return bool(self.error or self.shut & RECEIVE) or self.state is _CLOSED

    @property
    def writable(self) -> bool:
        """POLLOUT, POLLHUP or POLLERR of poll(2)."""
        if self.error or self.shut == BOTH or self.state is _CLOSED:
            return True
        if self.state is _SYN_SENT or self.state is _SYN_RECEIVED:
            return False
        return bool(self.shut & SEND) or self.outgoing.writable()

    def shut_down(self, directions: int) -> None:
        """Shut down one direction or both; the other end hears of it if it is the sending one."""
        self.shut |= directions
        if directions & SEND:
            self._send_fin()
        self.changed()

    def _send_fin(self) -> None:
        after = ON_CLOSE.get(self.state)
        if after is not None:
            self.state = after
            self.outgoing.fin = True
            self._flush()

    def close(self) -> None:
        """Let go of it: FIN goes out, or RST if bytes are unread or it lingers not."""
        self.holder = None
        self.orphaned = True
        self.shut = BOTH
        unread, state = self.incoming.unread, self.state
        if state is _CLOSED:
            return
        if state is _SYN_SENT:
            self._finish()
        elif unread or (self.options.lingers_not and state in WORTH_A_RESET):
            self._send_reset()
            self._finish()
        else:
            self._send_fin()
            if state is _FIN_WAIT_2:
                self._medium.linger(self)

    def abort(self) -> None:
        """Let go of it with RST."""
        self.options.linger = (1, 0)
        self.close()

    # --- what arrives -----------------------------------------------------------------------

    def arrive(self, segment: Segment) -> None:
        """A segment for this end."""
        self.alarms.heard()
        kind, state = segment.kind, self.state
        if kind is _RST:
            self.reset()
        elif state is _SYN_SENT:
            if kind is _SYN_ACK:
                self._become_established(segment)
                self._acknowledge(segment)
                self.changed()
        elif state is _SYN_RECEIVED and not self._is_admitted(segment):
            return
        elif kind is _SYN or kind is _SYN_ACK:
            self._acknowledge(segment)
        else:
            self._take(segment)

    def _is_admitted(self, segment: Segment) -> bool:
        """Whether the handshake is through; on a full queue the last ACK counts for nothing."""
        if segment.kind is _SYN:
            self._transmit(_SYN_ACK, echo=segment.sent_at)
            return False
        if not self._medium.admit(self):
            return False
        self._become_established(segment)
        return True

    def _take(self, segment: Segment) -> None:
        if self.state is not _CLOSED:
            self._take_ack(segment)
        kind = segment.kind
        if self.state is _CLOSED:  # TIME-WAIT, unless the ACK was the last of all
            if kind is not _ACK:
                self._acknowledge(segment)
        elif kind is _DATA:
            self._take_data(segment)
        elif kind is _FIN:
            self.incoming.put_fin(segment.offset)
            self._acknowledge(segment)
            self._check_end()
        elif segment.offset < self.incoming.expected:  # a probe
            self._acknowledge(segment)

    def _take_data(self, segment: Segment) -> None:
        incoming = self.incoming
        is_new = segment.offset + len(segment.payload) > incoming.expected
        if is_new and self.shut & RECEIVE and self.state is not _ESTABLISHED:
            self._send_reset()
            self.reset()
            return
        arrived = incoming.put(segment.offset, segment.payload)
        self._acknowledge(segment)
        self._check_end()
        if arrived:
            self.changed()

    def _check_end(self) -> None:
        if not self.incoming.ended or self.done_reading:
            return
        self.done_reading = True
        self.shut |= RECEIVE
        self.state = ON_FIN[self.state]
        if self.state is _CLOSED:
            self._finish(knows_stragglers=True)
        self.changed()

    def _take_ack(self, segment: Segment) -> None:
        opened = self._take_edge(segment.edge)
        if segment.ack > self.outgoing.una:
            self._take_progress(segment)
            self._check_fin_acked()
            self.changed()
        elif opened:
            self.alarms.answered()
        elif segment.kind is _ACK:
            self.alarms.probe_answered()
            self._count_duplicate(segment)
        self._flush()

    def _check_fin_acked(self) -> None:
        if not self.outgoing.fin_acked or self.state not in ON_FIN_ACKED:
            return
        was, self.state = self.state, ON_FIN_ACKED[self.state]
        if self.state is _CLOSED:
            self._finish(knows_stragglers=was is State.CLOSING)
        elif self.orphaned:
            self._medium.linger(self)

    def reset(self) -> None:
        """RST has come."""
        if self.state is not _CLOSED:
            self._fail(RESET_ERRORS.get(self.state, errno.ECONNRESET))
        else:
            self._finish()

    def refused(self, segment: Segment, refusal: Refusal) -> None:
        """What was sent did not arrive, and somebody says so."""
        if self.state is _CLOSED or segment.kind is _RST:
            return
        if refusal is Refusal.RESET:
            if segment.kind is not _ACK:
                self.reset()
            return
        code = errno.EHOSTUNREACH if refusal is Refusal.UNREACHABLE else errno.ENETUNREACH
        retried = refusal is Refusal.NO_ROUTE and segment.attempt > 0
        if self.state is _SYN_SENT and not retried:
            self._fail(code)
        else:
            self.alarms.soft_error = code

    # --- the end of it ----------------------------------------------------------------------

    def give_up(self, code: int, *, politely: bool = False) -> None:
        """A timer says that it makes no sense any more."""
        if politely:
            self._send_reset()
        self._fail(code)

    def _fail(self, code: int) -> None:
        self.error = code
        self._finish()
        self.changed()

    def _finish(self, *, knows_stragglers: bool = False) -> None:
        self.state = State.CLOSED
        self.shut = BOTH
        self.outgoing.purge()
        self.alarms.stop()
        if self.peer is not None:
            self.peer.peer = None
            self.peer = None
        self._medium.retire(self, knows_stragglers=knows_stragglers)

    def changed(self) -> None:
        """Tell who holds this end that something may be readable or writable now."""
        if self.holder is not None:
            self.holder.changed()
