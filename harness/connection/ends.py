"""The life of one end of a proxied connection, as a table that knows no roles.

An end is a TCP socket seen from the proxy. Each of its two halves ends by a FIN or both by a
RST (RFC 9293 section 3.6 calls the state between the two FINs half-closed). What one end does
decides what the other is sent: ``FOLLOWS``.
"""

from __future__ import annotations

from enum import StrEnum
from functools import cached_property


class EndState(StrEnum):
    """What is known of one end."""

    OPEN = "open"
    PEER_DONE = "peer done"
    WE_DONE = "we done"
    CLOSED = "closed"
    RESET = "reset"

    @cached_property
    def is_over(self) -> bool:
        """Whether nothing can happen there any more."""
        return self in {EndState.CLOSED, EndState.RESET}

    @cached_property
    def can_send(self) -> bool:
        """Whether bytes can still be sent to this end."""
        return self in {EndState.OPEN, EndState.PEER_DONE}


class EndEvent(StrEnum):
    """What can happen to one end: the peer's doing, or ours."""

    PEER_FIN = "peer sends FIN"
    PEER_RESET = "peer sends RST"
    SEND_FIN = "we send FIN"
    SEND_RESET = "we send RST"
    CLOSE = "we close both halves"


_LIVE = (EndState.OPEN, EndState.PEER_DONE, EndState.WE_DONE)
_OVER = (EndState.CLOSED, EndState.RESET)

TRANSITIONS: dict[tuple[EndState, EndEvent], EndState] = {
    (EndState.OPEN, EndEvent.PEER_FIN): EndState.PEER_DONE,
    (EndState.OPEN, EndEvent.SEND_FIN): EndState.WE_DONE,
    (EndState.PEER_DONE, EndEvent.SEND_FIN): EndState.CLOSED,
    (EndState.WE_DONE, EndEvent.PEER_FIN): EndState.CLOSED,
    **{(state, EndEvent.PEER_RESET): EndState.RESET for state in _LIVE},
    **{(state, EndEvent.SEND_RESET): EndState.RESET for state in _LIVE},
    **{(state, EndEvent.CLOSE): EndState.CLOSED for state in _LIVE},
    # Two tasks serve a connection, so news of an end that is over can still arrive: no change.
    **{(state, event): state for state in _OVER for event in EndEvent},
}


def after(state: EndState, event: EndEvent) -> EndState:
    """The state that follows; raises LookupError naming state and event if none does."""
    try:
        return TRANSITIONS[state, event]
    except KeyError:
        raise LookupError(f"an end that is {state.value!r} can't see {event.value!r}") from None
