"""Pools that lose a slot, or think they have one more than they have."""

import trio
from saboteur import broken

from harness.clients import Abandoned
from harness.clients.reference import ReferenceClient
from harness.errors import CallFailed
from harness.pool import Exchange, HttpClient, Pool, PoolCore
from harness.pool import events as ev


class _KeepsGhost(Pool):
    _has_ghost = False

    def _withdraw(self, number):
        if self._has_ghost:
            super()._withdraw(number)
        self._has_ghost = True  # the first one who is cancelled stays in the queue

    def _perform(self, effect):
        if isinstance(effect, ev.Grant | ev.Refuse) and effect.waiter not in self._tickets:
            return
        super()._perform(effect)


class SlotLostOnCancelWaiting(ReferenceClient):
    """Leaves a cancelled caller in the queue, and later serves a connection to nobody."""

    client_class = broken(pool=_KeepsGhost, grace_s=0.1)


def _loses_slot_on(is_it):
    """Lose one slot at the first exception that fits: production loses one a week."""

    class ForgetsLease(Exchange):
        def __exit__(self, exc_type, exc, traceback):
            pool = self._start_soon.__self__
            if exc is not None and is_it(exc) and not hasattr(pool, "forgotten"):
                pool.forgotten = self._lease
                self._lease._released = True
            super().__exit__(exc_type, exc, traceback)

    return broken(exchange=ForgetsLease, grace_s=0.1)


class SlotLostOnCancelInFlight(ReferenceClient):
    """Releases with ``except Exception``, which a cancellation is not."""

    client_class = _loses_slot_on(lambda exc: isinstance(exc, trio.Cancelled))


class SlotLostOnTimeout(ReferenceClient):
    """Leaves through its own timeout before it comes to the release."""

    client_class = _loses_slot_on(lambda exc: isinstance(exc, CallFailed) and exc.kind == "timeout")


class SlotLostOnError(ReferenceClient):
    """Releases only after a reply: each reset or closed connection takes a slot with it."""

    client_class = _loses_slot_on(
        lambda exc: isinstance(exc, CallFailed) and exc.kind in {"reset", "closed"}
    )


class SlotLostOnCallerError(ReferenceClient):
    """Takes back a connection only if the caller's own code didn't raise."""

    client_class = _loses_slot_on(lambda exc: isinstance(exc, Abandoned))


class _CountsFailedConnect(PoolCore):
    _never_opened = 0

    def _on_connect_error(self, event, now):
        self._never_opened = 1
        super()._on_connect_error(event, now)

    def _has_room(self):
        return len(self._slots) + self._never_opened < self.settings.limit


class SlotLostOnFailedConnect(ReferenceClient):
    """Takes a slot before it connects, and gives it back only if that succeeds."""

    client_class = broken(core=_CountsFailedConnect)


class _FreesTwice(PoolCore):
    _freed_twice = 0

    def _on_release(self, event, now):
        self._freed_twice += event.suspicious
        super()._on_release(event, now)

    def _has_room(self):
        return len(self._slots) - self._freed_twice < self.settings.limit


class CounterDrift(ReferenceClient):
    """Frees the slot of a failed connection twice, so the pool grows with every failure."""

    client_class = broken(core=_FreesTwice)


class _NeverReclaims(Pool):
    _lost_one = False

    def _note_lost(self, conn, where):
        if self._lost_one:
            super()._note_lost(conn, where)
        self._lost_one = True


class LostLeaseNeverReclaimed(ReferenceClient):
    """Waits for ever for the first connection whose caller has lost the last reference to it."""

    client_class = broken(pool=_NeverReclaims, grace_s=0.1)


class _ServesTwo(PoolCore):
    def _serve(self, slot, now, *, reused):
        super()._serve(slot, now, reused=reused)
        if slot.holder is not None and self._queue:
            waiter = self._next_waiter()
            del self._queue[waiter.waiter]
            self._effects.append(ev.Grant(waiter.waiter, slot.conn, reused))

    def _on_release(self, event, now):
        slot = self._slots.get(event.conn)
        if slot is not None and slot.holder is not None:
            super()._on_release(event, now)


class HandedOutTwice(ReferenceClient):
    """Has a connection in its idle list twice, after it was released twice."""

    client_class = broken(core=_ServesTwo)


class _Shielded(HttpClient):
    async def request(self, *args, **rest):
        with trio.CancelScope(shield=True):
            return await super().request(*args, **rest)


class CancellationIgnored(ReferenceClient):
    """Protects its books by shielding the whole call, which so can't be cancelled."""

    client_class = broken(client=_Shielded)
